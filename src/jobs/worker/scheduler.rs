//! Part of a worker that enqueues the jobs of due schedules.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::queue::WakeSignals;
use super::ticker::ticker;
use crate::error::Result;
use crate::jobs::schedule::fire_due;
use crate::tenancy::Database;

/// Interval of the search for due schedules.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of schedules in one transaction.
const TOGETHER: usize = 50;

/// Fires schedules of all workspaces.
pub(super) struct Scheduler {
    db: Database,
    wakes: WakeSignals,
}

impl Scheduler {
    pub(super) fn new(db: Database, wakes: WakeSignals) -> Self {
        Self { db, wakes }
    }

    pub(super) async fn run(self) {
        let mut each = ticker(INTERVAL);
        let mut last_errors = HashMap::new();
        loop {
            each.tick().await;
            if let Err(error) = self.fire_due_schedules(&mut last_errors).await {
                tracing::warn!(%error, "failed to fire due schedules");
            }
        }
    }

    /// Fires due schedules. A failed schedule stays due, and its error is logged once and not every second.
    async fn fire_due_schedules(&self, last_errors: &mut HashMap<Uuid, String>) -> Result<()> {
        let (mut next, mut failed) = (None, HashMap::new());
        loop {
            let fired = fire_due(&self.db, next, TOGETHER).await?;
            fired.queues.iter().for_each(|queue| self.wakes.wake(queue));
            failed.extend(fired.failed);
            next = fired.next;
            if next.is_none() {
                break;
            }
        }
        for (schedule, why) in &failed {
            if last_errors.get(schedule) != Some(why) {
                tracing::error!(%schedule, why, "a schedule did not fire; correct or delete it");
            }
        }
        *last_errors = failed;
        Ok(())
    }
}
