//! Outcomes of jobs.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use super::credential::lease_is_over;
use super::kind::MAX_ARGUMENT_BYTES;
use super::lease::{Lease, columns_of};
use crate::error::Result;
use crate::sql_types::{JobStatus, MAX_LEVELS, has_nul, is_deeper};
use crate::tenancy::{Database, FunctionCall, WorkspaceConnection};

/// Maximum size of a stored error, in bytes.
const MAX_ERROR_BYTES: usize = 8 * 1024;

/// Outcome of a job, or the reason to run it again later.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a job ends when its outcome is given to `finish`, or returned by its handler"]
pub enum Outcome {
    /// The job is completed.
    Done,
    /// The job is completed, and its row stores this result.
    DoneWith(Value),
    /// The attempt failed. The job is retried if it has attempts left; otherwise it is failed.
    Retry {
        /// Error message.
        error: String,
        /// Delay before the retry. With `None`, the kind's [`Backoff`](super::Backoff) decides; [`finish`] then uses no
        /// delay.
        after: Option<Duration>,
    },
    /// The attempt failed, and a retry would not help.
    Dead {
        /// Error message.
        error: String,
    },
    /// The job is cancelled.
    Cancel {
        /// Reason of the cancellation.
        reason: String,
    },
    /// The job runs again later. This start does not count as an attempt.
    Snooze(Duration),
    /// The job waits again in its place, as if it had not started; for a worker that stops.
    Release,
    /// The job ended in the handler's own transaction, see [`RunningJob::complete`](super::RunningJob::complete).
    Settled,
}

impl Outcome {
    /// Returns an outcome that retries the job.
    pub fn retry(error: impl Into<String>) -> Self {
        Self::Retry { error: error.into(), after: None }
    }

    /// Returns an outcome that fails the job for good.
    pub fn dead(error: impl Into<String>) -> Self {
        Self::Dead { error: error.into() }
    }

    /// Returns the name in the database and in metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Done | Self::DoneWith(_) => "completed",
            Self::Retry { .. } => "retried",
            Self::Dead { .. } => "failed",
            Self::Cancel { .. } => "cancelled",
            Self::Snooze(_) => "snoozed",
            Self::Release => "released",
            Self::Settled => "settled",
        }
    }

    fn delay_ms(&self) -> i64 {
        let delay = match self {
            Self::Retry { after, .. } => after.unwrap_or_default(),
            Self::Snooze(delay) => *delay,
            _ => Duration::ZERO,
        };
        // A thousand years: the maximum of PostgreSQL's timestamps is below that of its intervals.
        i64::try_from(delay.as_millis()).unwrap_or(i64::MAX).min(1000 * 365 * 86_400_000)
    }

    /// Returns the message, truncated and without the character NUL, which PostgreSQL can't store.
    fn reason(&self) -> Option<String> {
        let (Self::Retry { error: text, .. } | Self::Dead { error: text } | Self::Cancel { reason: text }) = self
        else {
            return None;
        };
        let mut kept: String =
            text.chars().map(|char| if char == '\0' { char::REPLACEMENT_CHARACTER } else { char }).collect();
        while kept.len() > MAX_ERROR_BYTES {
            kept.pop();
        }
        Some(kept)
    }

    /// Returns the outcome if its result can be stored. Otherwise the job fails, because a retry would return the same
    /// result.
    fn storable(self) -> Self {
        let why = match &self {
            Self::DoneWith(result) if is_deeper(result, MAX_LEVELS) => "is nested more than 127 levels deep",
            Self::DoneWith(result) if has_nul(result) => "contains the character NUL, which PostgreSQL can't store",
            Self::DoneWith(result) if result.to_string().len() > MAX_ARGUMENT_BYTES => "is larger than 256 KiB",
            _ => return self,
        };
        Self::Dead { error: format!("the job was done, but its result is lost: it {why}") }
    }

    fn into_result(self) -> Option<Value> {
        match self {
            Self::DoneWith(result) => Some(result),
            _ => None,
        }
    }
}

