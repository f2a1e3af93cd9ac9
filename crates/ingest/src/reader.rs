//! The disk's side of a run: threads read, compare and split the files.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::files::{File, FolderListing, ReadOutcome, SkipReason, SkippedFile, SourceRoot};
use super::split::{SplitOptions, SplitText};
use super::store::{ExistingDocument, ExistingDocuments};
use workspace_db::{Error, ErrorKind, Result};

/// Maximum number of files that wait for the database. It bounds the memory.
const QUEUE: usize = 32;

/// Outcome of one file.
pub(super) enum FileOutcome {
    Skipped(SkippedFile),
    Unchanged(File),
    Prepared(Box<PreparedFile>),
}

/// File that is ready for the database.
pub(super) struct PreparedFile {
    pub(super) file: File,
    /// Document that an earlier run created from the file.
    pub(super) known: Option<ExistingDocument>,
    pub(super) text: SplitText,
}

impl PreparedFile {
    /// Returns the texts to embed, one for each passage.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.text.texts(&self.file.name)
    }
}

/// State that the threads share.
struct Work {
    root: SourceRoot,
    paths: Mutex<std::vec::IntoIter<PathBuf>>,
    max_bytes: u64,
    known: ExistingDocuments,
    pipeline: String,
    split: SplitOptions,
}

/// Reads the files on one thread per core, and returns their outcomes in no order. A full queue blocks the threads, and a
/// dropped receiver ends them.
pub(super) fn read(
    root: SourceRoot,
    paths: Vec<PathBuf>,
    max_bytes: u64,
    known: ExistingDocuments,
    pipeline: String,
    split: SplitOptions,
) -> (mpsc::Receiver<FileOutcome>, Vec<JoinHandle<()>>) {
    let work = Arc::new(Work { root, paths: Mutex::new(paths.into_iter()), max_bytes, known, pipeline, split });
    let (sender, receiver) = mpsc::channel(QUEUE);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let readers = (0..threads).map(|_| {
        let (work, sender) = (Arc::clone(&work), sender.clone());
        tokio::task::spawn_blocking(move || {
            while let Some(path) = work.next() {
                if sender.blocking_send(work.outcome(&path)).is_err() {
                    return;
                }
            }
        })
    });
    (receiver, readers.collect())
}

impl Work {
    fn next(&self) -> Option<PathBuf> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn outcome(&self, path: &std::path::Path) -> FileOutcome {
        let mut file = match self.root.read(path, self.max_bytes) {
            ReadOutcome::Skipped(skipped) => return FileOutcome::Skipped(skipped),
            ReadOutcome::File(file) => file,
        };
        match self.known.get(&file.name) {
            Some(known) if known.is_same(&file.hash, &self.pipeline) => {
                file.free_bytes();
                FileOutcome::Unchanged(file)
            }
            known => {
                // A parser that panics on one file must not exclude any other.
                let split = std::panic::catch_unwind(|| file.split(self.split)).unwrap_or_else(|_| {
                    Err(SkipReason::Unreadable { error: "it can't be split into passages".to_owned() })
                });
                file.free_bytes();
                match split {
                    Ok(text) => FileOutcome::Prepared(Box::new(PreparedFile { known: known.cloned(), text, file })),
                    Err(reason) => FileOutcome::Skipped(SkippedFile { name: file.name, reason }),
                }
            }
        }
    }
}

/// Walks the root, and returns it with the files below it.
pub(super) async fn walk(root: SourceRoot) -> Result<(SourceRoot, FolderListing)> {
    let walk = move || {
        let walked = root.walk();
        (root, walked)
    };
    tokio::task::spawn_blocking(walk).await.map_err(reader_died)
}

/// Returns the error of a thread that panicked.
pub(super) fn reader_died(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Io, "the reader thread panicked").caused_by(error)
}
