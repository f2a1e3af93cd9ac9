//! Claiming: due jobs go to a worker, for the time of a lease.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::cursors::CursorColumns;
use super::kind::{JobKind, from_payload};
use super::lease::{Lease, check, interval};
use super::outcome::{Outcome, finish};
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::models::Job;
use crate::schema::jobs;
use crate::tenancy::{Database, FunctionCall, WorkspaceScope};
use crate::unreadable::{Readable, UnreadableRow};

/// What to claim.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// From which queue.
    pub queue: String,
    /// Name of the worker, for those who look at the table.
    pub worker: String,
    /// At most so many, which one statement claims.
    pub most: usize,
    /// For how long, unless a heartbeat comes.
    pub lease: Duration,
    /// The workspace that had the last turn; `None` begins anew.
    pub after: Option<WorkspaceId>,
    /// Of which kinds, and how many of one run at once in one workspace, over all workers, see
    /// [`JobKind::MAX_RUNNING_PER_WORKSPACE`]. Jobs of other kinds wait for a worker that knows them.
    pub kinds: Vec<(String, Option<u32>)>,
}

impl ClaimRequest {
    /// At most so many of a queue, for a lease of 30 s, and as yet of no kind.
    #[must_use]
    pub fn new(queue: impl Into<String>, worker: impl Into<String>, most: usize) -> Self {
        let (queue, worker, lease) = (queue.into(), worker.into(), Duration::from_secs(30));
        Self { queue, worker, most, lease, after: None, kinds: Vec::new() }
    }

    /// Also of this kind.
    #[must_use]
    pub fn kind<K: JobKind>(mut self) -> Self {
        self.kinds.push((K::NAME.to_owned(), K::MAX_RUNNING_PER_WORKSPACE));
        self
    }

    /// Gives the next turn to whoever comes after what was claimed.
    ///
    /// The last turn, going round from that of the claim before, was of those who got the most: where a claim ends in the
    /// middle of a round, the others are still to have theirs.
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

/// A job that this process has the lease of.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Its row, as the claim left it.
    pub job: Job,
    lease: Lease,
    scope: WorkspaceScope,
}

impl ClaimedJob {
    /// What shows that this process has it.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// The scope of its workspace, for as long as the lease holds: no transaction that is entered with it is committed
    /// after.
    #[must_use]
    pub fn scope(&self) -> &WorkspaceScope {
        &self.scope
    }

    /// Its arguments.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](crate::Error::is_invalid_input) where they are not this kind's.
    pub fn arguments<K: JobKind>(&self) -> Result<K> {
        from_payload(&self.job.payload)
    }
}

/// Leases due jobs of a queue to a worker, of the kinds that it knows, and returns them in no order.
///
/// Workspaces take turns: each that has due jobs gets an equal share, what some leave goes to the others. Within a
/// workspace the smallest priority comes first, then the oldest. Caps hold over all claimers, whatever happens to them.
/// Where nothing comes back, nothing could be claimed. Jobs of archived workspaces wait.
///
/// # Errors
///
/// [`is_invalid_input`](crate::Error::is_invalid_input) for a lease of more than [a day](super::MAX_LEASE);
/// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) without a login of the platform;
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

/// As [`claim`], but from where cursors were left, if anything is there.
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
        // Else others may stand behind those that could not be read.
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
    // Read before the claim is sent, so that what is remembered ends sooner than what the server grants.
    let asked_at = Instant::now();
    let kinds: Vec<&str> = claim.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    let caps: Vec<Option<i32>> =
        claim.kinds.iter().map(|(_, cap)| cap.map(|cap| i32::try_from(cap).unwrap_or(i32::MAX))).collect();
    let arguments = (
        claim.queue.as_str().into_sql::<Text>(),
        claim.worker.as_str().into_sql::<Text>(),
        i32::try_from(claim.most).unwrap_or(i32::MAX).into_sql::<Integer>(),
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
                let scope = db.claimed(lease.workspace, lease.job, token, asked_at);
                claimed.push(ClaimedJob { job, lease, scope });
            }
            Err(unreadable) => dead.push(unreadable),
        }
    }
    Ok((claimed, dead))
}

/// Makes jobs dead that can't be read, each with the reason, so that they hold nobody up.
async fn fail_unreadable(db: &Database, unreadable: Vec<UnreadableRow>) {
    if unreadable.is_empty() {
        return;
    }
    let mut ends = Vec::with_capacity(unreadable.len());
    for row in unreadable {
        tracing::error!(%row, "a job can't be read, and is dead");
        if let (Some(workspace), Some(job), Some(token)) = (row.workspace(), row.id(), row.lease_token()) {
            let lease = Lease { workspace: workspace.into(), job: job.into(), token };
            let why = format!("the job can't be read: {}; correct the value and retry it, or cancel it", row.why());
            ends.push((lease, Outcome::dead(why)));
        }
    }
    if let Err(error) = finish(db, ends).await {
        tracing::warn!(%error, "jobs that can't be read are left to their leases");
    }
}
