//! Part of a worker that writes the outcomes of jobs in batches. A batch gathers while the previous one is written.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::capacity::CapacityGuard;
use super::context::{ABORT_TIMEOUT, WorkerContext};
use crate::error::Error;
use crate::jobs::lease::{Lease, LeaseStatus, heartbeat};
use crate::jobs::outcome::{Outcome, finish_with_lock_timeout};
use crate::sql_types::JobStatus;

/// Maximum number of outcomes that one statement writes.
const TOGETHER: usize = 500;
/// Lock timeout of a write, and the delay before the next attempt.
const PATIENCE: Duration = Duration::from_millis(200);
/// Maximum number of attempts to write an outcome that fails by itself.
const FAILURES: u32 = 10;

/// Job whose handler has ended.
pub(super) struct CompletedAttempt {
    pub(super) lease: Lease,
    pub(super) outcome: Outcome,
    pub(super) queue: String,
    pub(super) kind: String,
    /// Number of failed writes that neither a lock nor the connection explains.
    pub(super) failures: u32,
    /// Dropped when the outcome is written.
    pub(super) _in_hand: CapacityGuard,
}

pub(super) struct Completer {
    shared: Arc<WorkerContext>,
    outcomes: mpsc::Receiver<CompletedAttempt>,
    /// Jobs whose rows other transactions have locked, for example a cancellation that stays open.
    busy: Vec<CompletedAttempt>,
    /// Time of the last retry of the busy jobs.
    looked_at: Instant,
}

impl Completer {
    pub(super) fn new(shared: Arc<WorkerContext>, outcomes: mpsc::Receiver<CompletedAttempt>) -> Self {
        Self { shared, outcomes, busy: Vec::new(), looked_at: Instant::now() }
    }

    /// Runs until all senders are dropped, or until `is_over` closes the channel. The signal is necessary: a handler
    /// that does not yield can't be dropped, and neither can its sender.
    pub(super) async fn run(mut self, mut is_over: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(TOGETHER);
        let mut is_last = false;
        let mut since = Instant::now();
        while !is_last || !self.busy.is_empty() && since.elapsed() < ABORT_TIMEOUT {
            tokio::select! {
                biased;
                received = self.outcomes.recv_many(&mut batch, TOGETHER), if !is_last => {
                    is_last = received == 0;
                    since = Instant::now();
                }
                _ = &mut is_over, if !self.outcomes.is_closed() => self.outcomes.close(),
                () = tokio::time::sleep(PATIENCE), if !self.busy.is_empty() => {}
            }
            self.write(std::mem::take(&mut batch)).await;
            if self.looked_at.elapsed() >= PATIENCE {
                self.retry_busy().await;
            }
        }
        if !self.busy.is_empty() {
            tracing::warn!(
                jobs = self.busy.len(),
                "other sessions lock the rows of these jobs; the jobs stay leased until the leases expire"
            );
        }
    }

    async fn write(&mut self, batch: Vec<CompletedAttempt>) {
        let (settled, mut batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|ended| ended.outcome == Outcome::Settled);
        for ended in settled {
            ended.count("settled");
            self.shared.active_jobs.unregister(ended.lease);
        }
        while !batch.is_empty() {
            let outcomes = batch.iter().map(|ended| (ended.lease, ended.outcome.clone()));
            match finish_with_lock_timeout(&self.shared.db, outcomes, Some(PATIENCE)).await {
                Ok(finished) => {
                    for (ended, finished) in batch.iter().zip(finished) {
                        self.note(ended, finished.status);
                    }
                    return;
                }
                Err(error) if error.is_unreachable() || error.is_exhausted() => {
                    tracing::warn!(%error, jobs = batch.len(), "failed to write job outcomes; retrying");
                    tokio::time::sleep(PATIENCE).await;
                }
                Err(error) => {
                    let together = batch.len();
                    batch = self.defer_busy(batch).await;
                    if batch.len() == together {
                        self.complete_one_by_one(batch, &error).await;
                        return;
                    }
                }
            }
            batch = self.retain_valid(batch);
        }
    }

    /// Writes each outcome separately, because one of them makes the batch fail.
    async fn complete_one_by_one(&mut self, batch: Vec<CompletedAttempt>, error: &Error) {
        if batch.len() > 1 {
            for ended in batch {
                Box::pin(self.write(vec![ended])).await;
            }
            return;
        }
        for mut ended in batch {
            ended.failures += 1;
            if ended.failures < FAILURES {
                // Another session may have locked the row for a moment.
                self.busy.push(ended);
            } else {
                tracing::error!(%error, job = %ended.lease.job(), "failed to write the outcome of a job; the job stays leased until the lease expires");
                self.shared.active_jobs.unregister(ended.lease);
            }
        }
    }

    /// Moves jobs with locked rows to `busy` and returns the others. Returns none if the heartbeat gets no answer, for
    /// example while the table is locked.
    async fn defer_busy(&mut self, batch: Vec<CompletedAttempt>) -> Vec<CompletedAttempt> {
        let leases: Vec<Lease> = batch.iter().map(|ended| ended.lease).collect();
        let beat = heartbeat(&self.shared.db, &leases, self.shared.lease);
        let Ok(Ok(pulses)) = tokio::time::timeout(PATIENCE * 5, beat).await else {
            self.busy.extend(batch);
            return Vec::new();
        };
        let is_busy: HashSet<Lease> =
            pulses.into_iter().filter_map(|(lease, pulse)| (pulse == LeaseStatus::Busy).then_some(lease)).collect();
        let (busy, free): (Vec<_>, Vec<_>) = batch.into_iter().partition(|ended| is_busy.contains(&ended.lease));
        self.busy.extend(busy);
        free
    }

    async fn retry_busy(&mut self) {
        self.looked_at = Instant::now();
        let busy = std::mem::take(&mut self.busy);
        let busy = self.retain_valid(busy);
        if !busy.is_empty() {
            let free = self.defer_busy(busy).await;
            self.write(free).await;
        }
    }

    /// Removes outcomes whose lease has expired: a rescue puts those jobs back.
    fn retain_valid(&self, mut batch: Vec<CompletedAttempt>) -> Vec<CompletedAttempt> {
        batch.retain(|ended| {
            let is_valid = self.shared.active_jobs.is_valid(ended.lease);
            if !is_valid {
                self.note(ended, None);
            }
            is_valid
        });
        batch
    }

    /// Records the result; `status` is the current status of the job, or `None` if its lease was over.
    fn note(&self, ended: &CompletedAttempt, status: Option<JobStatus>) {
        self.shared.active_jobs.unregister(ended.lease);
        if status.is_some() {
            ended.count(ended.outcome.label());
        } else {
            tracing::warn!(job = %ended.lease.job(), kind = ended.kind, "the lease of a job ended before its outcome was written");
            count_lost(ended.queue.clone(), ended.kind.clone());
        }
    }
}

/// Counts a job that was abandoned because its lease is over.
pub(super) fn count_lost(queue: String, kind: String) {
    metrics::counter!("workspace_db_jobs_lost_total", "queue" => queue, "kind" => kind).increment(1);
}

impl CompletedAttempt {
    fn count(&self, outcome: &'static str) {
        let labels = [("queue", self.queue.clone()), ("kind", self.kind.clone()), ("outcome", outcome.to_owned())];
        metrics::counter!("workspace_db_jobs_finished_total", &labels).increment(1);
    }
}
