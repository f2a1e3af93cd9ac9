//! Table `jobs`: background jobs, each of one workspace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{JobId, WorkspaceId};
use crate::schema::jobs;
use crate::sql_types::{JobStatus, JobUniqueness};

/// A background job, without the token of its lease, which only its worker has.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = jobs)]
pub struct Job {
    /// Identity within the workspace.
    pub id: JobId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Kind of job.
    pub job_type: String,
    /// State.
    pub status: JobStatus,
    /// Arguments, as a JSON object.
    pub payload: Value,
    /// Number of attempts so far.
    pub attempts: i32,
    /// Maximum number of attempts.
    pub max_attempts: i32,
    /// Order among due jobs, the smallest first.
    pub priority: i32,
    /// Earliest start.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Time of the last start.
    pub started_at: Option<DateTime<Utc>>,
    /// Time of completion.
    pub completed_at: Option<DateTime<Utc>>,
    /// Time of the last failure.
    pub failed_at: Option<DateTime<Utc>>,
    /// Error of the last failure.
    pub last_error: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
    /// Queue of the job.
    pub queue: String,
    /// Key that no other job of this kind in the workspace may have, in the states of uniqueness.
    pub unique_key: Option<String>,
    /// States in which the job reserves unique_key.
    pub uniqueness: Option<JobUniqueness>,
    /// End of the lease, unless a heartbeat extends it.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Time of the claim or of the last heartbeat.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// Name of the worker that runs it.
    pub leased_by: Option<String>,
    /// Time of the request to cancel it.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Time of cancellation.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Value that the handler returned.
    pub result: Option<Value>,
    /// All failures: a list of {attempt, at, error}.
    pub errors: Value,
}
