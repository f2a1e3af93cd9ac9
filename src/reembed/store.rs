//! Queries of a switch.

use std::collections::HashSet;

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::config::Timeouts;
use crate::embeddings::{check_dimensions, reject_other_dimensions};
use crate::error::{Error, ErrorKind, Result};
use crate::id::DocumentChunkId;
use crate::models::{INGEST_PIPELINE, NewChunkReembedding};
use crate::schema::{chunk_reembeddings, document_chunks};
use crate::sql_types::Embedding;
use crate::tenancy::{Database, InWorkspace as _, OptionalRow as _, WorkspaceConnection, WorkspaceScope};

/// Progress of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReembedStatus {
    /// Model that the workspace is switched to.
    pub model: String,
    /// Number of passages by the model of their live vectors, the most frequent first. Searches use these vectors.
    pub live: Vec<(String, u64)>,
    /// Number of vectors that wait for a switch, by model.
    pub waiting: Vec<(String, u64)>,
    /// Number of passages that have no vector of the new model yet.
    pub missing: u64,
}

/// Condition that holds if the waiting vector belongs to an earlier text of the passage.
const IS_OUTDATED: &str = "chunk_reembeddings.content_hash
    IS DISTINCT FROM encode(sha256(convert_to(document_chunks.content, 'UTF8')), 'hex')";

/// Statement that replaces live vectors by waiting ones, and deletes the waiting rows. Passages whose text has changed
/// keep their live vector and their waiting row. Documents of `ingest` store the name of the new model in their
/// metadata, or the next run would embed them again. Their `updated_at` stays, because it dates the text.
const SWITCH: &str = r"WITH switched AS (
        UPDATE document_chunks SET vector = waiting.vector, embedding_model = waiting.embedding_model
        FROM chunk_reembeddings AS waiting
        WHERE document_chunks.workspace_id = $1 AND waiting.workspace_id = $1 AND waiting.chunk_id = document_chunks.id
            AND waiting.embedding_model = $2 AND document_chunks.embedding_model <> $2
            AND waiting.content_hash = encode(sha256(convert_to(document_chunks.content, 'UTF8')), 'hex')
        RETURNING document_chunks.id, document_chunks.document_id
    ), updated_documents AS (
        UPDATE documents
        SET metadata = jsonb_set(metadata, ARRAY[$3],
            to_jsonb(substring(metadata ->> $3 FROM '^\S+(?: language-\S+)?') || ' ' || $2))
        WHERE workspace_id = $1 AND id IN (SELECT document_id FROM switched) AND metadata ? $3
    ), deleted AS (
        DELETE FROM chunk_reembeddings USING switched WHERE workspace_id = $1 AND chunk_id = switched.id
    )
    SELECT count(*) AS switched FROM switched";

/// Advisory lock of the workspace, which every writer takes first and keeps until its transaction ends. Without it, two
/// runs of one switch could lock the same rows in different orders and deadlock.
const SWITCH_LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('reembed ' || current_setting('app.workspace_id'), 0))";

async fn lock_switch(tx: &mut WorkspaceConnection) -> Result<()> {
    tx.internal_sql(async |conn| {
        diesel::sql_query(SWITCH_LOCK).execute(conn).await?;
        Ok::<_, Error>(())
    })
    .await
}

#[derive(QueryableByName)]
struct SwitchedRow {
    #[diesel(sql_type = BigInt)]
    switched: i64,
}

pub(super) struct Store {
    ws: WorkspaceConnection,
    model: String,
}

impl Store {
    pub(super) async fn open(db: &Database, scope: &WorkspaceScope, model: &str) -> Result<Self> {
        let mut ws = db.workspace(scope).await?;
        // A switch is one statement over a whole workspace.
        ws.set_timeouts(Timeouts::NONE);
        Ok(Self { ws, model: model.to_owned() })
    }

    pub(super) async fn status(&mut self) -> Result<ReembedStatus> {
        let live: Vec<(String, i64)> = document_chunks::table
            .in_workspace(&self.ws)
            .group_by(document_chunks::embedding_model)
            .select((document_chunks::embedding_model, count_star()))
            .order((count_star().desc(), document_chunks::embedding_model))
            .load(&mut self.ws)
            .await?;
        let of_others: u64 = live.iter().filter(|(model, _)| *model != self.model).map(|(_, n)| n.unsigned_abs()).sum();
        let waiting: Vec<(String, i64)> = document_chunks::table
            .in_workspace(&self.ws)
            .inner_join(chunk_reembeddings::table)
            .filter(document_chunks::embedding_model.ne(chunk_reembeddings::embedding_model))
            .filter(diesel::dsl::not(sql::<Bool>(IS_OUTDATED)))
            .group_by(chunk_reembeddings::embedding_model)
            .select((chunk_reembeddings::embedding_model, count_star()))
            .order((count_star().desc(), chunk_reembeddings::embedding_model))
            .load(&mut self.ws)
            .await?;
        let counted = |counts: Vec<(String, i64)>| -> Vec<(String, u64)> {
            counts.into_iter().map(|(model, count)| (model, count.unsigned_abs())).collect()
        };
        let (live, waiting) = (counted(live), counted(waiting));
        let have_one: u64 = waiting.iter().filter(|(model, _)| *model == self.model).map(|(_, count)| count).sum();
        let missing = of_others.saturating_sub(have_one);
        Ok(ReembedStatus { model: self.model.clone(), live, waiting, missing })
    }

