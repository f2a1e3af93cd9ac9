//! Ingestion of files into documents and chunks of a workspace.
//!
//! A root (a folder or a file) becomes a datasource, each text file under it a document, each passage a chunk. A run
//! compares contents by hash, so you can repeat it. Unchanged files are only read. A changed file is replaced in one
//! transaction, and a deleted file's document is archived. An interrupted run leaves only complete files; the next resumes.
//!
//! [`ingest`] does the work at once. [`ingest_texts`] takes texts or rows that are no files. [`enqueue_files`] enqueues one
//! job per file, which workers with a [`FileIngestion`] run.
//!
//! ```toml
//! [dependencies]
//! workspace-db = { path = "../workspace-db" }
//! workspace-db-ingest = { path = "../workspace-db/crates/ingest" }
//! ```
//!
//! ```no_run
//! use workspace_db::embeddings::FeatureHashing;
//! use workspace_db::tenancy::{Database, WorkspaceScope};
//! use workspace_db_ingest::{IngestOptions, ingest};
//!
//! # async fn example(db: Database, scope: WorkspaceScope) -> workspace_db::Result<()> {
//! let options = IngestOptions::new(["handbook".into()]);
//! let report = ingest(&db, &scope, &options, &FeatureHashing, &|_| ()).await?;
//! println!("{} chunks", report.chunks);
//! # Ok(())
//! # }
//! ```

mod background;
mod embedding;
mod files;
mod formats;
mod job;
mod language;
mod missing_languages;
mod options;
mod outline;
mod reader;
mod split;
mod store;
mod texts;

use std::path::PathBuf;

use serde::Serialize;

pub use self::background::{EnqueueReport, FileIngestion, enqueue_files};
use self::embedding::{embed_by_halves, refuses_texts};
pub use self::files::{DEFAULT_MAX_BYTES, SkipReason, SkippedFile};
use self::files::{FolderListing, SourceRoot};
pub use self::formats::Unit;
pub use self::job::IngestFile;
use self::language::language_of;
pub use self::language::{detect_language, with_languages};
pub use self::missing_languages::{MissingLanguages, detect_missing_languages};
pub use self::options::IngestOptions;
use self::reader::{FileOutcome, PreparedFile, reader_died, walk};
pub use self::split::{Chunk, MAX_TOKENS, MIN_TOKENS, OVERLAP_TOKENS, SplitOptions, split};
use self::store::{ExistingDocuments, Replacement, Store, pipeline};
pub use self::texts::{SourceText, ingest_texts};
use workspace_db::embeddings::{Embedder, embed};
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::{Error, Result};

/// Number of chunks that are embedded together. Files are collected until they have this many chunks.
const EMBED_TOGETHER: usize = 128;

/// Result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestReport {
    /// Number of files that became new documents.
    pub added: usize,
    /// Number of files whose chunks were replaced, because the content, splitter or model changed.
    pub replaced: usize,
    /// Number of unchanged files.
    pub unchanged: usize,
    /// Number of documents archived because their file no longer exists or is now skipped; searches don't find them.
    pub archived: usize,
    /// Number of chunks written.
    pub chunks: usize,
    /// Files that were skipped, with the reasons.
    pub skipped: Vec<SkippedFile>,
    /// Number of files that a `.gitignore` or `.ignore` excludes.
    pub ignored: usize,
}

/// Event for a display of the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestEvent {
    /// A root was walked, and this number of files is to be read.
    Found(usize),
    /// A file is done, with any outcome.
    Done,
}

