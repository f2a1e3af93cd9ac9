//! Runtime that claims jobs and runs their handlers. Each of its parts is one file:
//!
//! | part | task |
//! |---|---|
//! | claimer, one for each queue | claims jobs ahead of its free slots |
//! | executor, one call for each job | waits for a slot and runs the handler |
//! | completer | writes the outcomes in batches |
//! | heartbeat | extends the leases of claimed jobs |
//! | rescuer | puts back the jobs of dead workers |
//! | scheduler | enqueues the jobs of due schedules |
//! | listener | wakes the claimers at notifications |

mod active_jobs;
mod capacity;
mod claimer;
mod completer;
mod context;
mod cursors;
mod executor;
mod heartbeat;
mod listener;
mod queue;
mod rescuer;
mod scheduler;
mod ticker;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use self::active_jobs::ActiveJobs;
use self::claimer::{Claimer, RunMode};
use self::completer::{CompletedAttempt, Completer};
use self::context::WorkerContext;
use self::queue::{Queue, WakeSignals};
use self::rescuer::Rescuer;
use self::scheduler::Scheduler;
use super::handler::{Handler, RunningJob, TypedHandler};
use super::kind::JobKind;
use super::lease;
use super::outcome::Outcome;
use crate::error::{Error, ErrorKind, Result};
use crate::tenancy::Database;

/// Default number of jobs of one queue that run at once.
const CONCURRENCY: usize = 16;
/// Maximum number of outcomes that wait to be written; beyond it, handlers wait too.
const BACKLOG: usize = 4_096;

/// Claims jobs and runs their handlers until it is stopped.
///
/// A process runs one or more workers, and any number of processes share the same queues. A job runs at least once. If
/// a worker dies, its leases expire and other workers take over. If a worker is only slow, no later change by its job's
/// scope is committed. External effects can happen twice.
///
/// Run blocking code of a handler in [`spawn_blocking`](tokio::task::spawn_blocking). Otherwise tokio's timers and
/// sockets can stop, and with them the heartbeats of all jobs of this process. Other workers then take these jobs over.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use workspace_db::Result;
/// use workspace_db::jobs::{JobKind, Outcome, RunningJob, Worker};
/// use workspace_db::tenancy::Database;
///
/// #[derive(Serialize, Deserialize)]
/// struct Greet {
///     name: String,
/// }
/// impl JobKind for Greet {
///     const NAME: &'static str = "greet";
/// }
///
/// # async fn example(db: &Database) -> Result<()> {
/// Worker::new(db)
///     .handle(async |job: RunningJob<Greet>| {
///         println!("hello, {}", job.arguments.name);
///         Ok::<_, workspace_db::Error>(Outcome::Done)
///     })
///     .concurrency("default", 32)
///     .run(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
///     .await
/// # }
/// ```
pub struct Worker {
    db: Database,
    name: String,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    queues: BTreeMap<String, usize>,
    lease: Duration,
    poll: Duration,
    shutdown_grace: Duration,
}

impl Worker {
    /// Creates a worker without handlers, which runs nothing yet.
    #[must_use]
    pub fn new(db: &Database) -> Self {
        Self {
            db: db.clone(),
            name: format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
            handlers: HashMap::new(),
            queues: BTreeMap::new(),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(30),
        }
    }

    /// Sets the handler of a kind, and adds the kind's queue. Jobs of other kinds are left to other workers.
    ///
    /// An error or a panic of the handler fails the attempt. A handler that exceeds the kind's timeout is dropped.
    #[must_use]
    pub fn handle<K, F, Fut, E>(mut self, handler: F) -> Self
    where
        K: JobKind,
        F: Fn(RunningJob<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: Display,
    {
        self.handlers.insert(K::NAME, TypedHandler::<K, F>::handler(handler));
        self.queues.entry(K::QUEUE.to_owned()).or_insert(CONCURRENCY);
        self
    }

    /// Sets how many jobs of a queue run at once in this worker, 16 by default. It also accepts a former queue of a
    /// kind: jobs stay in the queue that they were enqueued for.
    #[must_use]
    pub fn concurrency(mut self, queue: impl Into<String>, jobs: usize) -> Self {
        self.queues.insert(queue.into(), jobs);
        self
    }

    /// Sets the name of the worker in its leases; by default the process id and a random part.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the duration of a lease, 30 s by default. Without heartbeats, other workers take the jobs over after this
    /// time. A lease is extended after a third of it, so it must be longer than an outage of the database; at most
    /// [`MAX_LEASE`](super::MAX_LEASE).
    #[must_use]
    pub fn lease(self, length: Duration) -> Self {
        Self { lease: length, ..self }
    }

    /// Sets the interval of polls for jobs without a notification, such as scheduled jobs; 1 s by default.
    #[must_use]
    pub fn poll(self, interval: Duration) -> Self {
        Self { poll: interval, ..self }
    }

    /// Sets how long handlers may continue after a stop, 30 s by default. Handlers that still run are then dropped, and
    /// their jobs are requeued.
    #[must_use]
    pub fn shutdown_grace_period(self, deadline: Duration) -> Self {
        Self { shutdown_grace: deadline, ..self }
    }

    /// Runs until `stop` is ready, then finishes the claimed jobs and returns.
    ///
    /// While the database is unreachable, it retries and does not return.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if there is no queue, or a setting is out of bounds;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the database has no platform login;
    /// [`is_unreachable`](Error::is_unreachable) if it can't be reached at the start.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        self.work(stop, RunMode::UntilStopped).await
    }

