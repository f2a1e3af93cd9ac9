//! The writing of a batch into the database.

use std::collections::{HashMap, HashSet};

use futures_util::pin_mut;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use super::batch::{Batch, PreparedDocument};
use super::options::LoadOptions;
use super::report::LoadReport;
use crate::embeddings::check_dimensions_within;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{DocumentChunkId, WorkspaceId};
use crate::sql_types::LanguageTag;

/// Statement that creates a temporary table. The table has no workspace: the INSERT from it supplies the current one. The
/// vector stays inline, as in the target table.
const STAGING: &str = "
CREATE TEMPORARY TABLE workspace_db_load (
    id uuid, document_id uuid, chunk_index integer, content text, token_count integer, embedding_model text,
    vector vector, language text, metadata jsonb
) WITH (toast_tuple_target = 8160) ON COMMIT DROP;
ALTER TABLE workspace_db_load ALTER vector SET STORAGE PLAIN, ALTER content SET STORAGE EXTERNAL";

const COLUMNS: &str = "id, document_id, chunk_index, content, token_count, embedding_model, vector, language, metadata";

/// Query that locks the existing documents in a fixed order, so that two loads of the same documents wait for each other.
const KNOWN: &str = "SELECT external_id, id, content_hash FROM documents
    WHERE workspace_id = $1 AND datasource_id = $2 AND external_id = ANY ($3) ORDER BY external_id FOR UPDATE";

const SAME_CONTENT: &str = "SELECT DISTINCT content_hash FROM documents
    WHERE workspace_id = $1 AND content_hash = ANY ($2)
        AND NOT (datasource_id IS NOT DISTINCT FROM $3 AND external_id = ANY ($4))";

/// Columns of a document, one array each.
const GIVEN: &str = "unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bool[])
    AS given (id, external_id, title, slug, summary, content_hash, metadata, status, is_published)";

/// Writer of the batches of one load.
pub(super) struct Writer {
    workspace: WorkspaceId,
    options: LoadOptions,
}

impl Writer {
    pub(super) fn new(workspace: WorkspaceId, options: &LoadOptions) -> Self {
        Self { workspace, options: *options }
    }

    /// Writes a batch within a transaction that has the workspace set.
    pub(super) async fn write(&self, tx: &Transaction<'_>, batch: Batch) -> Result<LoadReport> {
        let mut report = LoadReport::default();
        self.check_dimensions(tx, &batch).await?;
        let known = self.known(tx, &batch).await?;
        let mut elsewhere =
            if self.options.keep_duplicates { HashSet::new() } else { self.same_content_elsewhere(tx, &batch).await? };
        // The hashes that the batch's own documents will have, not those that they had.
        let kept = batch.documents.iter().filter(|document| known.contains_key(&document.external_id));
        elsewhere.extend(kept.map(|document| document.content_hash.clone()));
        let (mut new, mut old, mut to_copy) = (DocumentColumns::default(), DocumentColumns::default(), Vec::new());
        let mut replaced = Vec::new();
        for document in batch.documents {
            if let Some((id, hash)) = known.get(&document.external_id) {
                old.push(*id, &document);
                if hash.as_deref() == Some(&document.content_hash) {
                    report.unchanged += 1;
                } else {
                    report.replaced += 1;
                    replaced.push(*id);
                    to_copy.push((*id, document));
                }
            } else if !self.options.keep_duplicates && !elsewhere.insert(document.content_hash.clone()) {
                report.duplicates += 1;
            } else {
                let id = *document.source.document.id.as_uuid();
                new.push(id, &document);
                report.added += 1;
                to_copy.push((id, document));
            }
        }
        self.update(tx, &old).await?;
        self.insert(tx, &new).await?;
        if !replaced.is_empty() {
            let delete = "DELETE FROM document_chunks WHERE workspace_id = $1 AND document_id = ANY ($2)";
            tx.execute(delete, &[self.workspace.as_uuid(), &replaced]).await?;
        }
        report.chunks = self.copy(tx, to_copy).await?;
        Ok(report)
    }

