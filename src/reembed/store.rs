//! The database's side of a switch.

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::ReembedStatus;
use crate::error::{Error, Result};
use crate::id::DocumentChunkId;
use crate::models::NewChunkReembedding;
use crate::schema::{chunk_reembeddings, document_chunks};
use crate::sql_types::Embedding;
use crate::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};

/// Whether the vector that waits is of another text than the passage has now.
const IS_OUTDATED: &str = "chunk_reembeddings.content_hash
    IS DISTINCT FROM encode(sha256(convert_to(document_chunks.content, 'UTF8')), 'hex')";

/// The vectors that wait take the place of those that are live. What has changed since stays, and so does what waits
/// for it.
const SWITCH: &str = "WITH switched AS (
        UPDATE document_chunks SET vector = waiting.vector, embedding_model = waiting.embedding_model
        FROM chunk_reembeddings AS waiting
        WHERE document_chunks.workspace_id = $1 AND waiting.workspace_id = $1 AND waiting.chunk_id = document_chunks.id
            AND waiting.embedding_model = $2 AND document_chunks.embedding_model <> $2
            AND waiting.content_hash = encode(sha256(convert_to(document_chunks.content, 'UTF8')), 'hex')
        RETURNING document_chunks.id
    )
    DELETE FROM chunk_reembeddings USING switched WHERE workspace_id = $1 AND chunk_id = switched.id";

pub(super) struct Store {
    ws: WorkspaceConnection,
    scope: WorkspaceScope,
    model: String,
}

impl Store {
    pub(super) async fn open(db: &Database, scope: &WorkspaceScope, model: &str) -> Result<Self> {
        Ok(Self { ws: db.workspace(scope).await?, scope: scope.clone(), model: model.to_owned() })
    }

    pub(super) async fn status(&mut self) -> Result<ReembedStatus> {
        let live: Vec<(String, i64)> = document_chunks::table
            .in_workspace(&self.scope)
            .group_by(document_chunks::embedding_model)
            .select((document_chunks::embedding_model, count_star()))
            .order((count_star().desc(), document_chunks::embedding_model))
            .load(&mut self.ws)
            .await?;
        let of_others: u64 = live.iter().filter(|(model, _)| *model != self.model).map(|(_, n)| n.unsigned_abs()).sum();
        let waiting: i64 = document_chunks::table
            .in_workspace(&self.scope)
            .inner_join(chunk_reembeddings::table)
            .filter(document_chunks::embedding_model.ne(&self.model))
            .filter(chunk_reembeddings::embedding_model.eq(&self.model))
            .filter(diesel::dsl::not(sql::<Bool>(IS_OUTDATED)))
            .count()
            .get_result(&mut self.ws)
            .await?;
        let waiting = waiting.unsigned_abs();
        let live = live.into_iter().map(|(model, count)| (model, count.unsigned_abs())).collect();
        Ok(ReembedStatus { model: self.model.clone(), live, waiting, missing: of_others.saturating_sub(waiting) })
    }

    /// Some passages that have no vector of the model, live or waiting.
    pub(super) async fn missing(&mut self, most: usize) -> Result<Vec<(DocumentChunkId, String)>> {
        document_chunks::table
            .in_workspace(&self.scope)
            .left_join(chunk_reembeddings::table)
            .filter(document_chunks::embedding_model.ne(&self.model))
            .filter(
                chunk_reembeddings::embedding_model
                    .nullable()
                    .is_distinct_from(&self.model)
                    .or(sql::<Bool>(IS_OUTDATED)),
            )
            .select((document_chunks::id, document_chunks::content))
            .limit(i64::try_from(most).unwrap_or(i64::MAX))
            .load(&mut self.ws)
            .await
    }

    /// Keeps vectors for the switch; how many. A passage that is gone by now needs none, nor do the others of its batch
    /// stay without: they are missing again.
    pub(super) async fn keep(
        &mut self,
        ids: &[DocumentChunkId],
        texts: &[String],
        vectors: Vec<Embedding>,
    ) -> Result<u64> {
        let rows: Vec<NewChunkReembedding> = ids
            .iter()
            .zip(texts)
            .zip(vectors)
            .map(|((id, text), vector)| NewChunkReembedding::new(*id, text, vector, &self.model))
            .collect();
        let replaced = chunk_reembeddings::table.in_workspace(&self.scope);
        let outdated = replaced.filter(chunk_reembeddings::chunk_id.eq_any(ids.to_vec()));
        let scope = self.scope.clone();
        let kept = self
            .ws
            .transaction(async |tx| {
                outdated.delete().execute(tx).await?;
                chunk_reembeddings::table.in_workspace(&scope).insert(&rows).execute(tx).await
            })
            .await;
        match kept {
            Err(error) if error.is_not_found() => Ok(0),
            kept => Ok(kept? as u64),
        }
    }

    /// Puts all that wait into place, at once; how many.
    pub(super) async fn switch(&mut self) -> Result<u64> {
        let (workspace, model) = (self.scope.workspace(), self.model.clone());
        let switched: Result<usize> = self
            .ws
            .under_row_security("an update from another table can't be said by a scoped query", async |conn| {
                let query = diesel::sql_query(SWITCH).bind::<SqlUuid, _>(workspace).bind::<Text, _>(model);
                Ok::<_, Error>(query.execute(conn).await?)
            })
            .await;
        Ok(switched? as u64)
    }

    /// Whether every passage has a live vector of the model.
    pub(super) async fn is_switched(&mut self) -> Result<bool> {
        let other: Vec<DocumentChunkId> = document_chunks::table
            .in_workspace(&self.scope)
            .filter(document_chunks::embedding_model.ne(&self.model))
            .select(document_chunks::id)
            .limit(1)
            .load(&mut self.ws)
            .await?;
        Ok(other.is_empty())
    }
}
