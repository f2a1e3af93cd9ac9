//! Jobs that this process has claimed, and the signals to the tasks that run them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::jobs::lease::{Lease, LeaseStatus};

/// Grace period after a handler's timeout before its lease stops being renewed. A handler that does not yield can't be
/// dropped.
const GRACE: Duration = Duration::from_secs(1);

/// Signal to the task that runs a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobSignal {
    /// Continue.
    Continue,
    /// Stop: the job was cancelled.
    Cancel,
    /// Stop: the lease has expired.
    Abandon,
    /// Stop and release the job: the worker shuts down, or the job has waited too long for a slot.
    Release,
}

#[derive(Default)]
pub(super) struct ActiveJobs(Mutex<HashMap<Lease, ActiveJob>>);

struct ActiveJob {
    order: watch::Sender<JobSignal>,
    /// End of the lease, as far as this process knows.
    valid_until: Instant,
    taken_at: Instant,
    has_begun: bool,
    /// Deadline of the handler, with its grace period; `None` if there is none.
    due_back: Option<Instant>,
}

impl ActiveJobs {
    fn hands(&self) -> MutexGuard<'_, HashMap<Lease, ActiveJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self, lease: Lease, valid_until: Instant) -> watch::Receiver<JobSignal> {
        let (order, orders) = watch::channel(JobSignal::Continue);
        let hand = ActiveJob { order, valid_until, taken_at: Instant::now(), has_begun: false, due_back: None };
        self.hands().insert(lease, hand);
        orders
    }

    pub(super) fn mark_started(&self, lease: Lease, may_take: Duration) {
        if let Some(hand) = self.hands().get_mut(&lease) {
            hand.has_begun = true;
            hand.due_back = Instant::now().checked_add(may_take.saturating_add(GRACE));
        }
    }

    pub(super) fn unregister(&self, lease: Lease) {
        self.hands().remove(&lease);
    }

    pub(super) fn is_valid(&self, lease: Lease) -> bool {
        self.hands().get(&lease).is_some_and(|hand| hand.valid_until > Instant::now())
    }

    /// Returns the leases to extend: a third of the lease has passed, and the handler is not overdue.
    pub(super) fn leases_to_extend(&self, length: Duration) -> Vec<Lease> {
        let now = Instant::now();
        let hands = self.hands();
        let due = hands.iter().filter(|(_, hand)| {
            hand.valid_until.saturating_duration_since(now) <= length * 2 / 3
                && hand.due_back.is_none_or(|back| back > now)
        });
        due.map(|(lease, _)| *lease).collect()
    }

    pub(super) fn apply_heartbeats(&self, pulses: Vec<(Lease, LeaseStatus)>, valid_until: Instant) {
        let mut hands = self.hands();
        for (lease, pulse) in pulses {
            let Some(hand) = hands.get_mut(&lease) else { continue };
            match pulse {
                LeaseStatus::Held => hand.valid_until = valid_until,
                LeaseStatus::CancelRequested => {
                    hand.valid_until = valid_until;
                    hand.order.send_replace(JobSignal::Cancel);
                }
                LeaseStatus::Busy => {}
                LeaseStatus::Lost => {
                    hand.order.send_replace(JobSignal::Abandon);
                }
            }
        }
    }

    /// Stops jobs whose lease has expired while the database could not be reached.
    pub(super) fn abandon_expired(&self) {
        let now = Instant::now();
        for hand in self.hands().values().filter(|hand| hand.valid_until <= now) {
            hand.order.send_replace(JobSignal::Abandon);
        }
    }

    /// Releases jobs that wait for a slot, or all jobs.
    pub(super) fn release(&self, also_begun: bool) {
        self.release_where(|hand| also_begun || !hand.has_begun);
    }

    /// Releases jobs that have waited for a slot longer than a given time.
    pub(super) fn release_waiting(&self, for_so_long: Duration) {
        self.release_where(|hand| !hand.has_begun && hand.taken_at.elapsed() > for_so_long);
    }

    fn release_where(&self, is_to_go: impl Fn(&ActiveJob) -> bool) {
        for hand in self.hands().values().filter(|hand| is_to_go(hand)) {
            hand.order.send_if_modified(|order| {
                let is_going = *order == JobSignal::Continue;
                if is_going {
                    *order = JobSignal::Release;
                }
                is_going
            });
        }
    }
}