    /// Rejects the batch if a model has another number of dimensions in the workspace.
    async fn check_dimensions(&self, tx: &Transaction<'_>, batch: &Batch) -> Result<()> {
        let mut models = HashSet::new();
        for PreparedDocument { source, .. } in &batch.documents {
            let Some(passage) = source.passages.first().filter(|_| models.insert(&source.model)) else { continue };
            check_dimensions_within(tx, self.workspace, &source.model, &passage.vector).await?;
        }
        Ok(())
    }

    async fn known(&self, tx: &Transaction<'_>, batch: &Batch) -> Result<HashMap<String, (Uuid, Option<String>)>> {
        let parameters: [&(dyn ToSql + Sync); 3] =
            [self.workspace.as_uuid(), self.options.datasource.as_uuid(), &external_ids(batch)];
        let rows = tx.query(KNOWN, &parameters).await?;
        Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
    }

    /// Returns the contents of the batch that another document of the workspace has.
    async fn same_content_elsewhere(&self, tx: &Transaction<'_>, batch: &Batch) -> Result<HashSet<String>> {
        let hashes: Vec<&str> = batch.documents.iter().map(|document| document.content_hash.as_str()).collect();
        let parameters: [&(dyn ToSql + Sync); 4] =
            [self.workspace.as_uuid(), &hashes, self.options.datasource.as_uuid(), &external_ids(batch)];
        let rows = tx.query(SAME_CONTENT, &parameters).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Updates documents. Omitted fields keep their values, and an unchanged document keeps its `updated_at`.
    async fn update(&self, tx: &Transaction<'_>, old: &DocumentColumns) -> Result<()> {
        let query = format!(
            "UPDATE documents AS d SET title = new.title, slug = new.slug, summary = new.summary,
                content_hash = new.content_hash, metadata = new.metadata, status = new.status,
                is_published = new.is_published, updated_at = CURRENT_TIMESTAMP
            FROM (
                SELECT given.id, given.title, coalesce(given.slug, o.slug) AS slug,
                    coalesce(given.summary, o.summary) AS summary, given.content_hash,
                    o.metadata || coalesce(given.metadata::jsonb, '{{}}') AS metadata,
                    coalesce(given.status::document_status, o.status) AS status,
                    coalesce(given.is_published, o.is_published) AS is_published
                FROM {GIVEN} JOIN documents AS o ON o.workspace_id = $1 AND o.id = given.id
            ) AS new
            WHERE d.workspace_id = $1 AND d.id = new.id
                AND (d.title, d.slug, d.summary, d.content_hash, d.metadata, d.status, d.is_published)
                    IS DISTINCT FROM (new.title, new.slug, new.summary, new.content_hash, new.metadata, new.status, new.is_published)"
        );
        old.execute(tx, &query, &[self.workspace.as_uuid()]).await
    }

    async fn insert(&self, tx: &Transaction<'_>, new: &DocumentColumns) -> Result<()> {
        let query = format!(
            "INSERT INTO documents (workspace_id, datasource_id, id, external_id, title, slug, summary, content_hash,
                metadata, status, is_published)
            SELECT $1, $11, given.id, given.external_id, given.title, given.slug, given.summary, given.content_hash,
                coalesce(given.metadata::jsonb, '{{}}'), coalesce(given.status::document_status, 'ready'),
                coalesce(given.is_published, true)
            FROM {GIVEN} ORDER BY given.external_id"
        );
        new.execute(tx, &query, &[self.workspace.as_uuid(), self.options.datasource.as_uuid()]).await
    }

