//! Table `document_chunks`: chunks (passages) of documents with their embeddings.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{DocumentChunkId, DocumentId, WorkspaceId};
use crate::schema::document_chunks;
use crate::sql_types::{Embedding, LanguageTag};

/// A chunk of a document with its embedding.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = document_chunks)]
pub struct DocumentChunk {
    /// Identity within the workspace.
    pub id: DocumentChunkId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The document.
    pub document_id: DocumentId,
    /// Position in the document, from 0.
    pub chunk_index: i32,
    /// Text of the chunk.
    pub content: String,
    /// Length in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// Model that made the vector; vectors of different models can't be compared.
    pub embedding_model: String,
    /// The embedding, 1536 dimensions.
    #[serde(skip)]
    pub vector: Embedding,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Language of the text, a BCP 47 tag, which selects the stemmer; NULL for no stemming.
    pub language: Option<LanguageTag>,
    /// Facts about the chunk, such as its page, which a search can filter by.
    pub metadata: Value,
}

/// A row of `document_chunks` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = document_chunks)]
pub struct NewDocumentChunk {
    /// Identity within the workspace.
    pub id: DocumentChunkId,
    /// The document.
    pub document_id: DocumentId,
    /// Position in the document, from 0.
    pub chunk_index: i32,
    /// Text of the chunk.
    pub content: String,
    /// Length in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// Model that made the vector; vectors of different models can't be compared.
    pub embedding_model: String,
    /// The embedding, 1536 dimensions.
    pub vector: Embedding,
    /// Language of the text, a BCP 47 tag, which selects the stemmer; NULL for no stemming.
    pub language: Option<LanguageTag>,
    /// Facts about the chunk, such as its page, which a search can filter by.
    pub metadata: Option<Value>,
}

impl NewDocumentChunk {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(
        document_id: DocumentId,
        chunk_index: i32,
        content: impl Into<String>,
        vector: Embedding,
        embedding_model: impl Into<String>,
    ) -> Self {
        Self {
            id: DocumentChunkId::generate(),
            document_id,
            chunk_index,
            content: content.into(),
            vector,
            embedding_model: embedding_model.into(),
            token_count: None,
            language: None,
            metadata: None,
        }
    }
}

/// Changes to a row of `document_chunks`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = document_chunks)]
pub struct DocumentChunkChanges {
    /// Text of the chunk.
    pub content: Option<String>,
    /// Length in tokens of cl100k_base.
    pub token_count: Option<Option<i32>>,
    /// Model that made the vector; vectors of different models can't be compared.
    pub embedding_model: Option<String>,
    /// The embedding, 1536 dimensions.
    pub vector: Option<Embedding>,
    /// Language of the text, a BCP 47 tag, which selects the stemmer; NULL for no stemming.
    pub language: Option<Option<LanguageTag>>,
    /// Facts about the chunk, such as its page, which a search can filter by.
    pub metadata: Option<Value>,
}

crate::tenant_rows! {
    document_chunks: NewDocumentChunk, DocumentChunkChanges;
}
