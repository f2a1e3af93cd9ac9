//! Part of a worker that puts back the jobs of dead workers, and ends the answers of dead writers.

use std::time::Duration;

use super::queue::WakeSignals;
use super::ticker::ticker;
use crate::conversations::interrupt_expired;
use crate::error::Result;
use crate::jobs::lease::rescue;
use crate::sql_types::JobStatus;
use crate::tenancy::Database;

/// Interval of the search for expired leases.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of jobs that one statement rescues.
const TOGETHER: usize = 500;
/// Maximum number of answers that one statement interrupts, because it locks their conversations.
const ANSWERS_TOGETHER: u32 = 100;

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
            if let Err(error) = self.interrupt_answers().await {
                tracing::warn!(%error, "failed to interrupt answers with expired leases");
            }
        }
    }

    async fn interrupt_answers(&self) -> Result<()> {
        for answer in interrupt_expired(&self.db, ANSWERS_TOGETHER).await? {
            tracing::warn!(message = %answer.message, workspace = %answer.workspace, "the lease of an answer expired");
            metrics::counter!("workspace_db_answers_interrupted_total").increment(1);
        }
        Ok(())
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
