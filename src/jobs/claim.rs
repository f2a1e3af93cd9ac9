//! Claims: a worker takes due jobs for the time of a lease.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::kind::{JobKind, from_payload};
use super::lease::{Lease, check};
use super::outcome::{Outcome, finish};
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::models::Job;
use crate::schema::jobs;
use crate::sql_types::interval;
use crate::tenancy::{Database, FunctionCall, WorkspaceScope};
use crate::unreadable::{Readable, UnreadableRow};

/// Parameters of a claim.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Queue to claim from.
    pub queue: String,
    /// Name of the worker, shown in the table.
    pub worker: String,
    /// Maximum number of jobs, which one statement claims.
    pub limit: usize,
    /// Duration of the lease, unless a heartbeat extends it.
    pub lease: Duration,
    /// Workspace that had the last turn; `None` starts with the first workspace.
    pub after: Option<WorkspaceId>,
    /// Kinds to claim, each with its maximum number of running jobs in one workspace, over all workers; see
    /// [`JobKind::MAX_RUNNING_PER_WORKSPACE`]. Jobs of other kinds wait for a worker that handles them.
    pub kinds: Vec<(String, Option<u32>)>,
}

impl ClaimRequest {
    /// Creates a request for at most `limit` jobs of a queue, with a lease of 30 s and no kinds yet.
    #[must_use]
    pub fn new(queue: impl Into<String>, worker: impl Into<String>, limit: usize) -> Self {
        let (queue, worker, lease) = (queue.into(), worker.into(), Duration::from_secs(30));
        Self { queue, worker, limit, lease, after: None, kinds: Vec::new() }
    }

    /// Adds a kind.
    #[must_use]
    pub fn kind<K: JobKind>(mut self) -> Self {
        self.kinds.push((K::NAME.to_owned(), K::MAX_RUNNING_PER_WORKSPACE));
        self
    }

    /// Gives the next turn to the workspace that follows the claimed jobs.
    ///
    /// The last turn belongs to the workspaces with the largest share, in the order that starts after the last claim's
    /// workspace. If a claim ends in the middle of a round, the other workspaces come next.
    pub fn advance(&mut self, claimed: &[ClaimedJob]) {
        let mut shares = HashMap::new();
        for claimed in claimed {
            *shares.entry(claimed.job.workspace_id).or_insert(0_usize) += 1;
        }
        let before = self.after;
        let last = shares.into_iter().max_by_key(|(workspace, share)| (*share, Some(*workspace) <= before, *workspace));
        self.after = last.map(|(workspace, _)| workspace).or(before);
    }
}

/// Job that this process has leased.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Row of the job as of its claim.
    pub job: Job,
    lease: Lease,
    scope: WorkspaceScope,
}

impl ClaimedJob {
    /// Returns the lease of the job.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Returns the scope of the job's workspace. It is valid as long as the lease: no transaction of this scope commits
    /// after the lease ends.
    #[must_use]
    pub fn scope(&self) -> &WorkspaceScope {
        &self.scope
    }

    /// Returns the arguments of the job.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](crate::Error::is_invalid_input) if they do not match this kind.
    pub fn arguments<K: JobKind>(&self) -> Result<K> {
        from_payload(&self.job.payload)
    }
}

/// Positions from which a claim resumes, as columns for the function in the database. Without any, a claim scans the
/// whole queue.
#[derive(Default)]
pub(super) struct CursorColumns {
    pub(super) workspaces: Vec<Uuid>,
    pub(super) kinds: Vec<String>,
    pub(super) priorities: Vec<i32>,
    pub(super) times: Vec<DateTime<Utc>>,
    pub(super) jobs: Vec<Uuid>,
}

/// Leases due jobs of a queue to a worker, limited to the requested kinds, and returns them in no particular order.
///
/// Workspaces take turns. Each workspace with due jobs gets an equal share, and unused shares go to the others. Within
/// a workspace, the smallest priority comes first, then the oldest job. Limits apply to all workers together, even if
/// one of them crashes. An empty result means that no job could be claimed. Jobs of archived workspaces wait.
///
/// # Errors
///
/// [`is_invalid_input`](crate::Error::is_invalid_input) for a lease of more than [a day](super::MAX_LEASE);
/// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) without a platform login;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use workspace_db::jobs::{self, ClaimRequest, JobKind, Outcome};
/// use workspace_db::tenancy::Database;
///
/// #[derive(Serialize, Deserialize)]
/// struct Greet {}
/// impl JobKind for Greet {
///     const NAME: &'static str = "greet";
/// }
///
/// # async fn example(db: &Database) -> workspace_db::Result<()> {
/// let mut next = ClaimRequest::new("default", "worker-1", 10).kind::<Greet>();
/// let claimed = jobs::claim(db, &next).await?;
/// next.advance(&claimed);
/// for claimed in claimed {
///     let mut ws = db.workspace(claimed.scope()).await?;
///     // ... the work ...
///     # drop(&mut ws);
///     jobs::finish(db, [(claimed.lease(), Outcome::Done)]).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn claim(db: &Database, claim: &ClaimRequest) -> Result<Vec<ClaimedJob>> {
    claim_after_cursors(db, claim, CursorColumns::default()).await
}

