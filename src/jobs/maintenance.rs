//! Background tasks of a worker: heartbeats, rescue, schedules, and listening.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use super::CHANNEL;
use super::lease::{heartbeat, rescue};
use super::schedule::fire_due;
use super::worker::WorkerContext;
use crate::error::Result;
use crate::sql_types::JobStatus;

/// Interval of the search for expired leases and due schedules.
const EACH: Duration = Duration::from_secs(1);
/// Maximum number of rows that one statement extends or rescues.
const TOGETHER: usize = 500;
/// Maximum number of schedules in one transaction.
const SCHEDULES_TOGETHER: usize = 50;
/// Longest time that a claimed job waits for a slot. Then the worker releases it for others.
const IN_HAND: Duration = Duration::from_secs(1);
/// Delay before the next attempt to listen.
const DEAF_FOR: Duration = Duration::from_secs(5);

/// Extends the leases of claimed jobs, stops jobs that have lost theirs, and releases jobs that wait too long.
pub(super) async fn extend(shared: Arc<WorkerContext>) {
    // Short enough that a lease survives one failed heartbeat.
    let mut beat = tokio::time::interval((shared.lease / 12).min(EACH));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let leases = shared.active_jobs.leases_to_extend(shared.lease);
        for batch in leases.chunks(TOGETHER) {
            let valid_until = Instant::now() + shared.lease;
            match tokio::time::timeout(shared.lease / 3, heartbeat(&shared.db, batch, shared.lease)).await {
                Ok(Ok(pulses)) => shared.active_jobs.apply_heartbeats(pulses, valid_until),
                Ok(Err(error)) => tracing::warn!(%error, jobs = batch.len(), "no heartbeat"),
                Err(_) => tracing::warn!(jobs = batch.len(), "no heartbeat: the database does not answer"),
            }
        }
        shared.active_jobs.abandon_expired();
        shared.active_jobs.release_waiting(IN_HAND);
    }
}

/// Rescues jobs of all workers, and fires schedules of all workspaces.
#[derive(Clone)]
pub(super) struct Maintainer {
    shared: Arc<WorkerContext>,
    wakes: HashMap<String, Arc<Notify>>,
}

impl Maintainer {
    pub(super) fn new(shared: Arc<WorkerContext>, wakes: HashMap<String, Arc<Notify>>) -> Self {
        Self { shared, wakes }
    }

    pub(super) async fn rescue(self) {
        let mut each = each();
        loop {
            each.tick().await;
            if let Err(error) = self.rescue_expired().await {
                tracing::warn!(%error, "no rescue");
            }
        }
    }

    pub(super) async fn fire(self) {
        let mut each = each();
        let mut told = HashMap::new();
        loop {
            each.tick().await;
            if let Err(error) = self.fire_due_schedules(&mut told).await {
                tracing::warn!(%error, "schedules could not be looked at");
            }
        }
    }

    async fn rescue_expired(&self) -> Result<()> {
        loop {
            let rescued = rescue(&self.shared.db, TOGETHER).await?;
            for job in &rescued {
                tracing::warn!(job = %job.job, workspace = %job.workspace, kind = job.kind, status = %job.status, "a lease ran out");
                let labels = [("queue", job.queue.clone()), ("kind", job.kind.clone())];
                metrics::counter!("workspace_db_jobs_rescued_total", &labels).increment(1);
                if job.status == JobStatus::Queued {
                    self.wake(&job.queue);
                }
            }
            if rescued.len() < TOGETHER {
                return Ok(());
            }
        }
    }

    /// Fires due schedules. A failed schedule stays due, and its error is logged once and not every second.
    async fn fire_due_schedules(&self, told: &mut HashMap<Uuid, String>) -> Result<()> {
        let (mut next, mut failed) = (None, HashMap::new());
        loop {
            let fired = fire_due(&self.shared.db, next, SCHEDULES_TOGETHER).await?;
            fired.queues.iter().for_each(|queue| self.wake(queue));
            failed.extend(fired.failed);
            next = fired.next;
            if next.is_none() {
                break;
            }
        }
        for (schedule, why) in &failed {
            if told.get(schedule) != Some(why) {
                tracing::error!(%schedule, why, "a schedule did not fire; correct it, or end it");
            }
        }
        *told = failed;
        Ok(())
    }

    fn wake(&self, queue: &str) {
        if let Some(wake) = self.wakes.get(queue) {
            wake.notify_one();
        }
    }
}

fn each() -> Interval {
    let mut each = tokio::time::interval(EACH);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    each
}

/// Wakes the claimer of a queue at a notification. Without notifications, as behind a pooler in transaction mode, the
/// claimers poll.
pub(super) async fn listen(shared: Arc<WorkerContext>, wakes: HashMap<String, Arc<Notify>>) {
    loop {
        match shared.db.listen(CHANNEL).await {
            Ok(mut said) => {
                // Notifications may have been sent before the connection listened.
                for wake in wakes.values() {
                    wake.notify_one();
                }
                while let Some(queue) = said.next().await {
                    if let Some(wake) = wakes.get(&queue) {
                        wake.notify_one();
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "nobody can be heard"),
        }
        tokio::time::sleep(DEAF_FOR).await;
    }
}
