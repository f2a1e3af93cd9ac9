//! Catalog queries about the indexes, run as the owner.

use tokio_postgres::Client;

use crate::db::roles::PLATFORM_ROLE;
use crate::embeddings::{Embedder as _, FeatureHashing};
use crate::error::Result;
use crate::id::WorkspaceId;

/// Name of the index over all vectors, which the contract requires.
pub(super) const SHARED_INDEX: &str = "document_chunks_vector_idx";

/// Name of the shared index while it is retrained.
pub(super) const NEW_SHARED_INDEX: &str = "document_chunks_vector_idx_new";

/// Text before the number of chunks in the comment of the shared index.
pub(super) const TRAINED_ON: &str = "Trained on this many chunks: ";

/// An index on `document_chunks`.
pub(super) struct Index {
    pub(super) name: String,
    pub(super) is_valid: bool,
    pub(super) bytes: u64,
    pub(super) lists: Option<u32>,
    pub(super) trained_on: Option<u64>,
}

/// Returns every index on `document_chunks`, by name.
pub(super) async fn indexes(client: &Client) -> Result<Vec<Index>> {
    let query = "SELECT c.relname::text, i.indisvalid, pg_relation_size(c.oid), obj_description(c.oid, 'pg_class'),
            (SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'lists')
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'document_chunks'::regclass
        ORDER BY 1";
    let rows = client.query(query, &[]).await?;
    rows.iter()
        .map(|row| {
            let comment: Option<String> = row.try_get(3)?;
            let lists: Option<String> = row.try_get(4)?;
            Ok(Index {
                name: row.try_get(0)?,
                is_valid: row.try_get(1)?,
                bytes: row.try_get::<_, i64>(2)?.unsigned_abs(),
                lists: lists.and_then(|lists| lists.parse().ok()),
                trained_on: comment.and_then(|comment| comment.strip_prefix(TRAINED_ON)?.parse().ok()),
            })
        })
        .collect()
}

/// State of the chunks for the planner.
pub(super) struct Upkeep {
    pub(super) was_analyzed: bool,
    pub(super) changed_since_analyze: u64,
    pub(super) pages: u64,
    /// Pages that an index-only scan need not read.
    pub(super) visible_pages: u64,
}

/// Returns the state of the chunks for the planner.
pub(super) async fn upkeep(client: &Client) -> Result<Upkeep> {
    let query = "SELECT coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL, coalesce(s.n_mod_since_analyze, 0),
            (pg_relation_size(c.oid) / current_setting('block_size')::bigint), c.relallvisible::bigint
        FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
        WHERE c.oid = 'document_chunks'::regclass";
    let row = client.query_one(query, &[]).await?;
    let count = |at| row.try_get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Upkeep {
        was_analyzed: row.try_get(0)?,
        changed_since_analyze: count(1)?,
        pages: count(2)?,
        visible_pages: count(3)?,
    })
}

/// Returns the number of chunks of each workspace that has any, and the number that an index by sign bits can distinguish.
/// Chunks of hashed words don't count as the latter, because their vectors are mostly zeros.
pub(super) async fn chunks(client: &mut Client) -> Result<Vec<(WorkspaceId, u64, u64)>> {
    let transaction = client.transaction().await?;
    // Row-level security is forced, so the owner sees no rows.
    transaction.batch_execute(&format!("SET LOCAL ROLE {PLATFORM_ROLE}")).await?;
    let query = "SELECT workspace_id, count(*), count(*) FILTER (WHERE embedding_model <> $1)
        FROM document_chunks GROUP BY workspace_id";
    let rows = transaction.query(query, &[&FeatureHashing.model()]).await?;
    transaction.commit().await?;
    rows.iter()
        .map(|row| {
            let workspace: uuid::Uuid = row.try_get(0)?;
            let count = |at| Ok::<_, tokio_postgres::Error>(row.try_get::<_, i64>(at)?.unsigned_abs());
            Ok((workspace.into(), count(1)?, count(2)?))
        })
        .collect()
}

/// Returns the database's default settings for every session, as `name=value`.
pub(super) async fn settings(client: &Client) -> Result<Vec<String>> {
    let query = "SELECT unnest(s.setconfig) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
        WHERE d.datname = current_database() AND s.setrole = 0";
    let rows = client.query(query, &[]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
