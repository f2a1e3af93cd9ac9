//! Ingestion of files as jobs: the caller enqueues one for each file, and workers read, split, embed and store them.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use same_file::Handle;
use serde::Serialize;
use serde_json::json;

use super::files::{File, FolderListing, ReadOutcome, SkipReason, SkippedFile, SourceRoot};
use super::job::IngestFile;
use super::language::language_of;
use super::options::IngestOptions;
use super::reader::{reader_died, walk};
use super::split::{SplitOptions, SplitText};
use super::store::{ExistingDocument, Replacement, Store, pipeline};
use workspace_db::embeddings::{Embedder, embed};
use workspace_db::id::WorkspaceId;
use workspace_db::jobs::{EnqueueResult, Outcome, RunningJob};
use workspace_db::sql_types::LanguageTag;
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Result of [`enqueue_files`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnqueueReport {
    /// Number of files with a new job.
    pub enqueued: usize,
    /// Number of files whose job was already queued.
    pub waiting: usize,
    /// Number of documents archived because their file no longer exists; searches don't find them.
    pub archived: usize,
    /// Paths that could not be listed, or are not UTF-8.
    pub skipped: Vec<SkippedFile>,
    /// Number of files that a `.gitignore` or `.ignore` excludes.
    pub ignored: usize,
}

/// Enqueues a job for every file under `options.roots`, and archives the documents whose file no longer exists.
///
/// This call lists the files, and the workers read them. They must find them under the same paths: on the same machine or a
/// shared disk. A file with a queued job gets no second job. All jobs and documents are of the scope's workspace.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if a root does not exist or the workspace was deleted,
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure). Either all files of a
/// root are enqueued, or none of them.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db_ingest::{FileIngestion, IngestOptions, enqueue_files};
/// use workspace_db::jobs::Worker;
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: Database, scope: WorkspaceScope) -> workspace_db::Result<()> {
/// let report = enqueue_files(&db, &scope, &IngestOptions::new(["handbook".into()])).await?;
/// println!("{} files wait", report.enqueued);
/// let files = FileIngestion::new(Arc::new(FeatureHashing)).under(scope.workspace(), "handbook")?;
/// Worker::new(&db).handle(files.handler()).drain().await?;
/// # Ok(())
/// # }
/// ```
pub async fn enqueue_files(db: &Database, scope: &WorkspaceScope, options: &IngestOptions) -> Result<EnqueueReport> {
    let roots = options.roots.iter().map(|root| SourceRoot::open(root)).collect::<Result<Vec<_>>>()?;
    let mut report = EnqueueReport::default();
    for root in roots {
        let mut store = Store::find_or_insert(db, scope, &root).await?;
        let mut gone = store.known().await?;
        let (root, FolderListing { paths, unreadable, ignored }) = walk(root).await?;
        report.ignored += ignored;
        let mut jobs = Vec::with_capacity(paths.len());
        for path in paths {
            let name = root.name_of(&path);
            gone.remove(&name);
            if path.to_str().is_none() {
                report.skipped.push(SkippedFile { name, reason: SkipReason::NameNotUtf8 });
                continue;
            }
            let (datasource, max_bytes) = (store.datasource(), options.max_bytes);
            jobs.push(IngestFile { name, datasource, max_bytes }.job());
        }
        let answers = store.enqueue(jobs).await?;
        let inserted = answers.iter().filter(|answer| matches!(answer, EnqueueResult::Inserted(_))).count();
        report.enqueued += inserted;
        report.waiting += answers.len() - inserted;
        if unreadable.is_empty() {
            report.archived += store.archive(gone.into_values()).await?;
        }
        report.skipped.extend(unreadable);
    }
    Ok(report)
}

/// Settings for a worker that runs [`IngestFile`]: an embedder, and the folders that each workspace's jobs may read.
///
/// A job names a file of a datasource, whose row names the root. A worker reads the file only if it is in a folder that is
/// allowed for the job's workspace. A walk of that folder must also find it: no hidden file, none that a .gitignore
/// excludes, none behind a link.
#[derive(Clone)]
pub struct FileIngestion {
    embedders: Vec<Arc<dyn Embedder>>,
    folders: Vec<(WorkspaceId, SourceRoot)>,
    split: SplitOptions,
    language: Option<LanguageTag>,
}

impl FileIngestion {
    /// Creates an ingestion with that embedder and no folders.
    #[must_use]
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self { embedders: vec![embedder], folders: Vec::new(), split: SplitOptions::default(), language: None }
    }

    /// Adds an embedder, which is used in the workspaces whose vectors its model created.
    #[must_use]
    pub fn or_embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedders.push(embedder);
        self
    }

    /// Sets the sizes of the passages, as [`IngestOptions::split`] does for an ingestion without jobs.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if there are no passages of these sizes.
    pub fn split(self, split: SplitOptions) -> Result<Self> {
        split.check()?;
        Ok(Self { split, ..self })
    }

    /// Sets the language of files that do not name their own, as [`IngestOptions::language`] does.
    #[must_use]
    pub fn language(self, language: LanguageTag) -> Self {
        Self { language: Some(language), ..self }
    }

    /// Allows the jobs of a workspace to read a file, or the files that a walk of a folder finds.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found), [`is_io_failure`](Error::is_io_failure).
    pub fn under(mut self, workspace: WorkspaceId, folder: impl Into<PathBuf>) -> Result<Self> {
        self.folders.push((workspace, SourceRoot::open(&folder.into())?));
        Ok(self)
    }

    /// Returns the handler for [`Worker::handle`](workspace_db::jobs::Worker::handle).
    pub fn handler(
        self,
    ) -> impl Fn(RunningJob<IngestFile>) -> BoxFuture<'static, Result<Outcome>> + Send + Sync + 'static {
        let this = Arc::new(self);
        move |job| Arc::clone(&this).ingest(job).boxed()
    }

    async fn ingest(self: Arc<Self>, job: RunningJob<IngestFile>) -> Result<Outcome> {
        let file = job.arguments.clone();
        let mut store = Store::of_file(&job).await?;
        let known = store.known_by(&file.name).await?;
        let embedder = store.embedder(&self.embedders).await?;
        let pipeline = pipeline(embedder.model(), self.split, self.language.as_ref());
        let (this, of_file) = (Arc::clone(&self), pipeline.clone());
        let compared = known.clone();
        let (root, workspace) = (store.root().await?, job.scope().workspace());
        let read = move || {
            let of_workspace = this.folders.iter().filter(|(of, _)| *of == workspace);
            let folders: Vec<&SourceRoot> = of_workspace.map(|(_, folder)| folder).collect();
            let found = read(&file, &root, &folders)?;
            Ok::<_, Error>(match (found, compared) {
                (ReadOutcome::Skipped(skipped), _) => FileState::Skipped(skipped.reason),
                (ReadOutcome::File(file), Some(known)) if known.is_same(&file.hash, &of_file) => {
                    FileState::Unchanged(known)
                }
                (ReadOutcome::File(mut file), _) => match file.split(this.split) {
                    Ok(text) => {
                        file.free_bytes();
                        FileState::Changed(text, file)
                    }
                    Err(reason) => FileState::Skipped(reason),
                },
            })
        };
        let outcome = match tokio::task::spawn_blocking(read).await.map_err(reader_died)?? {
            // The file may become readable again, so the job fails and is retried.
            FileState::Skipped(SkipReason::Unreadable { error }) => return Err(Error::new(ErrorKind::Io, error)),
            FileState::Skipped(reason) => {
                let to_go = usize::from(known.as_ref().is_some_and(ExistingDocument::is_in_use));
                let archived = store.archive(known.into_iter()).await?;
                (archived == to_go).then(|| Outcome::DoneWith(json!({ "skipped": reason.to_string() })))
            }
            FileState::Unchanged(known) => {
                store.revive(&known).await?.then(|| Outcome::DoneWith(json!({ "unchanged": true })))
            }
            FileState::Changed(text, file) => {
                let texts: Vec<String> = text.texts(&file.name).collect();
                let vectors = embed(embedder, &texts).await?;
                let languages = store.languages().await?;
                let language = language_of(languages, self.language.as_ref(), file.text(), &text);
                let (model, known) = (embedder.model(), known.as_ref());
                let new = Replacement { file: &file, known, text, language, vectors, model, pipeline };
                store.replace_by(&job, new).await?
            }
        };
        // Another session has written the document meanwhile, from an older or newer file, so the job runs again.
        Ok(outcome.unwrap_or(Outcome::Snooze(Duration::ZERO)))
    }
}

