//! Leases of jobs: extended by heartbeats, and over where those stay out.

use std::collections::HashMap;
use std::time::Duration;

use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Interval, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::{JobId, WorkspaceId};
use crate::sql_types::JobStatus;
use crate::tenancy::{Database, FunctionCall};

/// The longest lease; a job whose worker dies is nobody's for so long.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// What shows that a worker has a job: whatever it does to the job has to match it, and while it holds, nobody else can
/// claim the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(super) workspace: WorkspaceId,
    pub(super) job: JobId,
    pub(super) token: Uuid,
}

impl Lease {
    /// The workspace of the job.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.job
    }

    pub(super) fn token(&self) -> Uuid {
        self.token
    }
}

/// What a heartbeat says of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// It has been extended.
    Held,
    /// It has been extended, and somebody wants the job cancelled.
    CancelRequested,
    /// Another statement has the row; ask again before the lease ends.
    Busy,
    /// It is over: whatever the worker still does for the job is refused.
    Lost,
}

/// Extends those leases that hold, from now, and says for each how it stands.
///
/// # Errors
///
/// As [`claim`](super::claim()).
pub async fn heartbeat(db: &Database, leases: &[Lease], length: Duration) -> Result<Vec<(Lease, LeaseStatus)>> {
    check(length)?;
    let (workspaces, ids, tokens) = columns_of(leases);
    let arguments = (
        (&workspaces).into_sql::<Array<SqlUuid>>(),
        (&ids).into_sql::<Array<SqlUuid>>(),
        (&tokens).into_sql::<Array<SqlUuid>>(),
        interval(length).into_sql::<Interval>(),
    );
    let call = FunctionCall::<_, _, (SqlUuid, Text)>::new("workspace_db_heartbeat_jobs", "asked, verdict", arguments);
    let pulses: HashMap<Uuid, String> = call.load_across(db).await?.into_iter().collect();
    let of = |lease: &Lease| match pulses.get(&lease.token).map(String::as_str) {
        Some("held") => LeaseStatus::Held,
        Some("stop") => LeaseStatus::CancelRequested,
        Some("busy") => LeaseStatus::Busy,
        _ => LeaseStatus::Lost,
    };
    Ok(leases.iter().map(|lease| (*lease, of(lease))).collect())
}

/// A job whose worker let its lease run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescuedJob {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The job.
    pub job: JobId,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// What it is now: queued, failed where that was its last attempt, cancelled where that was asked for.
    pub status: JobStatus,
}

/// Puts back at most so many jobs whose leases have run out, in every workspace; [`Worker`](super::Worker) does so each
/// second.
///
/// # Errors
///
/// As [`claim`](super::claim()).
pub async fn rescue(db: &Database, most: usize) -> Result<Vec<RescuedJob>> {
    type Columns = (SqlUuid, SqlUuid, Text, Text, JobStatus);
    let arguments = (i32::try_from(most).unwrap_or(i32::MAX).into_sql::<Integer>(),);
    let columns = "of_workspace, job, of_queue, kind, new_status";
    let call = FunctionCall::<_, _, Columns>::new("workspace_db_rescue_jobs", columns, arguments);
    let rescued: Vec<(WorkspaceId, JobId, String, String, JobStatus)> = call.load_across(db).await?;
    let rescued = rescued.into_iter().map(|(workspace, job, queue, kind, status)| RescuedJob {
        workspace,
        job,
        queue,
        kind,
        status,
    });
    Ok(rescued.collect())
}

/// The same leases, as the functions of the database take them.
pub(super) fn columns_of<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for lease in leases {
        columns.0.push(*lease.workspace.as_uuid());
        columns.1.push(*lease.job.as_uuid());
        columns.2.push(lease.token);
    }
    columns
}

pub(super) fn check(lease: Duration) -> Result<()> {
    if lease <= MAX_LEASE {
        return Ok(());
    }
    Err(Error::invalid(format!("a lease of {lease:?} outlives a worker that has died by far"))
        .remedy("give it at most a day; heartbeats extend it"))
}

pub(super) fn interval(length: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
}