    async fn copy(&self, tx: &Transaction<'_>, documents: Vec<(Uuid, PreparedDocument)>) -> Result<usize> {
        if documents.is_empty() {
            return Ok(0);
        }
        let exists: bool =
            tx.query_one("SELECT to_regclass('pg_temp.workspace_db_load') IS NOT NULL", &[]).await?.get(0);
        let make_room = if exists { "TRUNCATE pg_temp.workspace_db_load" } else { STAGING };
        // A session keeps its plan for foreign key checks. If the plan is from a time when the table was small, it reads all
        // documents of the workspace for every passage.
        tx.batch_execute(&format!("DISCARD PLANS; {make_room}")).await.map_err(no_staging)?;
        // The types as this database knows them: the OID of the vector type differs between databases.
        let columns = tx.prepare(&format!("SELECT {COLUMNS} FROM pg_temp.workspace_db_load")).await?;
        let types: Vec<_> = columns.columns().iter().map(|column| column.type_().clone()).collect();
        let sink =
            tx.copy_in(&format!("COPY pg_temp.workspace_db_load ({COLUMNS}) FROM STDIN (FORMAT binary)")).await?;
        let writer = BinaryCopyInWriter::new(sink, &types);
        pin_mut!(writer);
        for (document, PreparedDocument { source, .. }) in documents {
            for (passage, place) in source.passages.iter().zip(0_i32..) {
                let language = passage.language.as_ref().map(LanguageTag::as_str);
                let id = DocumentChunkId::generate();
                let metadata = Json(&passage.metadata);
                let row: [&(dyn ToSql + Sync); 9] = [
                    id.as_uuid(),
                    &document,
                    &place,
                    &passage.content,
                    &passage.token_count,
                    &source.model,
                    passage.vector.as_pgvector(),
                    &language,
                    &metadata,
                ];
                writer.as_mut().write(&row).await?;
            }
        }
        writer.finish().await?;
        let insert = format!(
            "INSERT INTO document_chunks (workspace_id, {COLUMNS})
            SELECT $1, id, document_id, chunk_index, content, token_count, embedding_model, vector,
                coalesce(language, (SELECT default_language FROM workspaces WHERE id = $1)), metadata
            FROM pg_temp.workspace_db_load"
        );
        let written = tx.execute(&insert, &[self.workspace.as_uuid()]).await?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }
}

fn external_ids(batch: &Batch) -> Vec<&str> {
    batch.documents.iter().map(|document| document.external_id.as_str()).collect()
}

fn no_staging(error: tokio_postgres::Error) -> Error {
    if error.code() != Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) {
        return error.into();
    }
    Error::new(ErrorKind::MissingPrerequisite, "the application's login has no privilege to create temporary tables")
        .remedy("run GRANT TEMPORARY ON DATABASE ... TO workspace_app as the owner")
        .caused_by(error)
}

/// Documents by column, in the order of [`GIVEN`].
#[derive(Default)]
struct DocumentColumns {
    ids: Vec<Uuid>,
    external_ids: Vec<String>,
    titles: Vec<String>,
    slugs: Vec<Option<String>>,
    summaries: Vec<Option<String>>,
    content_hashes: Vec<String>,
    metadata: Vec<Option<String>>,
    statuses: Vec<Option<String>>,
    published: Vec<Option<bool>>,
}

impl DocumentColumns {
    fn push(&mut self, id: Uuid, document: &PreparedDocument) {
        let given = &document.source.document;
        self.ids.push(id);
        self.external_ids.push(document.external_id.clone());
        self.titles.push(given.title.clone());
        self.slugs.push(given.slug.clone());
        self.summaries.push(given.summary.clone());
        self.content_hashes.push(document.content_hash.clone());
        self.metadata.push(given.metadata.as_ref().map(ToString::to_string));
        self.statuses.push(given.status.map(|status| status.to_string()));
        self.published.push(given.is_published);
    }

    /// Runs the query. `around` supplies `$1` and the parameters after `$10`.
    async fn execute(&self, tx: &Transaction<'_>, query: &str, around: &[&(dyn ToSql + Sync)]) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let given: [&(dyn ToSql + Sync); 9] = [
            &self.ids,
            &self.external_ids,
            &self.titles,
            &self.slugs,
            &self.summaries,
            &self.content_hashes,
            &self.metadata,
            &self.statuses,
            &self.published,
        ];
        let (first, last) = around.split_at(around.len().min(1));
        let parameters: Vec<_> = first.iter().chain(&given).chain(last).copied().collect();
        tx.execute(query, &parameters).await.map_err(|error| {
            let error = Error::from(error);
            if error.is_conflict() {
                error.remedy("run this load again: another load is writing the same documents")
            } else {
                error
            }
        })?;
        Ok(())
    }
}
