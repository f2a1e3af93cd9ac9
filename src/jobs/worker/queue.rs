//! Queues of a worker, and the signals that wake their claimers.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// Queue that the worker processes.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) concurrency: usize,
    /// Notified when the queue may have new jobs.
    pub(super) wake: Arc<Notify>,
}

/// Signals of all queues of the worker, by name.
#[derive(Clone)]
pub(super) struct WakeSignals(HashMap<String, Arc<Notify>>);

impl WakeSignals {
    pub(super) fn new(queues: &[Queue]) -> Self {
        Self(queues.iter().map(|queue| (queue.name.clone(), Arc::clone(&queue.wake))).collect())
    }

    /// Wakes the claimer of a queue, if it is one of this worker's.
    pub(super) fn wake(&self, queue: &str) {
        if let Some(wake) = self.0.get(queue) {
            wake.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        for wake in self.0.values() {
            wake.notify_one();
        }
    }
}
