//! Table `analytics_events`: events of a workspace; an event outlives its conversation.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{AnalyticsEventId, ConversationId, MessageId, WorkspaceId};
use crate::schema::analytics_events;

/// An event of a workspace.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = analytics_events)]
pub struct AnalyticsEvent {
    /// Identity within the workspace.
    pub id: AnalyticsEventId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The conversation; NULL after its deletion.
    pub conversation_id: Option<ConversationId>,
    /// The message; NULL after its deletion.
    pub message_id: Option<MessageId>,
    /// Kind of event.
    pub event_type: String,
    /// Id of the user in the embedding application.
    pub user_identifier: Option<String>,
    /// Part of the platform that reported it.
    pub source: Option<String>,
    /// Details of the event, as a JSON object.
    pub properties: Value,
    /// Time of the event.
    pub occurred_at: DateTime<Utc>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `analytics_events` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = analytics_events)]
pub struct NewAnalyticsEvent {
    /// Identity within the workspace.
    pub id: AnalyticsEventId,
    /// The conversation; NULL after its deletion.
    pub conversation_id: Option<ConversationId>,
    /// The message; NULL after its deletion.
    pub message_id: Option<MessageId>,
    /// Kind of event.
    pub event_type: String,
    /// Id of the user in the embedding application.
    pub user_identifier: Option<String>,
    /// Part of the platform that reported it.
    pub source: Option<String>,
    /// Details of the event, as a JSON object.
    pub properties: Option<Value>,
    /// Time of the event.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl NewAnalyticsEvent {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(event_type: impl Into<String>) -> Self {
        Self {
            id: AnalyticsEventId::generate(),
            event_type: event_type.into(),
            conversation_id: None,
            message_id: None,
            user_identifier: None,
            source: None,
            properties: None,
            occurred_at: None,
        }
    }
}

/// Changes to a row of `analytics_events`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset whose fields are all `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = analytics_events)]
pub struct AnalyticsEventChanges {
    /// Id of the user in the embedding application.
    pub user_identifier: Option<Option<String>>,
    /// Part of the platform that reported it.
    pub source: Option<Option<String>>,
    /// Details of the event, as a JSON object.
    pub properties: Option<Value>,
}

crate::tenant_rows! {
    analytics_events: NewAnalyticsEvent, AnalyticsEventChanges;
}
