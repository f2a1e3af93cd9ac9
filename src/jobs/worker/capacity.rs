//! Number of jobs that a worker has from one queue, and the slots in which they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore};

/// Jobs of the queue that this worker has claimed, and whose outcome is not written yet.
pub(super) struct Capacity {
    pub(super) slots: Semaphore,
    pub(super) full: AtomicUsize,
    pub(super) done: AtomicUsize,
    pub(super) freed: Notify,
}

/// Counts one job in the capacity until it is dropped.
pub(super) struct CapacityGuard(pub(super) Arc<Capacity>);

impl CapacityGuard {
    pub(super) fn new(hands: &Arc<Capacity>) -> Self {
        hands.full.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(hands))
    }
}

impl Drop for CapacityGuard {
    fn drop(&mut self) {
        self.0.full.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}