/// State of the file at a job's path.
enum FileState {
    Skipped(SkipReason),
    Unchanged(ExistingDocument),
    Changed(SplitText, File),
}

/// Reads the file of a job, if it is in one of the folders.
fn read(file: &IngestFile, root: &Path, folders: &[&SourceRoot]) -> Result<ReadOutcome> {
    let may_read = |path: &Path| folders.iter().any(|folder| folder.contains(path));
    let refused = |path: &Path| {
        Error::new(ErrorKind::Forbidden, format!("this worker may not read {}", path.display()))
            .remedy("allow this workspace a folder that contains the file")
    };
    let skipped = |reason| Ok(ReadOutcome::Skipped(SkippedFile { name: file.name.clone(), reason }));
    // The error does not reveal if the root exists.
    let root = SourceRoot::open(root).map_err(|_| refused(root))?;
    let path = root.path_of(&file.name);
    if !Path::new(&file.name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(refused(&path));
    }
    let real = match path.canonicalize() {
        Ok(real) if may_read(&real) => real,
        // The file was deleted since it was listed, so its document is archived. Outside its folders a worker reveals no
        // file.
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_read(root.name().as_ref()) => {
            return skipped(SkipReason::Gone);
        }
        _ => return Err(refused(&path)),
    };
    // The rules of the allowed folder apply, because the tenant chooses the root, which may itself be hidden.
    if real != path || !folders.iter().any(|folder| folder.takes(&real)) {
        return skipped(SkipReason::LeftOut);
    }
    // Opening a pipe would wait for its writer.
    if !real.is_file() {
        return Err(Error::new(ErrorKind::Io, format!("{} is not a regular file", path.display())));
    }
    let opened = Handle::from_path(&real);
    // The opened file must be the one at this path, and not the target of a short-lived link.
    let is_there = |opened: &Handle| {
        real.canonicalize().is_ok_and(|now| now == real) && Handle::from_path(&real).is_ok_and(|now| now == *opened)
    };
    if opened.as_ref().is_ok_and(|opened| !is_there(opened)) {
        return Err(refused(&path));
    }
    Ok(root.read_from(opened.as_ref().map(Handle::as_file), &path, file.max_bytes))
}
