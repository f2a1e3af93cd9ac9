//! Table `job_schedules`: schedules by which jobs are enqueued repeatedly.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{JobScheduleId, WorkspaceId};
use crate::schema::job_schedules;

/// A schedule by which jobs are enqueued repeatedly.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = job_schedules)]
pub struct JobSchedule {
    /// Identity within the workspace.
    pub id: JobScheduleId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Name, unique in the workspace.
    pub name: String,
    /// Cron expression of five fields, or six with seconds first.
    pub cron: String,
    /// Time zone of the expression, a name of the IANA database.
    pub time_zone: String,
    /// Kind of the jobs.
    pub job_type: String,
    /// Queue of the jobs.
    pub queue: String,
    /// Arguments of the jobs, as a JSON object.
    pub payload: Value,
    /// Priority of the jobs.
    pub priority: i32,
    /// Maximum number of attempts of each job.
    pub max_attempts: i32,
    /// The next occurrence, the first without a job; NULL if there is none.
    pub next_at: Option<DateTime<Utc>>,
    /// Time at which the last occurrence was enqueued.
    pub fired_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `job_schedules` to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = job_schedules)]
pub(crate) struct NewJobSchedule {
    pub(crate) id: JobScheduleId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) time_zone: String,
    pub(crate) job_type: String,
    pub(crate) queue: String,
    pub(crate) payload: Value,
    pub(crate) priority: i32,
    pub(crate) max_attempts: i32,
    pub(crate) next_at: Option<DateTime<Utc>>,
}
