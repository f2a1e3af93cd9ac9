//! Part of a worker that extends the leases of its jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::WorkerContext;
use super::ticker::ticker;
use crate::jobs::lease::heartbeat;

/// Longest interval of the heartbeats.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of leases that one statement extends.
const TOGETHER: usize = 500;
/// Longest time that a claimed job waits for a slot. Then the worker releases it for others.
const IN_HAND: Duration = Duration::from_secs(1);

/// Extends the leases of claimed jobs, stops jobs that have lost theirs, and releases jobs that wait too long.
pub(super) async fn extend_leases(shared: Arc<WorkerContext>) {
    // Short enough that a lease survives one failed heartbeat.
    let mut beat = ticker((shared.lease / 12).min(LONGEST_INTERVAL));
    loop {
        beat.tick().await;
        let leases = shared.active_jobs.leases_to_extend(shared.lease);
        for batch in leases.chunks(TOGETHER) {
            let valid_until = Instant::now() + shared.lease;
            match tokio::time::timeout(shared.lease / 3, heartbeat(&shared.db, batch, shared.lease)).await {
                Ok(Ok(pulses)) => shared.active_jobs.apply_heartbeats(pulses, valid_until),
                Ok(Err(error)) => tracing::warn!(%error, jobs = batch.len(), "heartbeat failed"),
                Err(_) => tracing::warn!(jobs = batch.len(), "heartbeat failed: the database does not answer"),
            }
        }
        shared.active_jobs.abandon_expired();
        shared.active_jobs.release_waiting(IN_HAND);
    }
}
