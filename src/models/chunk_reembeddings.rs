//! Table `chunk_reembeddings`: vectors of the model to which a workspace is being switched.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::id::{DocumentChunkId, WorkspaceId};
use crate::schema::chunk_reembeddings;
use crate::sql_types::Embedding;

/// A vector of the new model, which replaces the vector of its chunk at the switch.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = chunk_reembeddings)]
pub struct ChunkReembedding {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The chunk.
    pub chunk_id: DocumentChunkId,
    /// Model that made the vector.
    pub embedding_model: String,
    /// SHA-256 of the embedded text in hexadecimal; a chunk that has changed since needs a new vector.
    pub content_hash: String,
    /// The embedding, 1536 dimensions.
    #[serde(skip)]
    pub vector: Embedding,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `chunk_reembeddings` to insert. It has no workspace: the statement supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = chunk_reembeddings)]
pub struct NewChunkReembedding {
    /// The chunk.
    pub chunk_id: DocumentChunkId,
    /// Model that made the vector.
    pub embedding_model: String,
    /// SHA-256 of the embedded text in hexadecimal; a chunk that has changed since needs a new vector.
    pub content_hash: String,
    /// The embedding, 1536 dimensions.
    pub vector: Embedding,
}

impl NewChunkReembedding {
    /// Returns a row for the chunk, with the hash of its current text.
    #[must_use]
    pub fn new(
        chunk_id: DocumentChunkId,
        content: &str,
        vector: Embedding,
        embedding_model: impl Into<String>,
    ) -> Self {
        let content_hash = base16ct::lower::encode_string(&Sha256::digest(content));
        Self { chunk_id, embedding_model: embedding_model.into(), content_hash, vector }
    }
}

/// Changes to a row of `chunk_reembeddings`; `None` leaves a column unchanged.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = chunk_reembeddings)]
pub struct ChunkReembeddingChanges {
    /// Model that made the vector.
    pub embedding_model: Option<String>,
    /// SHA-256 of the embedded text in hexadecimal; a chunk that has changed since needs a new vector.
    pub content_hash: Option<String>,
    /// The embedding, 1536 dimensions.
    pub vector: Option<Embedding>,
}

crate::tenant_rows! {
    chunk_reembeddings: NewChunkReembedding, ChunkReembeddingChanges;
}
