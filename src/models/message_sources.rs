//! Table `message_sources`: passages that were retrieved for an answer.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::{DocumentChunkId, DocumentId, MessageId, MessageSourceId, WorkspaceId};
use crate::schema::message_sources;

/// A passage that was retrieved for an answer, as it was then. Its chunk and document may be gone.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize, Deserialize)]
#[diesel(table_name = message_sources)]
pub struct MessageSource {
    /// Identity within the workspace.
    pub id: MessageSourceId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The answer.
    pub message_id: MessageId,
    /// Position in the result of the search, from 1.
    pub rank: i32,
    /// The chunk.
    pub chunk_id: DocumentChunkId,
    /// The document.
    pub document_id: DocumentId,
    /// Title of the document.
    pub title: String,
    /// Id of the document in its datasource.
    pub external_id: Option<String>,
    /// SHA-256 of the chunk's text in hexadecimal.
    pub content_hash: String,
    /// Text that the model was shown; `None` if the passage was retrieved only.
    pub shown_text: Option<String>,
    /// Score in the search.
    pub score: f64,
    /// How the passage was found, such as `hybrid` or `bits`.
    pub method: String,
    /// Number by which the answer cites the passage; `None` if it does not.
    pub citation: Option<i32>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `message_sources` to insert. It has no workspace: the statement supplies it.
///
/// `SearchResults::sources` makes the rows of a search.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = message_sources)]
pub struct NewMessageSource {
    /// Identity within the workspace.
    pub id: MessageSourceId,
    /// The answer.
    pub message_id: MessageId,
    /// Position in the result of the search, from 1.
    pub rank: i32,
    /// The chunk.
    pub chunk_id: DocumentChunkId,
    /// The document.
    pub document_id: DocumentId,
    /// Title of the document.
    pub title: String,
    /// Id of the document in its datasource.
    pub external_id: Option<String>,
    /// SHA-256 of the chunk's text in hexadecimal.
    pub content_hash: String,
    /// Text that the model was shown; `None` if the passage was retrieved only.
    pub shown_text: Option<String>,
    /// Score in the search.
    pub score: f64,
    /// How the passage was found, such as `hybrid` or `bits`.
    pub method: String,
    /// Number by which the answer cites the passage; `None` if it does not.
    pub citation: Option<i32>,
}

impl NewMessageSource {
    /// Returns a row for a passage with this text, which the model was not shown and the answer does not cite.
    #[must_use]
    pub fn new(
        message_id: MessageId,
        rank: i32,
        chunk_id: DocumentChunkId,
        document_id: DocumentId,
        content: &str,
    ) -> Self {
        Self {
            id: MessageSourceId::generate(),
            message_id,
            rank,
            chunk_id,
            document_id,
            title: String::new(),
            external_id: None,
            content_hash: base16ct::lower::encode_string(&Sha256::digest(content)),
            shown_text: None,
            score: 0.0,
            method: "unknown".to_owned(),
            citation: None,
        }
    }
}

/// Changes to a row of `message_sources`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = message_sources)]
pub struct MessageSourceChanges {
    /// Text that the model was shown.
    pub shown_text: Option<Option<String>>,
    /// Number by which the answer cites the passage.
    pub citation: Option<Option<i32>>,
}

crate::tenant_rows! {
    message_sources: NewMessageSource, MessageSourceChanges;
}
