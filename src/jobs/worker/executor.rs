//! Part of a worker that runs the handler of a claimed job.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};

use super::active_jobs::JobSignal;
use super::context::WorkerContext;
use crate::jobs::claim::ClaimedJob;
use crate::jobs::handler::{Handler, attempt};
use crate::jobs::outcome::Outcome;

/// Runs a job in one of the slots; returns `None` if this worker has lost the job.
pub(super) async fn run(
    shared: &WorkerContext,
    slots: &Semaphore,
    claimed: ClaimedJob,
    mut orders: watch::Receiver<JobSignal>,
) -> Option<Outcome> {
    let _slot = tokio::select! {
        biased;
        order = wait_for_signal(&mut orders) => return stopped(order),
        slot = slots.acquire() => slot.ok(),
    };
    // The worker claims only kinds that have a handler.
    let handler = shared.handlers.get(claimed.job.job_type.as_str())?;
    let job = &claimed.job;
    let labels = [("queue", job.queue.clone()), ("kind", job.job_type.clone())];
    let waited = job.started_at.zip(job.scheduled_at).and_then(|(started, due)| (started - due).to_std().ok());
    metrics::histogram!("workspace_db_jobs_wait_seconds", &labels).record(waited.unwrap_or_default());
    let (lease, timeout, begun) = (claimed.lease(), handler.timeout(), Instant::now());
    let attempt = attempt(&claimed);
    shared.active_jobs.mark_started(lease, timeout);
    let outcome = tokio::select! {
        biased;
        order = wait_for_signal(&mut orders) => stopped(order),
        done = tokio::time::timeout(timeout, catch_panic(handler.as_ref(), claimed, shared)) => Some(
            done.unwrap_or_else(|_| Outcome::retry(format!("the handler did not finish within {timeout:?}")))
        ),
    };
    metrics::histogram!("workspace_db_jobs_run_seconds", &labels).record(begun.elapsed());
    Some(match outcome? {
        Outcome::Retry { error, after: None } => Outcome::Retry { error, after: Some(handler.delay(attempt)) },
        outcome => outcome,
    })
}

/// Returns the handler's outcome; a panic becomes a retry with its message.
async fn catch_panic(handler: &dyn Handler, claimed: ClaimedJob, shared: &WorkerContext) -> Outcome {
    let work = async { handler.run(claimed, shared.db.clone()).await };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
        tracing::error!(said, "a job handler panicked");
        Outcome::retry(format!("the handler panicked: {said}"))
    })
}

/// Waits for a signal to stop; without one, it never returns.
async fn wait_for_signal(orders: &mut watch::Receiver<JobSignal>) -> JobSignal {
    if let Ok(order) = orders.wait_for(|order| *order != JobSignal::Continue).await {
        return *order;
    }
    // No sender is left that could signal.
    std::future::pending().await
}

fn stopped(order: JobSignal) -> Option<Outcome> {
    match order {
        JobSignal::Cancel => Some(Outcome::Cancel { reason: "cancelled on request".to_owned() }),
        JobSignal::Release => Some(Outcome::Release),
        JobSignal::Abandon | JobSignal::Continue => None,
    }
}
