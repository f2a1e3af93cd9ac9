//! Table `messages`: messages of conversations.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{ConversationId, MessageId, WorkspaceId};
use crate::schema::messages;
use crate::sql_types::MessageRole;

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = messages)]
pub struct Message {
    /// Identity within the workspace.
    pub id: MessageId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Author.
    pub role: MessageRole,
    /// Text.
    pub content: String,
    /// Length in tokens of the model.
    pub tokens: Option<i32>,
    /// Confidence of the assistant, 0 to 1.
    pub confidence: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `messages` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = messages)]
pub struct NewMessage {
    /// Identity within the workspace.
    pub id: MessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Author.
    pub role: MessageRole,
    /// Text.
    pub content: String,
    /// Length in tokens of the model.
    pub tokens: Option<i32>,
    /// Confidence of the assistant, 0 to 1.
    pub confidence: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
}

impl NewMessage {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
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

/// Changes to a row of `messages`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = messages)]
pub struct MessageChanges {
    /// Text.
    pub content: Option<String>,
    /// Length in tokens of the model.
    pub tokens: Option<Option<i32>>,
    /// Confidence of the assistant, 0 to 1.
    pub confidence: Option<Option<f64>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
}

crate::tenant_rows! {
    messages: NewMessage, MessageChanges;
}
