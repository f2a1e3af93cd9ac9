//! Table `chunk_reembeddings`: vectors of the model that a workspace is being switched to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::id::{DocumentChunkId, WorkspaceId};
use crate::schema::chunk_reembeddings;
use crate::sql_types::Embedding;

/// A vector that waits to take the place of a passage's.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = chunk_reembeddings)]
pub struct ChunkReembedding {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The passage.
    pub chunk_id: DocumentChunkId,
    /// What made the vector.
    pub embedding_model: String,
    /// SHA-256 of the text that the vector was made of, in hexadecimal: a passage that has changed since needs another.
    pub content_hash: String,
    /// The embedding, 1536 dimensions.
    #[serde(skip)]
    pub vector: Embedding,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `chunk_reembeddings` to insert. The workspace is not in it: the statement supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = chunk_reembeddings)]
pub struct NewChunkReembedding {
    /// The passage.
    pub chunk_id: DocumentChunkId,
    /// What made the vector.
    pub embedding_model: String,
    /// SHA-256 of the text that the vector was made of, in hexadecimal.
    pub content_hash: String,
    /// The embedding, 1536 dimensions.
    pub vector: Embedding,
}

impl NewChunkReembedding {
    /// A vector of the passage's text as it is now.
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

/// What may change in a row of `chunk_reembeddings`; `None` leaves a column as it is.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = chunk_reembeddings)]
pub struct ChunkReembeddingChanges {
    /// What made the vector.
    pub embedding_model: Option<String>,
    /// SHA-256 of the text that the vector was made of, in hexadecimal.
    pub content_hash: Option<String>,
    /// The embedding, 1536 dimensions.
    pub vector: Option<Embedding>,
}

crate::tenant_rows! {
    chunk_reembeddings: NewChunkReembedding, ChunkReembeddingChanges;
}
