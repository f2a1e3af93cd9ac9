//! Table `conversations`: conversations between a visitor and the assistant of a workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ConversationId, MessageId, WorkspaceId};
use crate::schema::conversations;
use crate::sql_types::{ConversationSpeaker, ConversationStatus, StatementTime};

/// A conversation between a visitor and the assistant.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize, Deserialize)]
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
    /// Number of the last message; 0 before the first.
    pub last_seq: i64,
    /// Last message of the active branch. It may be gone; `conversations::history` checks it.
    pub head_id: Option<MessageId>,
    /// Who answers the visitor.
    pub speaker: ConversationSpeaker,
    /// Number of the last message when a person was asked for or took over; an answer that was begun before is withheld.
    pub hand_over_seq: i64,
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
///
/// `conversations::change_status` changes the status and the speaker, and `conversations::append` the times.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = conversations)]
pub struct ConversationChanges {
    /// Id of the visitor in the embedding application.
    pub external_user_id: Option<Option<String>>,
    /// Title for people.
    pub title: Option<Option<String>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    conversations: NewConversation, ConversationChanges;
}
