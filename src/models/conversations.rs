//! Table `conversations`: conversations between a visitor and the assistant of a workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{ConversationId, WorkspaceId};
use crate::schema::conversations;
use crate::sql_types::{ConversationStatus, StatementTime};

/// A conversation between a visitor and the assistant.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = conversations)]
pub struct Conversation {
    /// Identity within the workspace.
    pub id: ConversationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Id of the visitor in the embedding application.
    pub external_user_id: Option<String>,
    /// Title for people.
    pub title: Option<String>,
    /// State.
    pub status: ConversationStatus,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// Time of the first message.
    pub first_message_at: Option<DateTime<Utc>>,
    /// Time of the last message.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
    /// Time of closing.
    pub closed_at: Option<DateTime<Utc>>,
}

/// A row of `conversations` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = conversations)]
pub struct NewConversation {
    /// Identity within the workspace.
    pub id: ConversationId,
    /// Id of the visitor in the embedding application.
    pub external_user_id: Option<String>,
    /// Title for people.
    pub title: Option<String>,
    /// State.
    pub status: Option<ConversationStatus>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// Time of the first message.
    pub first_message_at: Option<DateTime<Utc>>,
    /// Time of the last message.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Time of closing.
    pub closed_at: Option<DateTime<Utc>>,
}

impl Default for NewConversation {
    fn default() -> Self {
        Self {
            id: ConversationId::generate(),
            external_user_id: None,
            title: None,
            status: None,
            metadata: None,
            first_message_at: None,
            last_message_at: None,
            closed_at: None,
        }
    }
}

/// Changes to a row of `conversations`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = conversations)]
pub struct ConversationChanges {
    /// Id of the visitor in the embedding application.
    pub external_user_id: Option<Option<String>>,
    /// Title for people.
    pub title: Option<Option<String>>,
    /// State.
    pub status: Option<ConversationStatus>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// Time of the first message.
    pub first_message_at: Option<Option<DateTime<Utc>>>,
    /// Time of the last message.
    pub last_message_at: Option<Option<DateTime<Utc>>>,
    /// Time of closing.
    pub closed_at: Option<Option<DateTime<Utc>>>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    conversations: NewConversation, ConversationChanges;
}