    /// Runs until no more jobs can be claimed, then returns; for a test, or for a worker that a timer starts.
    ///
    /// It also runs jobs that its jobs enqueue for its queues. Jobs that are scheduled for later remain.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run).
    pub async fn drain(self) -> Result<()> {
        self.work(std::future::pending(), RunMode::UntilEmpty).await
    }

    async fn work(self, stop: impl Future<Output = ()>, until: RunMode) -> Result<()> {
        self.check()?;
        // A wrong login is reported here, and not as a line in the log every second.
        lease::rescue(&self.db, 0).await?;
        let queues = self.queues;
        let shared = Arc::new(WorkerContext {
            db: self.db,
            name: self.name,
            handlers: self.handlers,
            active_jobs: ActiveJobs::default(),
            lease: self.lease,
            poll: self.poll,
            shutdown_grace: self.shutdown_grace,
        });
        let queues: Vec<Queue> =
            queues.into_iter().map(|(name, concurrency)| Queue { name, concurrency, wake: Arc::default() }).collect();
        let wakes = WakeSignals::new(&queues);
        let (ended, outcomes) = mpsc::channel::<CompletedAttempt>(BACKLOG);
        let (over, is_over) = oneshot::channel();
        let (written, is_written) = oneshot::channel();
        let completer = Completer::new(Arc::clone(&shared), outcomes);
        let rescuer = Rescuer::new(shared.db.clone(), wakes.clone());
        let scheduler = Scheduler::new(shared.db.clone(), wakes.clone());
        // Dropping the set aborts its tasks when this function returns.
        let mut beside = JoinSet::new();
        beside.spawn(async move {
            completer.run(is_over).await;
            let _ = written.send(());
        });
        beside.spawn(heartbeat::extend_leases(Arc::clone(&shared)));
        beside.spawn(rescuer.run());
        beside.spawn(scheduler.run());
        beside.spawn(listener::listen(shared.db.clone(), wakes));

        let stopping = watch::Sender::new(false);
        let work = run_queues(&shared, &queues, &ended, &stopping, until);
        tokio::pin!(stop, work);
        let mut death = None;
        let worked_off = loop {
            tokio::select! {
                worked_off = &mut work => break worked_off,
                () = &mut stop, if !*stopping.borrow() => {}
                Some(Err(error)) = beside.join_next() => death = Some(error),
            }
            stopping.send_replace(true);
        };
        // All claimers have ended; the completer writes the remaining outcomes and stops.
        let _ = over.send(());
        let written = is_written.await;
        match worked_off.err().or(death) {
            Some(error) => Err(died().caused_by(error)),
            None => written.map_err(|error| died().caused_by(error)),
        }
    }

    fn check(&self) -> Result<()> {
        if self.queues.is_empty() {
            return Err(Error::invalid("the worker has no queue").remedy("register a handler"));
        }
        if let Some((queue, _)) = self.queues.iter().find(|(_, concurrency)| **concurrency == 0) {
            return Err(
                Error::invalid(format!("the concurrency of queue {queue:?} is 0")).remedy("set it to at least 1")
            );
        }
        lease::check(self.lease)?;
        if self.lease < Duration::from_secs(1) {
            return Err(Error::invalid(format!("a lease of {:?} expires before its first heartbeat", self.lease))
                .remedy("set it to at least 1 s"));
        }
        if self.poll.is_zero() {
            return Err(Error::invalid("the poll interval is 0 s").remedy("set it to at least 1 ms"));
        }
        Ok(())
    }
}

/// Runs the claimers of all queues until the worker is stopped, or until a round of all queues claims nothing.
async fn run_queues(
    shared: &Arc<WorkerContext>,
    queues: &[Queue],
    ended: &mpsc::Sender<CompletedAttempt>,
    stopping: &watch::Sender<bool>,
    until: RunMode,
) -> Result<(), JoinError> {
    loop {
        let mut claimers = JoinSet::new();
        for queue in queues {
            let claimer = Claimer::new(Arc::clone(shared), queue.clone(), ended.clone());
            claimers.spawn(claimer.run(stopping.subscribe(), until));
        }
        let (mut claimed, mut death) = (0, Ok(()));
        while let Some(of_queue) = claimers.join_next().await {
            match of_queue {
                Ok(jobs) => claimed += jobs,
                Err(error) => {
                    death = Err(error);
                    stopping.send_replace(true);
                }
            }
        }
        if death.is_err() || claimed == 0 || *stopping.borrow() {
            return death;
        }
    }
}

fn died() -> Error {
    Error::new(ErrorKind::Interrupted, "a task of the worker ended unexpectedly")
}
