//! Insertion of jobs into the queue.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::IntoSql as _;
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use super::kind::{JobKind, to_payload};
use crate::error::{Error, Result};
use crate::id::JobId;
use crate::sql_types::JobUniqueness;
use crate::tenancy::{FunctionCall, MayWrite, WorkspaceConnection};

/// Channel of notifications; the payload is the name of a queue with new jobs.
pub(super) const CHANNEL: &str = "workspace_db_jobs";
/// Maximum number of jobs that one statement inserts.
const TOGETHER: usize = 1_000;

/// Job to enqueue: its arguments, and the settings that differ from its kind.
///
/// ```
/// use chrono::{TimeDelta, Utc};
/// use serde::{Deserialize, Serialize};
/// use workspace_db::jobs::{JobKind, NewJob, OnDuplicate};
/// use workspace_db::sql_types::JobUniqueness;
///
/// #[derive(Serialize, Deserialize)]
/// struct Digest {
///     week: u32,
/// }
/// impl JobKind for Digest {
///     const NAME: &'static str = "digest";
/// }
///
/// let job = NewJob::new(Digest { week: 48 })
///     .at(Utc::now() + TimeDelta::hours(1))
///     .priority(9)
///     .unique("week 48", JobUniqueness::Succeeded, OnDuplicate::Keep);
/// # drop(job);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a job does nothing before it is enqueued"]
pub struct NewJob<K> {
    arguments: K,
    due: Option<DateTime<Utc>>,
    priority: i32,
    max_attempts: u32,
    unique: Option<UniqueOptions>,
    is_announced: bool,
}

#[derive(Clone, Debug)]
struct UniqueOptions {
    key: String,
    until: JobUniqueness,
    on_conflict: OnDuplicate,
}

/// Action if another job has the unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDuplicate {
    /// Keeps the other job unchanged.
    Keep,
    /// Replaces arguments, priority, time and attempt limit of the other job if it is queued; otherwise keeps it
    /// unchanged.
    Replace,
    /// Returns an error, see [`is_conflict`](Error::is_conflict), and enqueues no job of the batch.
    Refuse,
}

/// Result of enqueuing a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueResult {
    /// The job waits under this id.
    Inserted(JobId),
    /// Another job has its unique key and was kept unchanged.
    Kept(JobId),
    /// Another job has its unique key and now has its arguments.
    Replaced(JobId),
}

impl EnqueueResult {
    /// Returns the id of the job that does the work, in all three cases.
    #[must_use]
    pub fn id(self) -> JobId {
        match self {
            Self::Inserted(id) | Self::Kept(id) | Self::Replaced(id) => id,
        }
    }
}

impl<K: JobKind> NewJob<K> {
    /// Creates a job that is due at once, with the settings of its kind.
    pub fn new(arguments: K) -> Self {
        Self {
            arguments,
            due: None,
            priority: K::PRIORITY,
            max_attempts: K::MAX_ATTEMPTS,
            unique: None,
            is_announced: true,
        }
    }

    /// Delays the start until this time, by the server's clock.
    pub fn at(self, due: DateTime<Utc>) -> Self {
        Self { due: Some(due), ..self }
    }

    /// Sets the order among due jobs of the workspace, the smallest first; not below 0.
    pub fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// Sets the maximum number of attempts, 1 to 1,000.
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// Sends no notification. A worker finds the job at its next poll, within 1 s by default.
    pub fn without_notify(self) -> Self {
        Self { is_announced: false, ..self }
    }

    /// Makes the job unique in its workspace among the jobs of its kind with this key, as long as `until` states. The
    /// key has 1 to 500 characters.
    pub fn unique(self, key: impl Into<String>, until: JobUniqueness, on_conflict: OnDuplicate) -> Self {
        Self { unique: Some(UniqueOptions { key: key.into(), until, on_conflict }), ..self }
    }
}

/// Enqueues a job in the connection's workspace, in the open transaction. The job exists if the transaction commits.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if its unique key is taken and duplicates are [refused](OnDuplicate::Refuse);
/// [`is_invalid_input`](Error::is_invalid_input) if the arguments are too large, or a priority, number of attempts or
/// key is out of bounds; [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use workspace_db::Result;
/// use workspace_db::jobs::{JobKind, NewJob, enqueue};
/// use workspace_db::models::NewDocument;
/// use workspace_db::schema::documents;
/// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
///
/// #[derive(Serialize, Deserialize)]
/// struct Summarize {
///     document: workspace_db::id::DocumentId,
/// }
/// impl JobKind for Summarize {
///     const NAME: &'static str = "summarize";
/// }
///
/// # async fn example(ws: &mut WorkspaceConnection) -> Result<()> {
/// let document = NewDocument::new("Opening hours");
/// ws.transaction(async |tx| {
///     documents::table.in_workspace(&tx).insert(&document).execute(tx).await?;
///     // Both or neither.
///     enqueue(tx, NewJob::new(Summarize { document: document.id })).await
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn enqueue<K: JobKind>(ws: &mut WorkspaceConnection<impl MayWrite>, job: NewJob<K>) -> Result<EnqueueResult> {
    let id = JobId::generate();
    let others = insert_all(ws, vec![(id, job)]).await?;
    Ok(answer(id, &others))
}

