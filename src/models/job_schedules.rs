//! Table `job_schedules`: jobs that are enqueued again and again, by the calendar.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{JobScheduleId, WorkspaceId};
use crate::schema::job_schedules;

/// Jobs that are enqueued again and again, by the calendar.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = job_schedules)]
pub struct JobSchedule {
    /// Identity within the workspace.
    pub id: JobScheduleId,
    /// The workspace that the jobs are for.
    pub workspace_id: WorkspaceId,
    /// What it is known by in the workspace.
    pub name: String,
    /// When it fires, as five fields of cron, or six with seconds first.
    pub cron: String,
    /// Time zone of those fields, by its name in the IANA database.
    pub time_zone: String,
    /// Kind of the jobs.
    pub job_type: String,
    /// Queue of the jobs.
    pub queue: String,
    /// Arguments of the jobs, as a JSON object.
    pub payload: Value,
    /// Priority of the jobs.
    pub priority: i32,
    /// How often each may be started.
    pub max_attempts: i32,
    /// The next occurrence, which is the first that has no job yet; NULL where there is none.
    pub next_at: Option<DateTime<Utc>>,
    /// Time at which the last occurrence got its job.
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
