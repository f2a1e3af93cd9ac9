//! Files into documents and chunks of a workspace.
//!
//! A root (a folder or a file) becomes a datasource, each text file under it a document, each passage a chunk. A run
//! compares contents by hash, so it can be repeated: what is unchanged costs a read, what has changed is replaced in
//! one transaction a file, what has gone is archived. A run that is cut short anywhere leaves whole files behind it,
//! and the next one goes on.

mod background;
mod files;
mod reader;
mod split;
mod store;
mod title;

use std::path::PathBuf;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

pub use self::background::{EnqueueReport, FileIngestion, IngestFile, enqueue_files};
pub use self::files::{DEFAULT_MAX_BYTES, SkipReason, SkippedFile};
use self::files::{FolderListing, SourceRoot};
use self::reader::{FileOutcome, PreparedFile};
pub use self::split::{MAX_TOKENS, MIN_TOKENS, OVERLAP_TOKENS};
use self::store::{ExistingDocuments, Replacement, Store};
use crate::embeddings::{Embedder, REFUSED_INPUT};
use crate::error::{Error, Kind, Result};
use crate::sql_types::Embedding;
use crate::tenancy::{Database, WorkspaceScope};

/// Chunks that are embedded together; files are gathered until there are so many.
const EMBED_TOGETHER: usize = 128;

/// What to ingest, and how.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folders and files; each becomes a datasource of its own.
    pub roots: Vec<PathBuf>,
    /// Larger files are skipped, in bytes.
    pub max_bytes: u64,
}

impl IngestOptions {
    /// These roots, files up to [`DEFAULT_MAX_BYTES`].
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { roots: roots.into_iter().collect(), max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestReport {
    /// Files that are documents now and were none before.
    pub added: usize,
    /// Files whose chunks were replaced, since content, splitter or model changed.
    pub replaced: usize,
    /// Files that are as they were.
    pub unchanged: usize,
    /// Documents whose file has gone, or can no longer be taken; they are no longer searched.
    pub archived: usize,
    /// Chunks that were written.
    pub chunks: usize,
    /// Files that were not taken, and why.
    pub skipped: Vec<SkippedFile>,
    /// Files that a `.gitignore` or `.ignore` leaves out.
    pub ignored: usize,
}

/// What is going on, for whoever shows progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestEvent {
    /// A root was walked: so many files are to be read.
    Found(usize),
    /// A file is done, whatever became of it.
    Done,
}

/// Brings the files under `options.roots` into the workspace, and returns what it did.
///
/// Files are taken by their content, not by their names: whatever is UTF-8 text. `.gitignore` and hidden files are left
/// out, symbolic links are not followed. Everything is written in the scope's workspace; others are neither read
/// nor changed. Memory is bounded by a few dozen files of `max_bytes`.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where a root does not exist or the workspace is gone,
/// [`is_embeddings_failure`](Error::is_embeddings_failure), [`is_unreachable`](Error::is_unreachable). Whole files that
/// were stored before it stay; the datasource is marked `failed` with the reason.
///
/// ```no_run
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db::ingest::{IngestOptions, ingest};
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: Database, scope: WorkspaceScope) -> workspace_db::Result<()> {
/// let options = IngestOptions::new(["handbook".into()]);
/// let report = ingest(&db, &scope, &options, &FeatureHashing, &|_| ()).await?;
/// println!("{} chunks", report.chunks);
/// # Ok(())
/// # }
/// ```
pub async fn ingest(
    db: &Database,
    scope: &WorkspaceScope,
    options: &IngestOptions,
    embedder: &dyn Embedder,
    on_event: &(dyn Fn(IngestEvent) + Sync),
) -> Result<IngestReport> {
    // All of them first, so that a wrong path is told before anything is written.
    let roots = options.roots.iter().map(|root| SourceRoot::open(root)).collect::<Result<Vec<_>>>()?;
    let mut report = IngestReport::default();
    for root in roots {
        let mut store = Store::open(db, scope, &root).await?;
        let done = ingest_root(&mut store, root, options.max_bytes, embedder, &mut report, on_event).await;
        let closed = store.close(done.as_ref().err()).await;
        // Where both failed, as after a lost connection, the first says why.
        done.and(closed)?;
    }
    report.skipped.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(report)
}

async fn ingest_root(
    store: &mut Store,
    root: SourceRoot,
    max_bytes: u64,
    embedder: &dyn Embedder,
    report: &mut IngestReport,
    on_event: &(dyn Fn(IngestEvent) + Sync),
) -> Result<()> {
    let mut gone = store.known().await?;
    let (root, FolderListing { mut paths, unreadable, ignored }) = walk(root).await?;
    report.ignored += ignored;
    on_event(IngestEvent::Found(paths.len()));
    let nothing_hidden = unreadable.is_empty();
    report.skipped.extend(unreadable);

    let mut run = Run { store, embedder, report, on_event, overtaken: Vec::new() };
    let mut known = gone.clone();
    // A file that somebody else has stored meanwhile is looked at again: it may be theirs that is older.
    while !paths.is_empty() {
        run.files(&root, paths, max_bytes, known, &mut gone).await?;
        paths = std::mem::take(&mut run.overtaken);
        known = if paths.is_empty() { ExistingDocuments::new() } else { run.store.known().await? };
    }
    if nothing_hidden {
        report.archived += store.archive(gone.into_values()).await?;
    }
    Ok(())
}

/// One root's way through the database.
struct Run<'a> {
    store: &'a mut Store,
    embedder: &'a dyn Embedder,
    report: &'a mut IngestReport,
    on_event: &'a (dyn Fn(IngestEvent) + Sync),
    /// Files whose document was no longer what was known of it.
    overtaken: Vec<PathBuf>,
}

