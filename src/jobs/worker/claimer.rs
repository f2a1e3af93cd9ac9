//! Part of a worker that claims the jobs of one queue, and starts their tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::capacity::{Capacity, CapacityGuard};
use super::completer::{CompletedAttempt, count_lost};
use super::context::{ABORT_TIMEOUT, WorkerContext};
use super::cursors::ClaimCursors;
use super::executor;
use super::queue::Queue;
use crate::error::Result;
use crate::jobs::claim::{ClaimRequest, ClaimedJob, claim_after_cursors};
use crate::jobs::outcome::Outcome;

/// Time for which jobs are claimed ahead, at the recent rate. Short jobs come in large batches; long jobs are claimed
/// shortly before they can run.
const AHEAD: Duration = Duration::from_millis(100);
/// Maximum number of jobs that one statement claims.
const TOGETHER: usize = 500;
/// Delay between the end of a job and the next claim, which may find room below a limit.
const SETTLE: Duration = Duration::from_millis(5);

/// Condition that ends a worker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RunMode {
    UntilStopped,
    UntilEmpty,
}

pub(super) struct Claimer {
    shared: Arc<WorkerContext>,
    queue: Queue,
    next: ClaimRequest,
    cursors: ClaimCursors,
    ended: mpsc::Sender<CompletedAttempt>,
    hands: Arc<Capacity>,
    pace: Throughput,
}

/// Number of jobs that ended recently.
struct Throughput {
    since: Instant,
    done: usize,
    ahead: usize,
}

impl Claimer {
    pub(super) fn new(shared: Arc<WorkerContext>, queue: Queue, ended: mpsc::Sender<CompletedAttempt>) -> Self {
        let hands = Capacity {
            slots: Semaphore::new(queue.concurrency.min(Semaphore::MAX_PERMITS)),
            full: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            freed: Notify::new(),
        };
        let pace = Throughput { since: Instant::now(), done: 0, ahead: 0 };
        // All kinds, whatever their current queue: jobs stay in the queue that they were enqueued for.
        let kinds = shared.handlers.iter().map(|(kind, handler)| ((*kind).to_owned(), handler.cap())).collect();
        let next = ClaimRequest { lease: shared.lease, kinds, ..ClaimRequest::new(&queue.name, &shared.name, 0) };
        Self { shared, queue, next, cursors: ClaimCursors::default(), ended, hands: Arc::new(hands), pace }
    }

    /// Returns the number of claimed jobs.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>, until: RunMode) -> usize {
        let mut all_claimed = 0;
        let mut running = JoinSet::new();
        while !*stopping.borrow() {
            while running.try_join_next().is_some() {}
            let room = self.room();
            if room == 0 {
                tokio::select! {
                    () = self.hands.freed.notified() => {}
                    _ = stopping.changed() => {}
                }
                continue;
            }
            // Read before the claim: a job that ends during the claim may be due again.
            let is_idle = self.hands.full.load(Ordering::Acquire) == 0;
            let claimed = self.claim(room).await;
            let has_failed = claimed.is_err();
            let claimed = claimed.unwrap_or_default();
            all_claimed += claimed.len();
            if claimed.is_empty() {
                if until == RunMode::UntilEmpty && is_idle && !has_failed {
                    break;
                }
                tokio::select! {
                    () = self.queue.wake.notified() => {}
                    // A limit may have kept jobs from being claimed.
                    () = async {
                        self.hands.freed.notified().await;
                        tokio::time::sleep(SETTLE).await;
                    } => {}
                    () = tokio::time::sleep(self.shared.poll) => {}
                    _ = stopping.changed() => {}
                }
            }
            for (job, valid_until) in claimed {
                running.spawn(self.start(job, valid_until));
            }
        }
        self.shut_down(running).await;
        all_claimed
    }

    /// Returns the number of jobs to claim now; 0 if there are too few for a statement.
    fn room(&mut self) -> usize {
        let done = self.hands.done.load(Ordering::Relaxed);
        let elapsed = self.pace.since.elapsed();
        if elapsed >= AHEAD {
            // The rate covers the whole time since the last check, which is long if jobs are long.
            let while_ahead = AHEAD.as_millis() * (done - self.pace.done) as u128 / elapsed.as_millis().max(1);
            self.pace =
                Throughput { since: Instant::now(), done, ahead: usize::try_from(while_ahead).unwrap_or(TOGETHER) };
        }
        // One batch is claimed while the outcomes of another are written.
        let ahead = self.pace.ahead.min(2 * TOGETHER);
        let room = (self.queue.concurrency + ahead).saturating_sub(self.hands.full.load(Ordering::Acquire));
        if room > ahead / 2 { room.min(TOGETHER) } else { 0 }
    }

    async fn claim(&mut self, limit: usize) -> Result<Vec<(ClaimedJob, Instant)>> {
        let begun = Instant::now();
        let valid_until = begun + self.shared.lease;
        self.next.limit = limit;
        let claimed =
            claim_after_cursors(&self.shared.db, &self.next, self.cursors.columns()).await.inspect_err(|error| {
                tracing::warn!(queue = self.queue.name, %error, "failed to claim jobs");
            })?;
        metrics::counter!("workspace_db_jobs_claimed_total", "queue" => self.queue.name.clone())
            .increment(claimed.len() as u64);
        self.cursors.note(&claimed, limit, begun.elapsed());
        self.next.advance(&claimed);
        Ok(claimed.into_iter().map(|claimed| (claimed, valid_until)).collect())
    }

    /// Registers a job; the returned future runs it when a slot is free.
    fn start(&self, claimed: ClaimedJob, valid_until: Instant) -> impl Future<Output = ()> + Send + 'static {
        let (shared, in_hand, ended) = (Arc::clone(&self.shared), CapacityGuard::new(&self.hands), self.ended.clone());
        let lease = claimed.lease();
        let orders = shared.active_jobs.register(lease, valid_until);
        let job = &claimed.job;
        let span = tracing::info_span!(
            "job", workspace = %job.workspace_id, id = %job.id, kind = job.job_type, queue = job.queue, attempt = job.attempts
        );
        let work = async move {
            let (queue, kind) = (claimed.job.queue.clone(), claimed.job.job_type.clone());
            let outcome = executor::run(&shared, &in_hand.0.slots, claimed, orders).await;
            // A released job says nothing about the rate.
            if outcome != Some(Outcome::Release) {
                in_hand.0.done.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(outcome) = outcome {
                // The completer lives as long as there is a sender.
                let _ =
                    ended.send(CompletedAttempt { lease, outcome, queue, kind, failures: 0, _in_hand: in_hand }).await;
            } else {
                count_lost(queue, kind);
                shared.active_jobs.unregister(lease);
            }
        };
        work.instrument(span)
    }

    /// Releases jobs that have not started, waits for running ones, and releases those that take too long.
    async fn shut_down(self, mut running: JoinSet<()>) {
        // This queue has no job to release. In `drain`, a release would stop the jobs of other queues.
        if self.hands.full.load(Ordering::Acquire) == 0 {
            return;
        }
        self.shared.active_jobs.release(false);
        let all_done = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.shared.shutdown_grace, all_done).await.is_err() {
            self.shared.active_jobs.release(true);
            let all_dropped = async { while running.join_next().await.is_some() {} };
            if tokio::time::timeout(ABORT_TIMEOUT, all_dropped).await.is_err() {
                tracing::warn!(
                    queue = self.queue.name,
                    left = running.len(),
                    "some handlers do not yield; their jobs stay leased until the leases expire"
                );
                running.abort_all();
            }
        }
    }
}
