//! The runtime that claims jobs and runs their handlers.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::active_jobs::ActiveJobs;
use super::claimer::{Claimer, Queue};
use super::completer::{CompletedAttempt, Completer};
use super::handler::{Handler, RunningJob, TypedHandler};
use super::kind::JobKind;
use super::maintenance::{self, Maintainer};
use super::outcome::Outcome;
use crate::error::{Error, Kind, Result};
use crate::tenancy::Database;

/// Jobs of one queue that run at once, where nothing else is asked for.
const CONCURRENCY: usize = 16;
/// Outcomes that may wait for the database before handlers wait with them.
const BACKLOG: usize = 4_096;

/// Claims jobs and runs their handlers, until it is told to stop.
///
/// One process has one or more, any number of processes work off the same queues. A job runs at least once: where a worker
/// dies, its leases run out and others take over; where one was only slow, nothing that it still does to the database by its
/// job's scope is committed. What happens outside of the database can happen twice.
///
/// A handler that blocks its thread belongs into [`spawn_blocking`](tokio::task::spawn_blocking): tokio's timers and sockets can
/// stand still behind it, and with them the heartbeats of all jobs of this process, which others then take over.
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

/// What the parts of a worker share.
pub(super) struct WorkerContext {
    pub(super) db: Database,
    pub(super) name: String,
    pub(super) handlers: HashMap<&'static str, Arc<dyn Handler>>,
    pub(super) active_jobs: ActiveJobs,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
    pub(super) shutdown_grace: Duration,
}

/// When a worker ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RunMode {
    UntilStopped,
    UntilEmpty,
}

impl Worker {
    /// A worker without handlers, which runs nothing yet.
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

    /// What runs the jobs of a kind, and has the kind's queue worked off. Jobs of other kinds are left to other workers.
    ///
    /// A handler's error and its panic are attempts that failed. One that takes longer than the kind's time-out is dropped.
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

    /// How many jobs of a queue run here at once; 16 unless said. It may be one that its kinds were of before: jobs stay in
    /// the queue that they were enqueued for.
    #[must_use]
    pub fn concurrency(mut self, queue: impl Into<String>, most: usize) -> Self {
        self.queues.insert(queue.into(), most);
        self
    }

    /// What others see as the holder of its jobs; unless said, the number of the process and something random.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// After how long without a sign of life others take its jobs over; 30 s unless said. A heartbeat comes each third of
    /// it, so it has to be longer than the database may be out of reach; at most [`MAX_LEASE`](super::MAX_LEASE).
    #[must_use]
    pub fn lease(self, length: Duration) -> Self {
        Self { lease: length, ..self }
    }

    /// How often it looks for jobs that nobody told it of, such as those whose time has come; 1 s unless said.
    #[must_use]
    pub fn poll(self, interval: Duration) -> Self {
        Self { poll: interval, ..self }
    }

    /// How long handlers may go on once it has been told to stop; 30 s unless said. What runs then is dropped, and waits again.
    #[must_use]
    pub fn shutdown_grace_period(self, deadline: Duration) -> Self {
        Self { shutdown_grace: deadline, ..self }
    }

    /// Works until `stop` is ready, then ends what it has in hand, and returns.
    ///
    /// While the database is out of reach it tries again, and does not return.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where there is no queue, or a setting is out of bounds;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the database has no login of the platform;
    /// [`is_unreachable`](Error::is_unreachable) where it can't be reached at the start.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        self.work(stop, RunMode::UntilStopped).await
    }

    /// Works until nothing more can be claimed, then returns: for a test, or a worker that a timer starts.
    ///
    /// What its jobs enqueue for any of its queues is done too. Jobs whose time has not come are left.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn drain(self) -> Result<()> {
        self.work(std::future::pending(), RunMode::UntilEmpty).await
    }

    async fn work(self, stop: impl Future<Output = ()>, until: RunMode) -> Result<()> {
        self.check()?;
        // A wrong login is told now, and not as a line in the log each second.
        super::lease::rescue(&self.db, 0).await?;
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
        let wakes: HashMap<String, Arc<Notify>> =
            queues.iter().map(|queue| (queue.name.clone(), Arc::clone(&queue.wake))).collect();
        let (ended, outcomes) = mpsc::channel::<CompletedAttempt>(BACKLOG);
        let (over, is_over) = oneshot::channel();
        let (written, is_written) = oneshot::channel();
        let finisher = Completer::new(Arc::clone(&shared), outcomes);
        let keeper = Maintainer::new(Arc::clone(&shared), wakes.clone());
        // Dropped, and ended with it, when this returns.
        let mut beside = JoinSet::new();
        beside.spawn(async move {
            finisher.run(is_over).await;
            let _ = written.send(());
        });
        beside.spawn(maintenance::extend(Arc::clone(&shared)));
        beside.spawn(keeper.clone().rescue());
        beside.spawn(keeper.fire());
        beside.spawn(maintenance::listen(Arc::clone(&shared), wakes));

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
        // Every claimer is gone, so what waits is written, and then this ends.
        let _ = over.send(());
        let written = is_written.await;
        match worked_off.err().or(death) {
            Some(error) => Err(died().caused_by(error)),
            None => written.map_err(|error| died().caused_by(error)),
        }
    }

    fn check(&self) -> Result<()> {
        if self.queues.is_empty() {
            return Err(Error::invalid("the worker has no queue to work off").remedy("give it a handler"));
        }
        if let Some((queue, _)) = self.queues.iter().find(|(_, concurrency)| **concurrency == 0) {
            return Err(
                Error::invalid(format!("of queue {queue:?} 0 jobs may run at once")).remedy("ask for at least 1")
            );
        }
        super::lease::check(self.lease)?;
        if self.lease < Duration::from_secs(1) {
            return Err(Error::invalid(format!("a lease of {:?} runs out before its heartbeat", self.lease))
                .remedy("give it at least 1 s"));
        }
        if self.poll.is_zero() {
            return Err(Error::invalid("a poll each 0 s never sleeps").remedy("ask for at least a millisecond"));
        }
        Ok(())
    }
}

/// Has the queues worked off until it is time to stop, or until a lap of all of them claims nothing.
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
    Error::new(Kind::Interrupted, "a part of the worker died")
}
