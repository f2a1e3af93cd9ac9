//! The database's side of a run: one datasource, its documents and their chunks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use diesel::dsl::sql;
use diesel::pg::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{Jsonb, Nullable, Text};
use serde_json::json;

use super::files::{File, SourceRoot};
use super::job::IngestFile;
use super::split::{SplitOptions, SplitText};
use workspace_db::embeddings::{Embedder, check_dimensions, embedder_for_workspace};
use workspace_db::id::{DatasourceId, DocumentId};
use workspace_db::jobs::{EnqueueResult, NewJob, Outcome, RunningJob, enqueue_all};
use workspace_db::models::{
    DatasourceChanges, INGEST_PIPELINE, NewDatasource, NewDocument, NewDocumentChunk, WorkspaceLanguages,
};
use workspace_db::schema::{datasources, document_chunks, documents};
use workspace_db::sql_types::{DatasourceType, DocumentStatus, Embedding, LanguageTag, StatementTime};
use workspace_db::tenancy::{Database, InWorkspace as _, OptionalRow as _, WorkspaceConnection, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Number of chunks in one INSERT: 9 values each, far below the 65,535 parameters of the protocol, and about 1.5 MB.
const INSERT_TOGETHER: usize = 250;

/// Key of a document's metadata. It is true if a run archived the document because its file no longer existed.
const ARCHIVED: &str = "ingest_archived";

/// Document that an earlier run created, in the state in which it was read.
#[derive(Clone)]
pub(super) struct ExistingDocument {
    id: DocumentId,
    hash: Option<String>,
    made_by: Option<String>,
    is_archived_by_a_run: bool,
    status: DocumentStatus,
    /// Time in the server's format, which reaches further than the dates of this program.
    updated_at: PgTimestamp,
}

impl ExistingDocument {
    /// Returns true if a file of that content, split and embedded this way, would give the same chunks.
    pub(super) fn is_same(&self, hash: &str, pipeline: &str) -> bool {
        self.hash.as_deref() == Some(hash) && self.made_by.as_deref() == Some(pipeline)
    }

    /// Returns the status after a run has found the file. A draft, and a document that a person archived, keep their status.
    fn status_when_found(&self) -> DocumentStatus {
        match self.status {
            DocumentStatus::Draft => DocumentStatus::Draft,
            DocumentStatus::Archived if !self.is_archived_by_a_run => DocumentStatus::Archived,
            _ => DocumentStatus::Ready,
        }
    }

    /// Returns true if the document is archived when its file no longer exists.
    pub(super) fn is_in_use(&self) -> bool {
        !matches!(self.status, DocumentStatus::Draft | DocumentStatus::Archived)
    }
}

/// Documents of the datasource by external id.
pub(super) type ExistingDocuments = HashMap<String, ExistingDocument>;

/// Returns everything that a document's chunks depend on in addition to its text.
pub(super) fn pipeline(model: &str, split: SplitOptions, language: Option<&LanguageTag>) -> String {
    let language = language.map(|language| format!(" language-{language}")).unwrap_or_default();
    format!("{}{language} {model}", split.version())
}

pub(super) struct Store {
    ws: WorkspaceConnection,
    datasource: DatasourceId,
    /// Languages of the workspace; `None` until a text needs them.
    languages: Option<WorkspaceLanguages>,
}

impl Store {
    /// Finds or inserts the datasource of a root, and marks it as running.
    pub(super) async fn open(db: &Database, scope: &WorkspaceScope, root: &SourceRoot) -> Result<Self> {
        let mut store = Self::find_or_insert(db, scope, root).await?;
        store.mark(DatasourceChanges::running()).await?;
        Ok(store)
    }

    /// Finds or inserts the datasource of a root.
    pub(super) async fn find_or_insert(db: &Database, scope: &WorkspaceScope, root: &SourceRoot) -> Result<Self> {
        let new = NewDatasource {
            config: Some(json!({ "root": root.name() })),
            is_managed: Some(false),
            ..NewDatasource::named(scope.workspace(), root.name(), DatasourceType::File)
        };
        let mut ws = db.workspace(scope).await?;
        let datasource = new.find_or_insert(&mut ws).await?;
        Ok(Self { ws, datasource, languages: None })
    }

    /// Opens the existing datasource of a job's file.
    pub(super) async fn of_file(job: &RunningJob<IngestFile>) -> Result<Self> {
        let ws = job.workspace().await?;
        Ok(Self { ws, datasource: job.arguments.datasource, languages: None })
    }

    /// Returns the languages of the workspace's texts.
    pub(super) async fn languages(&mut self) -> Result<&WorkspaceLanguages> {
        let languages = match self.languages.take() {
            Some(languages) => languages,
            None => WorkspaceLanguages::load(&mut self.ws).await?,
        };
        Ok(self.languages.insert(languages))
    }

    /// Enqueues a job for each file, unless one is already queued for it.
    pub(super) async fn enqueue(&mut self, jobs: Vec<NewJob<IngestFile>>) -> Result<Vec<EnqueueResult>> {
        self.ws.transaction(async |tx| enqueue_all(tx, jobs).await).await
    }

    pub(super) fn datasource(&self) -> DatasourceId {
        self.datasource
    }

    /// Returns the path of the datasource's files, from its row.
    pub(super) async fn root(&mut self) -> Result<PathBuf> {
        let of_it = datasources::table.in_workspace(&self.ws).find(self.datasource);
        let root: Option<Option<String>> = of_it
            .select(datasources::config.retrieve_as_text("root").nullable())
            .first(&mut self.ws)
            .await
            .optional()?;
        root.flatten()
            .map(PathBuf::from)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "the job's datasource has no root folder for its files"))
    }

    /// Marks the datasource as completed, or as failed with the reason.
    pub(super) async fn close(&mut self, failure: Option<&Error>) -> Result<()> {
        self.mark(DatasourceChanges::ended(failure)).await
    }

    async fn mark(&mut self, changes: DatasourceChanges) -> Result<()> {
        datasources::table
            .in_workspace(&self.ws)
            .find(self.datasource)
            .update()
            .set(&changes)
            .execute(&mut self.ws)
            .await?;
        Ok(())
    }

    /// Returns the documents of the datasource.
    pub(super) async fn known(&mut self) -> Result<ExistingDocuments> {
        self.load_known(None).await
    }

    /// Returns the document of one file.
    pub(super) async fn known_by(&mut self, name: &str) -> Result<Option<ExistingDocument>> {
        Ok(self.load_known(Some(name)).await?.remove(name))
    }

    async fn load_known(&mut self, name: Option<&str>) -> Result<ExistingDocuments> {
        type Row = (String, DocumentId, Option<String>, Option<String>, Option<String>, DocumentStatus, PgTimestamp);
        let mut rows = documents::table
            .in_workspace(&self.ws)
            .filter(documents::datasource_id.eq(self.datasource))
            .filter(documents::external_id.is_not_null())
            .select((
                documents::external_id.assume_not_null(),
                documents::id,
                documents::content_hash,
                // Not the whole metadata: other programs may have stored more in it than this program can read.
                documents::metadata.retrieve_as_text(INGEST_PIPELINE).nullable(),
                documents::metadata.retrieve_as_text(ARCHIVED).nullable(),
                documents::status,
                documents::updated_at,
            ))
            .into_boxed();
        if let Some(name) = name {
            rows = rows.filter(documents::external_id.eq(name.to_owned()));
        }
        let rows = rows.load::<Row>(&mut self.ws).await?;
        let known = rows.into_iter().map(|(name, id, hash, made_by, archived, status, updated_at)| {
            let is_archived_by_a_run = archived.as_deref() == Some("true");
            (name, ExistingDocument { id, hash, made_by, is_archived_by_a_run, status, updated_at })
        });
        Ok(known.collect())
    }

    /// Replaces one file's document and chunks, in one transaction. Returns false and changes nothing if the document is no
    /// longer in the known state, because another session may have stored a newer one.
    pub(super) async fn replace(&mut self, new: Replacement<'_>) -> Result<bool> {
        self.check_dimensions(&new).await?;
        let datasource = self.datasource;
        self.ws.transaction(async |tx| new.write(tx, datasource).await).await
    }

    /// Replaces as [`replace`](Self::replace) does, and completes the job in the same transaction.
    pub(super) async fn replace_by(
        &mut self,
        job: &RunningJob<IngestFile>,
        new: Replacement<'_>,
    ) -> Result<Option<Outcome>> {
        self.check_dimensions(&new).await?;
        let datasource = self.datasource;
        self.ws
            .transaction(async |tx| {
                let chunks = new.text.chunks.len();
                if !new.write(tx, datasource).await? {
                    return Ok(None);
                }
                Ok(Some(job.complete(tx, Outcome::DoneWith(json!({ "chunks": chunks }))).await?))
            })
            .await
    }

    /// Returns the embedder of the workspace's vectors, if there are several to choose from.
    pub(super) async fn embedder<'a>(&mut self, embedders: &'a [Arc<dyn Embedder>]) -> Result<&'a dyn Embedder> {
        let embedders: Vec<&dyn Embedder> = embedders.iter().map(Arc::as_ref).collect();
        match embedders[..] {
            [only] => Ok(only),
            _ => embedder_for_workspace(&mut self.ws, &embedders).await,
        }
    }

    async fn check_dimensions(&mut self, new: &Replacement<'_>) -> Result<()> {
        match new.vectors.first() {
            Some(vector) => check_dimensions(&mut self.ws, new.model, vector).await,
            None => Ok(()),
        }
    }

    /// Makes a document that a run archived searchable again, because its unchanged file exists again. Returns false if the
    /// document is no longer in the known state.
    pub(super) async fn revive(&mut self, known: &ExistingDocument) -> Result<bool> {
        let status = known.status_when_found();
        Ok(status == known.status || self.set_status(std::slice::from_ref(known), status, false).await? == 1)
    }

    /// Archives the documents that are still in the known state, and returns their number.
    pub(super) async fn archive(&mut self, gone: impl Iterator<Item = ExistingDocument>) -> Result<usize> {
        let gone: Vec<ExistingDocument> = gone.filter(ExistingDocument::is_in_use).collect();
        self.set_status(&gone, DocumentStatus::Archived, true).await
    }

    async fn set_status(
        &mut self,
        known: &[ExistingDocument],
        status: DocumentStatus,
        archived: bool,
    ) -> Result<usize> {
        let mark = json!({ ARCHIVED: archived }).into_sql::<Jsonb>();
        let changed = documents::table
            .in_workspace(&self.ws)
            .filter(documents::id.eq_any(known.iter().map(|known| known.id).collect::<Vec<_>>()))
            // If another session has changed a document since, its time is different.
            .filter(documents::updated_at.eq_any(known.iter().map(|known| known.updated_at).collect::<Vec<_>>()))
            .update()
            .set((
                documents::status.eq(status),
                documents::metadata.eq(documents::metadata.concat(mark)),
                documents::updated_at.eq(StatementTime),
            ))
            .execute(&mut self.ws)
            .await?;
        Ok(changed)
    }
}

