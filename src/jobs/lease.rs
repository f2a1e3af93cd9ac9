//! Leases of jobs: heartbeats extend them, and they expire without.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Interval, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::{JobId, WorkspaceId};
use crate::sql_types::{JobStatus, interval};
use crate::tenancy::{Database, FunctionCall};

/// Maximum duration of a lease. If a worker dies, its job waits up to this long for another worker.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Proof that a worker has a job. Every change to the job must match it, and no other worker can claim the job while it
/// is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(super) workspace: WorkspaceId,
    pub(super) job: JobId,
    pub(super) token: Uuid,
}

impl Lease {
    /// Returns the workspace of the job.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Returns the id of the job.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.job
    }

    pub(super) fn token(&self) -> Uuid {
        self.token
    }
}

/// Result of a heartbeat for one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// The lease was extended.
    Held,
    /// The lease was extended, and cancellation of the job was requested.
    CancelRequested,
    /// Another statement has locked the row; repeat the heartbeat before the lease ends.
    Busy,
    /// The lease is over: PostgreSQL rejects further changes for the job.
    Lost,
}

/// Extends the valid leases, counted from now, and returns the status of each lease.
///
/// # Errors
///
/// Same as [`claim`](super::claim()).
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

/// Job whose lease has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescuedJob {
    /// Workspace of the job.
    pub workspace: WorkspaceId,
    /// Id of the job.
    pub job: JobId,
    /// Queue of the job.
    pub queue: String,
    /// Kind of the job.
    pub kind: String,
    /// New status: queued; failed after the last attempt; cancelled if cancellation was requested.
    pub status: JobStatus,
}

/// Requeues at most `limit` jobs with expired leases, in all workspaces. [`Worker`](super::Worker) does so once per
/// second.
///
/// # Errors
///
/// Same as [`claim`](super::claim()).
pub async fn rescue(db: &Database, limit: usize) -> Result<Vec<RescuedJob>> {
    type Columns = (SqlUuid, SqlUuid, Text, Text, JobStatus);
    let arguments = (i32::try_from(limit).unwrap_or(i32::MAX).into_sql::<Integer>(),);
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

/// Splits leases into columns, for the functions of the database.
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
    Err(Error::invalid(format!(
        "a lease of {lease:?} is too long: after a crash of the worker, its jobs would wait for the end of the lease"
    ))
    .remedy("set it to at most one day; heartbeats extend it"))
}