/// Ingests the files under `options.roots` into the workspace, and returns a report.
///
/// Texts are selected by their content, not by their names: all UTF-8 text, and UTF-16 with a byte order mark. Archives are
/// selected by their names: DOCX. Hidden files and those that a `.gitignore` excludes are skipped, and symbolic links are not
/// followed. Only the scope's workspace is read and changed.
///
/// Memory is bounded. A few dozen files wait for the database, each with the file of at most `max_bytes` and its passages. The
/// text of a table or of a DOCX file takes at most about 16 times the file. One thread per core reads files, and each holds at most
/// one DOCX file of 32 times `max_bytes`, and unpacks at most 64 MiB of it at a time.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if a root does not exist or the workspace was deleted,
/// [`is_embeddings_failure`](Error::is_embeddings_failure), [`is_unreachable`](Error::is_unreachable),
/// [`is_conflict`](Error::is_conflict) if the model has another number of dimensions in the workspace. Complete files that
/// were stored before remain; the datasource is marked `failed` with the reason.
///
/// ```no_run
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db_ingest::{IngestOptions, ingest};
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
    options.split.check()?;
    // All roots are opened first, so that a wrong path is reported before anything is written.
    let roots = options.roots.iter().map(|root| SourceRoot::open(root)).collect::<Result<Vec<_>>>()?;
    let mut report = IngestReport::default();
    for root in roots {
        let mut store = Store::open(db, scope, &root).await?;
        let done = ingest_root(&mut store, root, options, embedder, &mut report, on_event).await;
        let closed = store.close(done.as_ref().err()).await;
        // If both failed, for example after a lost connection, the first error is the cause.
        done.and(closed)?;
    }
    report.skipped.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(report)
}

async fn ingest_root(
    store: &mut Store,
    root: SourceRoot,
    options: &IngestOptions,
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

    let mut run = Run { store, embedder, report, on_event, overtaken: Vec::new(), options };
    let mut known = gone.clone();
    // If another session has stored a file's document meanwhile, the file is read again, because that version may be older.
    while !paths.is_empty() {
        run.files(&root, paths, known, &mut gone).await?;
        paths = std::mem::take(&mut run.overtaken);
        known = if paths.is_empty() { ExistingDocuments::new() } else { run.store.known().await? };
    }
    if nothing_hidden {
        report.archived += store.archive(gone.into_values()).await?;
    }
    Ok(())
}

/// Ingestion of one root.
struct Run<'a> {
    store: &'a mut Store,
    embedder: &'a dyn Embedder,
    report: &'a mut IngestReport,
    on_event: &'a (dyn Fn(IngestEvent) + Sync),
    /// Files whose document has changed since it was read.
    overtaken: Vec<PathBuf>,
    options: &'a IngestOptions,
}

impl Run<'_> {
    /// Ingests the files, and removes those that exist from `gone`.
    async fn files(
        &mut self,
        root: &SourceRoot,
        paths: Vec<PathBuf>,
        mut known: ExistingDocuments,
        gone: &mut ExistingDocuments,
    ) -> Result<()> {
        let IngestOptions { split, max_bytes, .. } = *self.options;
        let pipeline = pipeline(self.embedder.model(), split, self.options.language.as_ref());
        let (mut outcomes, readers) = reader::read(root.clone(), paths, max_bytes, known.clone(), pipeline, split);
        let mut gathered: Vec<PreparedFile> = Vec::new();
        while let Some(outcome) = outcomes.recv().await {
            match outcome {
                FileOutcome::Skipped(skipped) => {
                    // A file that can't be read now may be unchanged; any other reason means that its text no longer exists.
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
                    if gathered.iter().map(|prepared| prepared.text.chunks.len()).sum::<usize>() >= EMBED_TOGETHER {
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
            let vectors = vectors.by_ref().take(prepared.text.chunks.len()).collect();
            self.store_file(prepared, vectors).await?;
        }
        Ok(())
    }

    /// Stores files that the embedder rejects together one by one. A rejected text excludes only its own file.
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
        // If the embedder has accepted no file so far, the cause is rather the endpoint than the texts.
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
        PreparedFile { file, known, text }: PreparedFile,
        vectors: Vec<Embedding>,
    ) -> Result<()> {
        let written = text.chunks.len();
        let model = self.embedder.model();
        let pipeline = pipeline(model, self.options.split, self.options.language.as_ref());
        let languages = self.store.languages().await?;
        let language = language_of(languages, self.options.language.as_ref(), file.text(), &text);
        let new = Replacement { file: &file, known: known.as_ref(), text, language, vectors, model, pipeline };
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
