//! Table `document_chunks`: passages of documents with their embeddings.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{DocumentChunkId, DocumentId, WorkspaceId};
use crate::schema::document_chunks;
use crate::sql_types::{Embedding, LanguageTag};

/// A passage of a document with its embedding.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = document_chunks)]
pub struct DocumentChunk {
    /// Identity within the workspace.
    pub id: DocumentChunkId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The document.
    pub document_id: DocumentId,
    /// Place in the document, from 0.
    pub chunk_index: i32,
    /// The passage.
    pub content: String,
    /// Length of the passage in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// What made the vector; vectors of two models can't be compared.
    pub embedding_model: String,
    /// The embedding, 1536 dimensions.
    #[serde(skip)]
    pub vector: Embedding,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// BCP 47 language of the passage, which decides how its words are stemmed; without one they are taken as they are.
    pub language: Option<LanguageTag>,
}

/// A row of `document_chunks` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = document_chunks)]
pub struct NewDocumentChunk {
    /// Identity within the workspace.
    pub id: DocumentChunkId,
    /// The document.
    pub document_id: DocumentId,
    /// Place in the document, from 0.
    pub chunk_index: i32,
    /// The passage.
    pub content: String,
    /// Length of the passage in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// What made the vector; vectors of two models can't be compared.
    pub embedding_model: String,
    /// The embedding, 1536 dimensions.
    pub vector: Embedding,
    /// BCP 47 language of the passage, which decides how its words are stemmed; without one they are taken as they are.
    pub language: Option<LanguageTag>,
}

impl NewDocumentChunk {
    /// What is needed; everything else has its default, and the id is fresh.
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
        }
    }
}

/// What may change in a row of `document_chunks`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = document_chunks)]
pub struct DocumentChunkChanges {
    /// The passage.
    pub content: Option<String>,
    /// Length of the passage in tokens of cl100k_base.
    pub token_count: Option<Option<i32>>,
    /// What made the vector; vectors of two models can't be compared.
    pub embedding_model: Option<String>,
    /// The embedding, 1536 dimensions.
    pub vector: Option<Embedding>,
    /// BCP 47 language of the passage, which decides how its words are stemmed; without one they are taken as they are.
    pub language: Option<Option<LanguageTag>>,
}

crate::tenant_rows! {
    document_chunks: NewDocumentChunk, DocumentChunkChanges;
}