/// New content of a document and its chunks.
pub(super) struct Replacement<'a> {
    pub(super) file: &'a File,
    pub(super) known: Option<&'a ExistingDocument>,
    pub(super) text: SplitText,
    pub(super) language: LanguageTag,
    pub(super) vectors: Vec<Embedding>,
    pub(super) model: &'a str,
    pub(super) pipeline: String,
}

impl Replacement<'_> {
    async fn write(self, tx: &mut WorkspaceConnection, datasource: DatasourceId) -> Result<bool> {
        let Self { file, known, text, language, vectors, model, pipeline } = self;
        let SplitText { title, description, chunks, .. } = text;
        let (title, metadata) =
            (title.unwrap_or_else(|| file.name.clone()), json!({ INGEST_PIPELINE: pipeline, ARCHIVED: false }));
        let written: Vec<DocumentId> = if let Some(known) = known {
            documents::table
                .in_workspace(&tx)
                .find(known.id)
                .filter(documents::updated_at.eq(known.updated_at))
                .update()
                .set((
                    documents::title.eq(title),
                    // A summary that a person or a job has written stays where the file has none.
                    documents::summary.eq(sql::<Nullable<Text>>("coalesce(")
                        .bind::<Nullable<Text>, _>(description)
                        .sql(", documents.summary)")),
                    documents::content_hash.eq(Some(&file.hash)),
                    documents::metadata.eq(documents::metadata.concat(metadata.into_sql::<Jsonb>())),
                    documents::status.eq(known.status_when_found()),
                    documents::updated_at.eq(StatementTime),
                ))
                .returning(documents::id)
                .load(tx)
                .await?
        } else {
            let new = NewDocument {
                datasource_id: Some(datasource),
                external_id: Some(file.name.clone()),
                content_hash: Some(file.hash.clone()),
                metadata: Some(metadata),
                summary: description,
                status: Some(DocumentStatus::Ready),
                ..NewDocument::new(title)
            };
            documents::table
                .in_workspace(&tx)
                .insert(&new)
                .on_conflict((documents::workspace_id, documents::datasource_id, documents::external_id))
                .filter_target(documents::external_id.is_not_null())
                .do_nothing()
                .returning(documents::id)
                .load(tx)
                .await?
        };
        let [document] = written[..] else { return Ok(false) };
        document_chunks::table
            .in_workspace(&tx)
            .filter(document_chunks::document_id.eq(document))
            .delete()
            .execute(tx)
            .await?;
        let mut rows = Vec::with_capacity(chunks.len());
        for (index, (chunk, vector)) in (0..).zip(chunks.into_iter().zip(vectors)) {
            rows.push(NewDocumentChunk {
                token_count: i32::try_from(chunk.tokens).ok(),
                language: Some(language.clone()),
                metadata: Some(chunk.metadata().into()),
                ..NewDocumentChunk::new(document, index, chunk.text, vector, model)
            });
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(INSERT_TOGETHER));
            document_chunks::table.in_workspace(&tx).insert(rows).execute(tx).await?;
            rows = rest;
        }
        Ok(true)
    }
}
