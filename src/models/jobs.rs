//! Table `jobs`: work to be done in the background, each for one workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{JobId, WorkspaceId};
use crate::schema::jobs;
use crate::sql_types::{JobStatus, JobUniqueness};

/// Work to be done in the background, without the token of its lease, which nobody has but the worker.
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
    /// The queue that it waits in.
    pub queue: String,
    /// What no other job of this kind may have in this workspace, for as long as uniqueness says.
    pub unique_key: Option<String>,
    /// For how long unique_key is taken.
    pub uniqueness: Option<JobUniqueness>,
    /// Until when the worker has the job, unless a heartbeat comes.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Time of the claim or of the last heartbeat.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// Name of the worker that has it.
    pub leased_by: Option<String>,
    /// Time at which the worker was asked to stop.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Time of cancellation.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// What the handler returned.
    pub result: Option<Value>,
    /// Every failure: a list of {attempt, at, error}.
    pub errors: Value,
}

/// A row of `jobs` to insert, where nothing is asked for but that it is there.
#[cfg(feature = "testing")]
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = jobs)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) job_type: String,
}
