//! Table `feedback`: ratings of messages, at most one by a visitor and one by a reviewer.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::id::{AdminUserId, FeedbackId, MessageId, WorkspaceId};
use crate::schema::feedback;
use crate::sql_types::{FeedbackJudge, StatementTime};

/// A rating of a message.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize, Deserialize)]
#[diesel(table_name = feedback)]
pub struct Feedback {
    /// Identity within the workspace.
    pub id: FeedbackId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The rated message.
    pub message_id: MessageId,
    /// The administrator who rated it; NULL for a visitor.
    pub admin_user_id: Option<AdminUserId>,
    /// Rating: -1 bad, 0 neutral, 1 good.
    pub score: i16,
    /// Category of the rating.
    pub label: Option<String>,
    /// Comment in free text.
    pub comment: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Who rated it.
    pub judge: FeedbackJudge,
    /// What the answer should have been.
    pub better_answer: Option<String>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// A row of `feedback` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = feedback)]
pub struct NewFeedback {
    /// Identity within the workspace.
    pub id: FeedbackId,
    /// The rated message.
    pub message_id: MessageId,
    /// The administrator who rated it; NULL for a visitor.
    pub admin_user_id: Option<AdminUserId>,
    /// Rating: -1 bad, 0 neutral, 1 good.
    pub score: i16,
    /// Category of the rating.
    pub label: Option<String>,
    /// Comment in free text.
    pub comment: Option<String>,
    /// Who rates it; a visitor by default.
    pub judge: Option<FeedbackJudge>,
    /// What the answer should have been.
    pub better_answer: Option<String>,
}

impl NewFeedback {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(message_id: MessageId, score: i16) -> Self {
        Self {
            id: FeedbackId::generate(),
            message_id,
            score,
            admin_user_id: None,
            label: None,
            comment: None,
            judge: None,
            better_answer: None,
        }
    }
}

/// Changes to a row of `feedback`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = feedback)]
pub struct FeedbackChanges {
    /// The administrator who rated it; NULL for a visitor.
    pub admin_user_id: Option<Option<AdminUserId>>,
    /// Rating: -1 bad, 0 neutral, 1 good.
    pub score: Option<i16>,
    /// Category of the rating.
    pub label: Option<Option<String>>,
    /// Comment in free text.
    pub comment: Option<Option<String>>,
    /// What the answer should have been.
    pub better_answer: Option<Option<String>>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    feedback: NewFeedback, FeedbackChanges;
}
