//! Table `jobs`: work to be done in the background, each for one workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{JobId, WorkspaceId};
use crate::schema::jobs;
use crate::sql_types::{JobStatus, StatementTime};

/// Work to be done in the background.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = jobs)]
pub struct Job {
    /// Identity within the workspace.
    pub id: JobId,
    /// The workspace that the work is for.
    pub workspace_id: WorkspaceId,
    /// Kind of work.
    pub job_type: String,
    /// State.
    pub status: JobStatus,
    /// Arguments, as a JSON object.
    pub payload: Value,
    /// How often it was started.
    pub attempts: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// Order among those that are due, the smallest first.
    pub priority: i32,
    /// Earliest time to start.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Time of the last start.
    pub started_at: Option<DateTime<Utc>>,
    /// Time of completion.
    pub completed_at: Option<DateTime<Utc>>,
    /// Time of the last failure.
    pub failed_at: Option<DateTime<Utc>>,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `jobs` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = jobs)]
pub struct NewJob {
    /// Identity within the workspace.
    pub id: JobId,
    /// Kind of work.
    pub job_type: String,
    /// State.
    pub status: Option<JobStatus>,
    /// Arguments, as a JSON object.
    pub payload: Option<Value>,
    /// How often it was started.
    pub attempts: Option<i32>,
    /// How often it may be started.
    pub max_attempts: Option<i32>,
    /// Order among those that are due, the smallest first.
    pub priority: Option<i32>,
    /// Earliest time to start.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Time of the last start.
    pub started_at: Option<DateTime<Utc>>,
    /// Time of completion.
    pub completed_at: Option<DateTime<Utc>>,
    /// Time of the last failure.
    pub failed_at: Option<DateTime<Utc>>,
    /// What the last failure said.
    pub last_error: Option<String>,
}

impl NewJob {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(job_type: impl Into<String>) -> Self {
        Self {
            id: JobId::generate(),
            job_type: job_type.into(),
            status: None,
            payload: None,
            attempts: None,
            max_attempts: None,
            priority: None,
            scheduled_at: None,
            started_at: None,
            completed_at: None,
            failed_at: None,
            last_error: None,
        }
    }
}

/// What may change in a row of `jobs`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = jobs)]
pub struct JobChanges {
    /// State.
    pub status: Option<JobStatus>,
    /// Arguments, as a JSON object.
    pub payload: Option<Value>,
    /// How often it was started.
    pub attempts: Option<i32>,
    /// How often it may be started.
    pub max_attempts: Option<i32>,
    /// Order among those that are due, the smallest first.
    pub priority: Option<i32>,
    /// Earliest time to start.
    pub scheduled_at: Option<Option<DateTime<Utc>>>,
    /// Time of the last start.
    pub started_at: Option<Option<DateTime<Utc>>>,
    /// Time of completion.
    pub completed_at: Option<Option<DateTime<Utc>>>,
    /// Time of the last failure.
    pub failed_at: Option<Option<DateTime<Utc>>>,
    /// What the last failure said.
    pub last_error: Option<Option<String>>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    jobs: NewJob, JobChanges;
}
