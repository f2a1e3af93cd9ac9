//! Part of a worker that puts back the jobs of dead workers.

use std::time::Duration;

use super::queue::WakeSignals;
use super::ticker::ticker;
use crate::error::Result;
use crate::jobs::lease::rescue;
use crate::sql_types::JobStatus;
use crate::tenancy::Database;

/// Interval of the search for expired leases.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of jobs that one statement rescues.
const TOGETHER: usize = 500;

/// Rescues jobs of all workers.
pub(super) struct Rescuer {
    db: Database,
    wakes: WakeSignals,
}

impl Rescuer {
    pub(super) fn new(db: Database, wakes: WakeSignals) -> Self {
        Self { db, wakes }
    }

    pub(super) async fn run(self) {
        let mut each = ticker(INTERVAL);
        loop {
            each.tick().await;
            if let Err(error) = self.rescue_expired().await {
                tracing::warn!(%error, "failed to rescue jobs with expired leases");
            }
        }
    }

    async fn rescue_expired(&self) -> Result<()> {
        loop {
            let rescued = rescue(&self.db, TOGETHER).await?;
            for job in &rescued {
                tracing::warn!(job = %job.job, workspace = %job.workspace, kind = job.kind, status = %job.status, "the lease of a job expired");
                let labels = [("queue", job.queue.clone()), ("kind", job.kind.clone())];
                metrics::counter!("workspace_db_jobs_rescued_total", &labels).increment(1);
                if job.status == JobStatus::Queued {
                    self.wakes.wake(&job.queue);
                }
            }
            if rescued.len() < TOGETHER {
                return Ok(());
            }
        }
    }
}
