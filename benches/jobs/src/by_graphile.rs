//! graphile_worker, with the settings of its benchmark of throughput, a local queue of 100 and 8 at once, and completions
//! gathered for 5 ms as in that of speed. With the 500 at once and the queue of 5,000 of the latter it comes to a stop
//! with jobs that nobody has, wherever jobs come one by one.

use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use tokio::task::JoinHandle;

use crate::{Arguments, Clock, TOGETHER, Tally};

#[derive(Clone, Debug)]
struct Counter(Tally);

impl TaskHandler for Arguments {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(counter) = context.get_ext::<Counter>() {
            counter.0.started(&self).await;
        }
        Ok::<(), String>(())
    }
}

pub struct Graphile {
    utils: WorkerUtils,
    running: JoinHandle<()>,
}

impl Graphile {
    /// # Panics
    ///
    /// Where it does not start.
    pub async fn start(url: &str, tally: &Tally) -> Self {
        let worker = WorkerOptions::default()
            .database_url(url)
            .max_pg_conn(24)
            .concurrency(8)
            .complete_job_batch_delay(Duration::from_millis(5))
            .local_queue(LocalQueueConfig::default().with_size(100))
            .listen_os_shutdown_signals(false)
            .add_extension(Counter(tally.clone()))
            .define_job::<Arguments>()
            .init()
            .await
            .expect("graphile_worker starts");
        let utils = worker.create_utils();
        let running = tokio::spawn(async move { worker.run().await.expect("graphile_worker runs") });
        Self { utils, running }
    }

    /// # Panics
    ///
    /// Where it does not take them.
    pub async fn enqueue_many(&self, jobs: u64, clock: &Clock) {
        let spec = JobSpec::default();
        for from in (0..jobs).step_by(TOGETHER) {
            let some: Vec<_> = (from..(from + TOGETHER as u64).min(jobs))
                .map(|number| (Arguments::new(number, clock), &spec))
                .collect();
            self.utils.add_jobs(&some).await.expect("jobs are added");
        }
    }

    /// # Panics
    ///
    /// Where it does not take it.
    pub async fn enqueue_one(&self, number: u64, clock: &Clock) {
        self.utils.add_job(Arguments::new(number, clock), JobSpec::default()).await.expect("a job is added");
    }

    /// At once: told to stop, it waits for as long as its local queue may hold jobs, which is five minutes.
    pub fn stop(&mut self) {
        self.running.abort();
    }
}
