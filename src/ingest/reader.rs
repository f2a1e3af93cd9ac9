//! The disk's side of a run: files are read, compared and split on threads of their own.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::files::{File, ReadOutcome, SkipReason, SkippedFile, SourceRoot};
use super::split::{Chunk, split};
use super::store::{ExistingDocument, ExistingDocuments};

/// Files that may wait for the database, which bounds the memory.
const QUEUE: usize = 32;

/// What became of one file.
pub(super) enum FileOutcome {
    Skipped(SkippedFile),
    Unchanged(File),
    Prepared(Box<PreparedFile>),
}

/// A file on its way to the database.
pub(super) struct PreparedFile {
    pub(super) file: File,
    /// The document that an earlier run made of it.
    pub(super) known: Option<ExistingDocument>,
    pub(super) chunks: Vec<Chunk>,
}

impl PreparedFile {
    /// The texts of its passages.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.chunks.iter().map(|chunk| chunk.text.clone())
    }
}

/// What the threads share.
struct Work {
    root: SourceRoot,
    paths: Mutex<std::vec::IntoIter<PathBuf>>,
    max_bytes: u64,
    known: ExistingDocuments,
    pipeline: String,
}

/// Reads the files on as many threads as there are cores, and returns their outcomes in no order; a full queue holds the
/// threads back, and a receiver that is dropped ends them.
pub(super) fn read(
    root: SourceRoot,
    paths: Vec<PathBuf>,
    max_bytes: u64,
    known: ExistingDocuments,
    pipeline: String,
) -> (mpsc::Receiver<FileOutcome>, Vec<JoinHandle<()>>) {
    let work = Arc::new(Work { root, paths: Mutex::new(paths.into_iter()), max_bytes, known, pipeline });
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
        let file = match self.root.read(path, self.max_bytes) {
            ReadOutcome::Skipped(skipped) => return FileOutcome::Skipped(skipped),
            ReadOutcome::File(file) => file,
        };
        match self.known.get(&file.name) {
            Some(known) if known.is_same(&file.hash, &self.pipeline) => FileOutcome::Unchanged(file),
            known => {
                // A parser that panics over one file keeps no other one out.
                let Ok(chunks) = std::panic::catch_unwind(|| split(&file.path, &file.text)) else {
                    let reason = SkipReason::Unreadable { error: "it can't be split into passages".to_owned() };
                    return FileOutcome::Skipped(SkippedFile { name: file.name, reason });
                };
                FileOutcome::Prepared(Box::new(PreparedFile { known: known.cloned(), chunks, file }))
            }
        }
    }
}