impl Run<'_> {
    /// Takes the files in, and those out of `gone` that are there.
    async fn files(
        &mut self,
        root: &SourceRoot,
        paths: Vec<PathBuf>,
        max_bytes: u64,
        mut known: ExistingDocuments,
        gone: &mut ExistingDocuments,
    ) -> Result<()> {
        let pipeline = split::pipeline(self.embedder.model());
        let (mut outcomes, readers) = reader::read(root.clone(), paths, max_bytes, known.clone(), pipeline);
        let mut gathered: Vec<PreparedFile> = Vec::new();
        while let Some(outcome) = outcomes.recv().await {
            match outcome {
                FileOutcome::Skipped(skipped) => {
                    // A file that can't be read now may be as it was; any other reason means that its text is gone.
                    if matches!(skipped.reason, SkipReason::Unreadable { .. }) {
                        gone.remove(&skipped.name);
                    } else if let Some(known) = known.remove(&skipped.name) {
                        gone.insert(skipped.name.clone(), known);
                    }
                    self.report.skipped.push(skipped);
                    (self.on_event)(IngestEvent::Done);
                }
                FileOutcome::Unchanged(file) => {
                    gone.remove(&file.name);
                    match known.remove(&file.name) {
                        Some(known) if !self.store.revive(&known).await? => self.overtaken.push(file.path),
                        _ => {
                            self.report.unchanged += 1;
                            (self.on_event)(IngestEvent::Done);
                        }
                    }
                }
                FileOutcome::Prepared(prepared) => {
                    gone.remove(&prepared.file.name);
                    gathered.push(*prepared);
                    if gathered.iter().map(|prepared| prepared.chunks.len()).sum::<usize>() >= EMBED_TOGETHER {
                        self.embed_and_store(std::mem::take(&mut gathered)).await?;
                    }
                }
            }
        }
        for reader in readers {
            reader.await.map_err(reader_died)?;
        }
        self.embed_and_store(gathered).await
    }

    async fn embed_and_store(&mut self, files: Vec<PreparedFile>) -> Result<()> {
        let texts: Vec<String> = files.iter().flat_map(PreparedFile::texts).collect();
        let mut vectors = match embed(self.embedder, &texts).await {
            Ok(vectors) => vectors.into_iter(),
            Err(error) if refuses_texts(&error) => return self.store_one_by_one(files, error).await,
            Err(error) => return Err(error),
        };
        for prepared in files {
            let vectors = vectors.by_ref().take(prepared.chunks.len()).collect();
            self.store_file(prepared, vectors).await?;
        }
        Ok(())
    }

    /// Of files that the embedder does not take together: a text that it refuses keeps out its own file alone.
    async fn store_one_by_one(&mut self, files: Vec<PreparedFile>, mut error: Error) -> Result<()> {
        let mut refused = Vec::new();
        for prepared in files {
            let texts: Vec<String> = prepared.texts().collect();
            match embed_by_halves(self.embedder, &texts).await {
                Ok(vectors) => self.store_file(prepared, vectors).await?,
                Err(why) if refuses_texts(&why) => {
                    let reason = SkipReason::Refused { error: why.to_string() };
                    refused.push(SkippedFile { name: prepared.file.name, reason });
                    error = why;
                }
                Err(why) => return Err(why),
            }
        }
        // Where it has taken none so far, it is rather the endpoint than the texts.
        if self.report.chunks == 0 {
            let names: Vec<&str> = refused.iter().take(3).map(|skipped| skipped.name.as_str()).collect();
            return Err(Error::new(error.kind(), format!("{}: {error}", names.join(", "))).caused_by(error));
        }
        for _ in &refused {
            (self.on_event)(IngestEvent::Done);
        }
        self.report.skipped.extend(refused);
        Ok(())
    }

    async fn store_file(
        &mut self,
        PreparedFile { file, known, chunks }: PreparedFile,
        vectors: Vec<Embedding>,
    ) -> Result<()> {
        let written = chunks.len();
        let new = Replacement { file: &file, known: known.as_ref(), chunks, vectors, model: self.embedder.model() };
        if !self.store.replace(new).await? {
            self.overtaken.push(file.path);
            return Ok(());
        }
        self.report.chunks += written;
        if known.is_some() {
            self.report.replaced += 1;
        } else {
            self.report.added += 1;
        }
        (self.on_event)(IngestEvent::Done);
        Ok(())
    }
}