    /// Rejects the switch if vectors of another switch wait, because this one would replace them one by one.
    pub(super) async fn reject_other_switch(&mut self) -> Result<()> {
        let other: Option<String> = chunk_reembeddings::table
            .in_workspace(&self.ws)
            .filter(chunk_reembeddings::embedding_model.ne(&self.model))
            .select(chunk_reembeddings::embedding_model)
            .limit(1)
            .load(&mut self.ws)
            .await?
            .pop();
        match other {
            Some(other) => {
                Err(Error::new(ErrorKind::Conflict, format!("the workspace is already being switched to {other}"))
                    .remedy("complete that switch, or discard it"))
            }
            None => Ok(()),
        }
    }

    /// Deletes the waiting vectors of all models, and returns their number.
    pub(super) async fn discard(&mut self) -> Result<u64> {
        let discard = async |tx: &mut WorkspaceConnection| {
            lock_switch(tx).await?;
            chunk_reembeddings::table.in_workspace(&tx).delete().execute(tx).await
        };
        Ok(self.ws.transaction(discard).await? as u64)
    }

    /// Returns passages after `behind` that have no vector of the model, live or waiting, ordered by id.
    pub(super) async fn missing(
        &mut self,
        behind: Option<DocumentChunkId>,
        limit: usize,
    ) -> Result<Vec<(DocumentChunkId, String)>> {
        document_chunks::table
            .in_workspace(&self.ws)
            .left_join(chunk_reembeddings::table)
            .filter(document_chunks::id.gt(behind.unwrap_or_else(|| uuid::Uuid::nil().into())))
            .filter(document_chunks::embedding_model.ne(&self.model))
            .filter(
                chunk_reembeddings::embedding_model
                    .nullable()
                    .is_distinct_from(&self.model)
                    .or(sql::<Bool>(IS_OUTDATED)),
            )
            .order(document_chunks::id)
            .select((document_chunks::id, document_chunks::content))
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .load(&mut self.ws)
            .await
    }

    /// Rejects a vector if the model has another number of dimensions in the workspace, among live or waiting vectors.
    async fn check_dimensions(&mut self, vector: &Embedding) -> Result<()> {
        let waiting = chunk_reembeddings::table
            .in_workspace(&self.ws)
            .filter(chunk_reembeddings::embedding_model.eq(&self.model))
            .select(chunk_reembeddings::vector);
        let waiting: Option<Embedding> = waiting.first(&mut self.ws).await.optional()?;
        match waiting.and_then(|waiting| waiting.dimensions()) {
            Some(dimensions) => reject_other_dimensions(&self.model, vector, Some(dimensions)),
            None => check_dimensions(&mut self.ws, &self.model, vector).await,
        }
    }

    /// Stores vectors for the switch, for the passages that still exist.
    pub(super) async fn insert(
        &mut self,
        passages: &[(DocumentChunkId, String)],
        vectors: Vec<Embedding>,
    ) -> Result<()> {
        if let [vector, ..] = &vectors[..] {
            self.check_dimensions(vector).await?;
        }
        let rows: Vec<NewChunkReembedding> = passages
            .iter()
            .zip(vectors)
            .map(|((id, text), vector)| NewChunkReembedding::new(*id, text, vector, &self.model))
            .collect();
        self.ws
            .transaction(async move |tx| {
                lock_switch(tx).await?;
                let ids: Vec<DocumentChunkId> = rows.iter().map(|row| row.chunk_id).collect();
                let existing: HashSet<DocumentChunkId> = document_chunks::table
                    .in_workspace(&tx)
                    .filter(document_chunks::id.eq_any(ids.clone()))
                    .order(document_chunks::id)
                    .select(document_chunks::id)
                    .for_key_share()
                    .load(tx)
                    .await?
                    .into_iter()
                    .collect();
                // These rows belong to earlier texts of the passages.
                let waiting = chunk_reembeddings::table.in_workspace(&tx);
                waiting.filter(chunk_reembeddings::chunk_id.eq_any(ids)).delete().execute(tx).await?;
                let rows: Vec<_> = rows.into_iter().filter(|row| existing.contains(&row.chunk_id)).collect();
                // Another run of the same switch may have been faster.
                waiting.insert(&rows).on_conflict_do_nothing().execute(tx).await
            })
            .await?;
        Ok(())
    }

    /// Replaces the live vectors by all waiting ones at once, and returns their number.
    pub(super) async fn switch(&mut self) -> Result<u64> {
        let (workspace, model) = (self.ws.workspace(), self.model.clone());
        let switched: SwitchedRow = self
            .ws
            .internal_sql(async |conn| {
                diesel::sql_query(SWITCH_LOCK).execute(conn).await?;
                let query = diesel::sql_query(SWITCH)
                    .bind::<SqlUuid, _>(workspace)
                    .bind::<Text, _>(model)
                    .bind::<Text, _>(INGEST_PIPELINE);
                Ok::<_, Error>(query.get_result(conn).await?)
            })
            .await?;
        Ok(switched.switched.unsigned_abs())
    }

    /// Deletes vectors that another run of the same switch created for passages that were already switched.
    pub(super) async fn tidy(&mut self) -> Result<()> {
        let model = self.model.clone();
        let tidy = async move |tx: &mut WorkspaceConnection| {
            lock_switch(tx).await?;
            let waiting = chunk_reembeddings::table.in_workspace(&tx);
            waiting.filter(chunk_reembeddings::embedding_model.eq(model)).delete().execute(tx).await
        };
        self.ws.transaction(tidy).await?;
        Ok(())
    }

    /// Returns true if every passage has a live vector of the model.
    pub(super) async fn is_switched(&mut self) -> Result<bool> {
        let other: Vec<DocumentChunkId> = document_chunks::table
            .in_workspace(&self.ws)
            .filter(document_chunks::embedding_model.ne(&self.model))
            .select(document_chunks::id)
            .limit(1)
            .load(&mut self.ws)
            .await?;
        Ok(other.is_empty())
    }
}
