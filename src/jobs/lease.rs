//! Jobs in a worker's hands: claimed for a time, extended by heartbeats, rescued where those stay out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::kind::{JobKind, from_payload};
use super::lanes::Columns;
use crate::error::{Error, Result};
use crate::id::{JobId, WorkspaceId};
use crate::models::Job;
use crate::schema::jobs;
use crate::sql_types::JobStatus;
use crate::tenancy::{Call, Database, WorkspaceScope};

/// The longest lease; a job whose worker dies is nobody's for so long.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// What to claim.
#[derive(Clone, Debug)]
pub struct Claim {
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

impl Claim {
    /// At most so many of a queue, for a lease of 30 s, and as yet of no kind.
    #[must_use]
    pub fn new(queue: impl Into<String>, worker: impl Into<String>, most: usize) -> Self {
        let (queue, worker, lease) = (queue.into(), worker.into(), Duration::from_secs(30));
        Self { queue, worker, most, lease, after: None, kinds: Vec::new() }
    }

    /// Also of this kind.
    #[must_use]
    pub fn of<K: JobKind>(mut self) -> Self {
        self.kinds.push((K::NAME.to_owned(), K::MAX_RUNNING_PER_WORKSPACE));
        self
    }

    /// Gives the next turn to whoever comes after what was claimed.
    ///
    /// The last turn, going round from that of the claim before, was of those who got the most: where a claim ends in the
    /// middle of a round, the others are still to have theirs.
    pub fn pass_the_turn(&mut self, claimed: &[ClaimedJob]) {
        let mut shares = HashMap::new();
        for claimed in claimed {
            *shares.entry(claimed.job.workspace_id).or_insert(0_usize) += 1;
        }
        let before = self.after;
        let last = shares.into_iter().max_by_key(|(workspace, share)| (*share, Some(*workspace) <= before, *workspace));
        self.after = last.map(|(workspace, _)| workspace).or(before);
    }
}

/// What shows that a worker has a job: whatever it does to the job has to match it, and while it holds, nobody else can
/// claim the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    workspace: WorkspaceId,
    job: JobId,
    token: Uuid,
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
/// [`is_invalid_input`](crate::Error::is_invalid_input) for a lease of more than [a day](MAX_LEASE);
/// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) without a login of the platform;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use workspace_db::jobs::{self, Claim, JobKind, Outcome};
/// use workspace_db::tenancy::Database;
///
/// #[derive(Serialize, Deserialize)]
/// struct Greet {}
/// impl JobKind for Greet {
///     const NAME: &'static str = "greet";
/// }
///
/// # async fn example(db: &Database) -> workspace_db::Result<()> {
/// let mut next = Claim::new("default", "worker-1", 10).of::<Greet>();
/// let claimed = jobs::claim(db, &next).await?;
/// next.pass_the_turn(&claimed);
/// for claimed in claimed {
///     let mut ws = db.workspace(claimed.scope()).await?;
///     // ... the work ...
///     # drop(&mut ws);
///     jobs::finish(db, [(claimed.lease(), Outcome::Done)]).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn claim(db: &Database, claim: &Claim) -> Result<Vec<ClaimedJob>> {
    claim_from(db, claim, Columns::default()).await
}

/// As [`claim`], but from where lanes were left, if anything is there.
pub(super) async fn claim_from(db: &Database, claim: &Claim, lanes: Columns) -> Result<Vec<ClaimedJob>> {
    check(claim.lease)?;
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
        lanes.workspaces.into_sql::<Array<SqlUuid>>(),
        lanes.kinds.into_sql::<Array<Text>>(),
        lanes.priorities.into_sql::<Array<Integer>>(),
        lanes.times.into_sql::<Array<Timestamptz>>(),
        lanes.jobs.into_sql::<Array<SqlUuid>>(),
    );
    let columns = (Job::as_select(), jobs::lease_token);
    let claimed: Vec<(Job, Option<Uuid>)> =
        Call::rows_of(jobs::table, "workspace_db_claim_jobs", columns, arguments).load_across(db).await?;
    let claimed = claimed.into_iter().filter_map(|(job, token)| {
        let lease = Lease { workspace: job.workspace_id, job: job.id, token: token? };
        let scope = db.claimed(lease.workspace, lease.job, lease.token, asked_at);
        Some(ClaimedJob { job, lease, scope })
    });
    Ok(claimed.collect())
}

/// What a heartbeat says of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
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
/// As [`claim`].
pub async fn heartbeat(db: &Database, leases: &[Lease], length: Duration) -> Result<Vec<(Lease, Pulse)>> {
    check(length)?;
    let (workspaces, ids, tokens) = columns_of(leases);
    let arguments = (
        (&workspaces).into_sql::<Array<SqlUuid>>(),
        (&ids).into_sql::<Array<SqlUuid>>(),
        (&tokens).into_sql::<Array<SqlUuid>>(),
        interval(length).into_sql::<Interval>(),
    );
    let call = Call::<_, _, (SqlUuid, Text)>::new("workspace_db_heartbeat_jobs", "asked, verdict", arguments);
    let pulses: HashMap<Uuid, String> = call.load_across(db).await?.into_iter().collect();
    let of = |lease: &Lease| match pulses.get(&lease.token).map(String::as_str) {
        Some("held") => Pulse::Held,
        Some("stop") => Pulse::CancelRequested,
        Some("busy") => Pulse::Busy,
        _ => Pulse::Lost,
    };
    Ok(leases.iter().map(|lease| (*lease, of(lease))).collect())
}

/// A job whose worker let its lease run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
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
/// As [`claim`].
pub async fn rescue(db: &Database, most: usize) -> Result<Vec<Rescued>> {
    type Columns = (SqlUuid, SqlUuid, Text, Text, JobStatus);
    let arguments = (i32::try_from(most).unwrap_or(i32::MAX).into_sql::<Integer>(),);
    let columns = "of_workspace, job, of_queue, kind, new_status";
    let call = Call::<_, _, Columns>::new("workspace_db_rescue_jobs", columns, arguments);
    let rescued: Vec<(WorkspaceId, JobId, String, String, JobStatus)> = call.load_across(db).await?;
    let rescued = rescued.into_iter().map(|(workspace, job, queue, kind, status)| Rescued {
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

fn interval(length: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
}
