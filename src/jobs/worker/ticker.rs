//! Interval of the background tasks of a worker.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

/// Returns an interval that does not catch up on missed ticks.
pub(super) fn ticker(period: Duration) -> Interval {
    let mut each = tokio::time::interval(period);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    each
}