/// Enqueues jobs of one kind as [`enqueue`] does, a thousand per statement, and returns the results in the same order.
///
/// # Errors
///
/// Same as [`enqueue`], and [`is_invalid_input`](Error::is_invalid_input) if two of the jobs have the same unique key.
/// Outside of a transaction, each statement of a thousand jobs commits separately.
pub async fn enqueue_all<K: JobKind>(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    jobs: impl IntoIterator<Item = NewJob<K>>,
) -> Result<Vec<EnqueueResult>> {
    let jobs: Vec<(JobId, NewJob<K>)> = jobs.into_iter().map(|job| (JobId::generate(), job)).collect();
    let ids: Vec<JobId> = jobs.iter().map(|(id, _)| *id).collect();
    let others = insert_all(ws, jobs).await?;
    Ok(ids.into_iter().map(|id| answer(id, &others)).collect())
}

/// Inserts jobs, and returns the results of those that were not inserted.
async fn insert_all<K: JobKind>(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    mut jobs: Vec<(JobId, NewJob<K>)>,
) -> Result<HashMap<Uuid, EnqueueResult>> {
    let mut others = HashMap::new();
    // A statement has one rule for duplicates, so jobs are grouped by their rule.
    jobs.sort_by_key(|(_, job)| job.sort());
    for alike in jobs.chunk_by(|(_, one), (_, other)| one.sort() == other.sort()) {
        for batch in alike.chunks(TOGETHER) {
            others.extend(insert(ws, batch).await?);
        }
    }
    if jobs.iter().any(|(_, job)| job.is_announced) {
        ws.notify(CHANNEL, K::QUEUE);
    }
    Ok(others)
}

fn answer(id: JobId, others: &HashMap<Uuid, EnqueueResult>) -> EnqueueResult {
    others.get(id.as_uuid()).copied().unwrap_or(EnqueueResult::Inserted(id))
}

impl<K> NewJob<K> {
    fn sort(&self) -> Option<(&'static str, &'static str)> {
        self.unique.as_ref().map(|unique| (unique.until.label(), unique.on_conflict.label()))
    }
}

impl OnDuplicate {
    const fn label(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replace => "replace",
            Self::Refuse => "refuse",
        }
    }
}

/// Requested id, id of the existing job, and the result.
type EnqueueRow = (Uuid, JobId, String);

async fn insert<K: JobKind>(
    ws: &mut WorkspaceConnection<impl MayWrite>,
    batch: &[(JobId, NewJob<K>)],
) -> Result<Vec<(Uuid, EnqueueResult)>> {
    let workspace = *ws.workspace().as_uuid();
    let ids: Vec<Uuid> = batch.iter().map(|(id, _)| *id.as_uuid()).collect();
    let mut payloads: Vec<Value> = Vec::with_capacity(batch.len());
    let (mut priorities, mut max_attempts) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    let (mut due, mut keys) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for (_, job) in batch {
        payloads.push(to_payload(&job.arguments)?);
        priorities.push(job.priority);
        max_attempts.push(i32::try_from(job.max_attempts).unwrap_or(i32::MAX));
        due.push(job.due);
        keys.push(job.unique.as_ref().map(|unique| unique.key.as_str()));
    }
    let unique = batch.first().and_then(|(_, job)| job.unique.as_ref());
    if unique.is_some() {
        reject_duplicate_keys(&keys)?;
    }
    let arguments = (
        workspace.into_sql::<SqlUuid>(),
        K::NAME.into_sql::<Text>(),
        K::QUEUE.into_sql::<Text>(),
        ids.into_sql::<Array<SqlUuid>>(),
        payloads.into_sql::<Array<Jsonb>>(),
        priorities.into_sql::<Array<Integer>>(),
        max_attempts.into_sql::<Array<Integer>>(),
        due.into_sql::<Array<Nullable<Timestamptz>>>(),
        keys.into_sql::<Array<Nullable<Text>>>(),
        unique.map(|unique| unique.until).into_sql::<Nullable<JobUniqueness>>(),
        unique.map_or("keep", |unique| unique.on_conflict.label()).into_sql::<Text>(),
    );
    let call = FunctionCall::<_, _, (SqlUuid, SqlUuid, Text)>::new(
        "workspace_db_enqueue_jobs",
        "asked, answer, outcome",
        arguments,
    );
    let answered = call.load_in::<EnqueueRow>(ws).await?.into_iter().map(|(asked, answer, outcome)| {
        (asked, if outcome == "replaced" { EnqueueResult::Replaced(answer) } else { EnqueueResult::Kept(answer) })
    });
    Ok(answered.collect())
}

fn reject_duplicate_keys(keys: &[Option<&str>]) -> Result<()> {
    let mut seen = HashSet::new();
    match keys.iter().flatten().find(|key| !seen.insert(**key)) {
        Some(twin) => Err(Error::invalid(format!("two jobs of the batch have the same unique key {twin:?}"))
            .remedy("enqueue only one of them")
            .about("unique_key")),
        None => Ok(()),
    }
}
