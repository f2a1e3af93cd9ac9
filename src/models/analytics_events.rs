//! Table `analytics_events`: what happened in a workspace; outlives the conversation it happened in.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{AnalyticsEventId, ConversationId, MessageId, WorkspaceId};
use crate::schema::analytics_events;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = analytics_events)]
pub struct AnalyticsEvent {
    /// Identity within the workspace.
    pub id: AnalyticsEventId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The conversation, NULL once it is deleted.
    pub conversation_id: Option<ConversationId>,
    /// The message, NULL once it is deleted.
    pub message_id: Option<MessageId>,
    /// Kind of event.
    pub event_type: String,
    /// Who, as the embedding application knows them.
    pub user_identifier: Option<String>,
    /// Which part of the platform reported it.
    pub source: Option<String>,
    /// Details of the event, as a JSON object.
    pub properties: Value,
    /// Time at which it happened.
    pub occurred_at: DateTime<Utc>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `analytics_events` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = analytics_events)]
pub struct NewAnalyticsEvent {
    /// Identity within the workspace.
    pub id: AnalyticsEventId,
    /// The conversation, NULL once it is deleted.
    pub conversation_id: Option<ConversationId>,
    /// The message, NULL once it is deleted.
    pub message_id: Option<MessageId>,
    /// Kind of event.
    pub event_type: String,
    /// Who, as the embedding application knows them.
    pub user_identifier: Option<String>,
    /// Which part of the platform reported it.
    pub source: Option<String>,
    /// Details of the event, as a JSON object.
    pub properties: Option<Value>,
    /// Time at which it happened.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl NewAnalyticsEvent {
    /// What is needed; everything else has its default, and the id is fresh.
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

/// What may change in a row of `analytics_events`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = analytics_events)]
pub struct AnalyticsEventChanges {
    /// Who, as the embedding application knows them.
    pub user_identifier: Option<Option<String>>,
    /// Which part of the platform reported it.
    pub source: Option<Option<String>>,
    /// Details of the event, as a JSON object.
    pub properties: Option<Value>,
}

crate::tenant_rows! {
    analytics_events: NewAnalyticsEvent, AnalyticsEventChanges;
}
