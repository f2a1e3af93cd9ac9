//! Table `messages`: what was said in a conversation.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{ConversationId, MessageId, WorkspaceId};
use crate::schema::messages;
use crate::sql_types::MessageRole;

/// One utterance of a conversation.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = messages)]
pub struct Message {
    /// Identity within the workspace.
    pub id: MessageId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who speaks.
    pub role: MessageRole,
    /// The words.
    pub content: String,
    /// Length in tokens of the model that read or wrote it.
    pub tokens: Option<i32>,
    /// How sure the assistant was, 0 to 1.
    pub confidence: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `messages` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = messages)]
pub struct NewMessage {
    /// Identity within the workspace.
    pub id: MessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who speaks.
    pub role: MessageRole,
    /// The words.
    pub content: String,
    /// Length in tokens of the model that read or wrote it.
    pub tokens: Option<i32>,
    /// How sure the assistant was, 0 to 1.
    pub confidence: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
}

impl NewMessage {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(conversation_id: ConversationId, role: MessageRole, content: impl Into<String>) -> Self {
        Self {
            id: MessageId::generate(),
            conversation_id,
            role,
            content: content.into(),
            tokens: None,
            confidence: None,
            metadata: None,
        }
    }
}

/// What may change in a row of `messages`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = messages)]
pub struct MessageChanges {
    /// The words.
    pub content: Option<String>,
    /// Length in tokens of the model that read or wrote it.
    pub tokens: Option<Option<i32>>,
    /// How sure the assistant was, 0 to 1.
    pub confidence: Option<Option<f64>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
}

crate::tenant_rows! {
    messages: NewMessage, MessageChanges;
}