/// The root again, and what is below it.
async fn walk(root: SourceRoot) -> Result<(SourceRoot, FolderListing)> {
    let walk = move || {
        let walked = root.walk();
        (root, walked)
    };
    tokio::task::spawn_blocking(walk).await.map_err(reader_died)
}

/// Whether another text, or fewer at once, might be taken.
fn refuses_texts(error: &Error) -> bool {
    error.is_invalid_input() || error.field() == Some(REFUSED_INPUT)
}

/// As [`embed`], in ever smaller parts where the embedder refuses them together.
fn embed_by_halves<'a>(embedder: &'a dyn Embedder, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
    async move {
        match embed(embedder, texts).await {
            Err(error) if refuses_texts(&error) && texts.len() > 1 => {
                let (first, second) = texts.split_at(texts.len() / 2);
                let mut vectors = embed_by_halves(embedder, first).await?;
                vectors.extend(embed_by_halves(embedder, second).await?);
                Ok(vectors)
            }
            made => made,
        }
    }
    .boxed()
}

/// A vector for each text, in their order.
async fn embed(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Embedding>> {
    let vectors = embedder.embed(texts).await?;
    if vectors.len() != texts.len() {
        let message =
            format!("the embedder {} gave {} vectors for {} texts", embedder.model(), vectors.len(), texts.len());
        return Err(Error::new(Kind::Embeddings, message).remedy("it must give one for each, in their order"));
    }
    Ok(vectors)
}

fn reader_died(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Io, "the reading thread panicked").caused_by(error)
}