/// Result of ending one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishResult {
    /// Lease that the caller passed.
    pub lease: Lease,
    /// Current status of the job; `None` if the lease was over and the job is unchanged.
    pub status: Option<JobStatus>,
}

/// Ends jobs in one statement, and returns the status of each. If a lease is over, its job stays unchanged.
///
/// # Errors
///
/// Same as [`claim`](super::claim).
pub async fn finish(db: &Database, outcomes: impl IntoIterator<Item = (Lease, Outcome)>) -> Result<Vec<FinishResult>> {
    finish_with_lock_timeout(db, outcomes, None).await
}

/// Ends jobs as [`finish`] does, but fails as a whole if it would wait for a lock longer than `patience`.
pub(super) async fn finish_with_lock_timeout(
    db: &Database,
    outcomes: impl IntoIterator<Item = (Lease, Outcome)>,
    patience: Option<Duration>,
) -> Result<Vec<FinishResult>> {
    let outcomes: Vec<(Lease, Outcome)> =
        outcomes.into_iter().map(|(lease, outcome)| (lease, outcome.storable())).collect();
    let leases: Vec<Lease> = outcomes.iter().map(|(lease, _)| *lease).collect();
    let (workspaces, ids, tokens) = columns_of(&leases);
    let labels: Vec<&str> = outcomes.iter().map(|(_, outcome)| outcome.label()).collect();
    let delays: Vec<i64> = outcomes.iter().map(|(_, outcome)| outcome.delay_ms()).collect();
    let reasons: Vec<Option<String>> = outcomes.iter().map(|(_, outcome)| outcome.reason()).collect();
    let results: Vec<Option<Value>> = outcomes.into_iter().map(|(_, outcome)| outcome.into_result()).collect();
    let arguments = (
        (&workspaces).into_sql::<Array<SqlUuid>>(),
        (&ids).into_sql::<Array<SqlUuid>>(),
        (&tokens).into_sql::<Array<SqlUuid>>(),
        (&labels).into_sql::<Array<Text>>(),
        (&delays).into_sql::<Array<BigInt>>(),
        (&reasons).into_sql::<Array<Nullable<Text>>>(),
        (&results).into_sql::<Array<Nullable<Jsonb>>>(),
        patience
            .map(|patience| i32::try_from(patience.as_millis()).unwrap_or(i32::MAX))
            .into_sql::<Nullable<Integer>>(),
    );
    let call =
        FunctionCall::<_, _, (SqlUuid, JobStatus)>::new("workspace_db_finish_jobs", "held, new_status", arguments);
    let ended: HashMap<Uuid, JobStatus> = call.load_across(db).await?.into_iter().collect();
    let status = |lease: &Lease| ended.get(&lease.token()).copied();
    Ok(leases.into_iter().map(|lease| FinishResult { lease, status: status(&lease) }).collect())
}

/// Ends a job in the open transaction of its workspace, so that the work and the end commit together or not at all.
///
/// # Errors
///
/// [`is_lease_lost`](crate::Error::is_lease_lost) if the lease is over; the transaction must then be rolled back.
pub(super) async fn finish_in_transaction(ws: &mut WorkspaceConnection, lease: Lease, outcome: Outcome) -> Result<()> {
    let outcome = outcome.storable();
    let (label, delay, reason) = (outcome.label(), outcome.delay_ms(), outcome.reason());
    let arguments = (
        (*lease.workspace().as_uuid()).into_sql::<SqlUuid>(),
        (*lease.job().as_uuid()).into_sql::<SqlUuid>(),
        lease.token().into_sql::<SqlUuid>(),
        label.into_sql::<Text>(),
        delay.into_sql::<BigInt>(),
        reason.into_sql::<Nullable<Text>>(),
        outcome.into_result().into_sql::<Nullable<Jsonb>>(),
    );
    let held: Vec<bool> =
        FunctionCall::<_, _, Bool>::new("workspace_db_finish_job_here", "rows", arguments).load_in(ws).await?;
    if held.contains(&true) {
        return Ok(());
    }
    Err(lease_is_over(lease.job()))
}
