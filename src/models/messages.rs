//! Table `messages`: messages of conversations.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::id::{ConversationId, MessageId, WorkspaceId};
use crate::schema::messages;
use crate::sql_types::{LanguageTag, MessageRole, MessageState};

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize, Deserialize)]
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
    /// Position in the conversation, from 1. `None` for a row that was inserted as a [`NewMessage`], until the next
    /// append numbers it: it follows those with a number, in the order of `created_at` and `id`.
    pub seq: Option<i64>,
    /// The message that this one follows.
    pub parent_id: Option<MessageId>,
    /// Id that the sender gave the message.
    pub client_id: Option<String>,
    /// Language of the text, which selects the stemmer of a search; `None` for no stemming.
    #[serde(default)]
    pub language: Option<LanguageTag>,
    /// State.
    pub state: MessageState,
    /// True if a person wrote the answer.
    pub by_human: bool,
    /// True if the confidence was below [`review_threshold`](Self::review_threshold) when the message was stored.
    pub needs_review: bool,
    /// The workspace's `confidence_threshold` when the message was stored; `None` without a confidence.
    pub review_threshold: Option<f64>,
    /// Token of the lease with which a program makes the answer.
    #[serde(skip)]
    pub lease_token: Option<Uuid>,
    /// End of the lease; an answer whose lease is over is interrupted.
    pub lease_expires_at: Option<DateTime<Utc>>,
}

/// A row of `messages` to insert. It has no workspace: the statement supplies it.
///
/// For rows that another system has made. `conversations::append` is for a message that is written now: it numbers the message and
/// keeps the columns of its conversation.
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
    /// Language of the text, which selects the stemmer of a search.
    pub language: Option<LanguageTag>,
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
            language: None,
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
    /// Language of the text.
    pub language: Option<Option<LanguageTag>>,
}

crate::tenant_rows! {
    messages: NewMessage, MessageChanges;
}
