//! The part of a worker that writes how jobs have ended, as many together as have gathered while the last were written.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::claimer::InHand;
use super::lease::Lease;
use super::outcome::{Finished, Outcome, finish};
use super::worker::Shared;
use crate::error::{Error, Result};
use crate::sql_types::JobStatus;

/// Outcomes that one statement writes.
const TOGETHER: usize = 500;
/// How long it waits before it tries again.
const PATIENCE: Duration = Duration::from_millis(200);

/// A job that its handler is done with.
pub(super) struct Ended {
    pub(super) lease: Lease,
    pub(super) outcome: Outcome,
    pub(super) queue: String,
    pub(super) kind: String,
    /// Gone once the end is written.
    pub(super) _in_hand: InHand,
}

pub(super) struct Finisher {
    shared: Arc<Shared>,
    outcomes: mpsc::Receiver<Ended>,
}

impl Finisher {
    pub(super) fn new(shared: Arc<Shared>, outcomes: mpsc::Receiver<Ended>) -> Self {
        Self { shared, outcomes }
    }

    /// Goes on until there is nobody left who could bring an outcome, or until it is told so: a handler that does not yield
    /// can't be dropped, and with it neither its way to here.
    pub(super) async fn run(mut self, mut is_over: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(TOGETHER);
        loop {
            let received = tokio::select! {
                biased;
                received = self.outcomes.recv_many(&mut batch, TOGETHER) => received,
                _ = &mut is_over, if !self.outcomes.is_closed() => {
                    self.outcomes.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    async fn write(&self, batch: Vec<Ended>) {
        let (settled, mut batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|ended| ended.outcome == Outcome::Settled);
        for ended in settled {
            ended.count("settled");
            self.shared.held.let_go(ended.lease);
        }
        while !batch.is_empty() {
            match self.finish(&batch).await {
                Ok(finished) => {
                    for (ended, finished) in batch.iter().zip(finished) {
                        self.note(ended, finished.status);
                    }
                    return;
                }
                Err(error) if error.is_unreachable() || error.is_exhausted() => {
                    tracing::warn!(%error, jobs = batch.len(), "ends of jobs could not be written yet");
                    tokio::time::sleep(PATIENCE).await;
                }
                // One of them is at fault, and takes the others with it.
                Err(_) if batch.len() > 1 => {
                    for ended in std::mem::take(&mut batch) {
                        Box::pin(self.write(vec![ended])).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the end of a job can't be written; it is left to its lease");
                    return batch.iter().for_each(|ended| self.shared.held.let_go(ended.lease));
                }
            }
            // Whose lease has run out has been put back by others.
            batch.retain(|ended| {
                let is_valid = self.shared.held.is_valid(ended.lease);
                if !is_valid {
                    self.note(ended, None);
                }
                is_valid
            });
        }
    }

    async fn finish(&self, batch: &[Ended]) -> Result<Vec<Finished>, Error> {
        finish(&self.shared.db, batch.iter().map(|ended| (ended.lease, ended.outcome.clone()))).await
    }

    /// `status` is that of the job now; none where its lease was over.
    fn note(&self, ended: &Ended, status: Option<JobStatus>) {
        self.shared.held.let_go(ended.lease);
        if status.is_some() {
            ended.count(ended.outcome.label());
        } else {
            tracing::warn!(job = %ended.lease.job(), kind = ended.kind, "the lease of a job was over before its end could be written");
            count_lost(ended.queue.clone(), ended.kind.clone());
        }
    }
}

/// A job was given up, since its lease is over.
pub(super) fn count_lost(queue: String, kind: String) {
    metrics::counter!("workspace_db_jobs_lost_total", "queue" => queue, "kind" => kind).increment(1);
}

impl Ended {
    fn count(&self, outcome: &'static str) {
        let labels = [("queue", self.queue.clone()), ("kind", self.kind.clone()), ("outcome", outcome.to_owned())];
        metrics::counter!("workspace_db_jobs_finished_total", &labels).increment(1);
    }
}