/// Claims as [`claim`] does, but resumes from cursors, if any are given.
pub(super) async fn claim_after_cursors(
    db: &Database,
    claim: &ClaimRequest,
    mut cursors: CursorColumns,
) -> Result<Vec<ClaimedJob>> {
    check(claim.lease)?;
    loop {
        let (claimed, unreadable) = claim_once(db, claim, std::mem::take(&mut cursors)).await?;
        let is_last = !claimed.is_empty() || unreadable.is_empty();
        fail_unreadable(db, unreadable).await;
        // If no job was readable, readable jobs may follow the unreadable ones.
        if is_last {
            return Ok(claimed);
        }
    }
}

async fn claim_once(
    db: &Database,
    claim: &ClaimRequest,
    cursors: CursorColumns,
) -> Result<(Vec<ClaimedJob>, Vec<UnreadableRow>)> {
    // Read before the claim is sent, so that the local deadline is earlier than the lease that the server grants.
    let checked_at = Instant::now();
    let kinds: Vec<&str> = claim.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    let caps: Vec<Option<i32>> =
        claim.kinds.iter().map(|(_, cap)| cap.map(|cap| i32::try_from(cap).unwrap_or(i32::MAX))).collect();
    let arguments = (
        claim.queue.as_str().into_sql::<Text>(),
        claim.worker.as_str().into_sql::<Text>(),
        i32::try_from(claim.limit).unwrap_or(i32::MAX).into_sql::<Integer>(),
        interval(claim.lease).into_sql::<Interval>(),
        claim.after.map_or(Uuid::nil(), |workspace| *workspace.as_uuid()).into_sql::<SqlUuid>(),
        (&kinds).into_sql::<Array<Text>>(),
        (&caps).into_sql::<Array<Nullable<Integer>>>(),
        cursors.workspaces.into_sql::<Array<SqlUuid>>(),
        cursors.kinds.into_sql::<Array<Text>>(),
        cursors.priorities.into_sql::<Array<Integer>>(),
        cursors.times.into_sql::<Array<Timestamptz>>(),
        cursors.jobs.into_sql::<Array<SqlUuid>>(),
    );
    let columns = (Job::as_select(), jobs::lease_token);
    let call = FunctionCall::rows_of(jobs::table, "workspace_db_claim_jobs", columns, arguments);
    let rows: Vec<Readable<(Job, Option<Uuid>)>> = call.load_each_across(db).await?;
    let (mut claimed, mut dead) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match row {
            Ok((_, None)) => {}
            Ok((job, Some(token))) => {
                let lease = Lease { workspace: job.workspace_id, job: job.id, token };
                let scope = db.granted_to_write(lease.workspace, Arc::new(lease), checked_at);
                claimed.push(ClaimedJob { job, lease, scope });
            }
            Err(unreadable) => dead.push(unreadable),
        }
    }
    Ok((claimed, dead))
}

/// Marks unreadable jobs as failed, each with its reason, so that they do not block the queue.
async fn fail_unreadable(db: &Database, unreadable: Vec<UnreadableRow>) {
    if unreadable.is_empty() {
        return;
    }
    let mut ends = Vec::with_capacity(unreadable.len());
    for row in unreadable {
        tracing::error!(%row, "a job can't be read and is marked dead");
        if let (Some(workspace), Some(job), Some(token)) = (row.workspace(), row.id(), row.lease_token()) {
            let lease = Lease { workspace: workspace.into(), job: job.into(), token };
            let why = format!("the job can't be read: {}; correct the value and retry it, or cancel it", row.why());
            ends.push((lease, Outcome::dead(why)));
        }
    }
    if let Err(error) = finish(db, ends).await {
        tracing::warn!(%error, "failed to mark unreadable jobs dead; they stay leased until the leases expire");
    }
}
