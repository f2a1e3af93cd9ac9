//! Table `job_queues`: settings of queues.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::schema::job_queues;

/// Settings of a queue; a queue without a row is neither paused nor capped.
#[derive(Clone, Debug, PartialEq, Eq, HasQuery, Serialize)]
#[diesel(table_name = job_queues)]
pub struct JobQueue {
    /// Name of the queue.
    pub name: String,
    /// Time from which no job is claimed.
    pub paused_at: Option<DateTime<Utc>>,
    /// Maximum number of jobs of one workspace that run at once, over all workers.
    pub max_running_per_workspace: Option<i32>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}
