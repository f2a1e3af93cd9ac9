//! Table `message_deltas`: pieces of answers that are being made.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{MessageId, WorkspaceId};
use crate::schema::message_deltas;

/// A piece of an answer that is being made. The end of the answer joins its pieces, and deletes them.
#[derive(Clone, Debug, PartialEq, Eq, HasQuery, Serialize)]
#[diesel(table_name = message_deltas)]
pub struct MessageDelta {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The answer.
    pub message_id: MessageId,
    /// Number of bytes of the answer before the piece.
    pub position: i64,
    /// Text of the piece.
    pub content: String,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}
