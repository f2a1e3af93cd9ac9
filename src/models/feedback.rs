//! Table `feedback`: judgements of messages, at most one each.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{AdminUserId, FeedbackId, MessageId, WorkspaceId};
use crate::schema::feedback;

/// A judgement of a message.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = feedback)]
pub struct Feedback {
    /// Identity within the workspace.
    pub id: FeedbackId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The message that is judged.
    pub message_id: MessageId,
    /// The administrator who judged, NULL for a visitor.
    pub admin_user_id: Option<AdminUserId>,
    /// Bad -1, neither 0, good 1.
    pub score: i16,
    /// Kind of fault or merit.
    pub label: Option<String>,
    /// The judge's own words.
    pub comment: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `feedback` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = feedback)]
pub struct NewFeedback {
    /// Identity within the workspace.
    pub id: FeedbackId,
    /// The message that is judged.
    pub message_id: MessageId,
    /// The administrator who judged, NULL for a visitor.
    pub admin_user_id: Option<AdminUserId>,
    /// Bad -1, neither 0, good 1.
    pub score: i16,
    /// Kind of fault or merit.
    pub label: Option<String>,
    /// The judge's own words.
    pub comment: Option<String>,
}

impl NewFeedback {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(message_id: MessageId, score: i16) -> Self {
        Self { id: FeedbackId::generate(), message_id, score, admin_user_id: None, label: None, comment: None }
    }
}

/// What may change in a row of `feedback`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = feedback)]
pub struct FeedbackChanges {
    /// The administrator who judged, NULL for a visitor.
    pub admin_user_id: Option<Option<AdminUserId>>,
    /// Bad -1, neither 0, good 1.
    pub score: Option<i16>,
    /// Kind of fault or merit.
    pub label: Option<Option<String>>,
    /// The judge's own words.
    pub comment: Option<Option<String>>,
}

crate::tenant_rows! {
    feedback: NewFeedback, FeedbackChanges;
}
