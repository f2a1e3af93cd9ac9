//! What is measured, of every queue alike.
#![expect(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends by panicking, and is read whole"
)]

pub mod by_graphile;
pub mod by_pg_boss;
pub mod by_us;
pub mod commits;
pub mod measure;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

/// Jobs that run at once, on every side.
pub const CONCURRENCY: usize = 64;
/// Jobs that are enqueued by one call, where many are.
pub const TOGETHER: usize = 1_000;

/// The arguments of every job: a number, and some text as of an id or two.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arguments {
    pub number: u64,
    /// When it was enqueued, in nanoseconds since the benchmark began.
    pub at: u64,
    pub text: String,
}

impl Arguments {
    #[must_use]
    pub fn new(number: u64, clock: &Clock) -> Self {
        Self { number, at: clock.now(), text: "0193a5b8-5d2e-7c4f-9b1a-2f6d8c0e4a71".to_owned() }
    }
}

/// One clock for producers and handlers.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What the handlers tell.
#[derive(Clone, Debug)]
pub struct Tally(Arc<TallyInner>);

#[derive(Debug)]
struct TallyInner {
    clock: Clock,
    started: AtomicUsize,
    latencies: Mutex<Vec<Duration>>,
    more: Notify,
}

impl Tally {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let (started, latencies, more) = (AtomicUsize::new(0), Mutex::default(), Notify::new());
        Self(Arc::new(TallyInner { clock, started, latencies, more }))
    }

    /// A handler has begun.
    pub async fn started(&self, arguments: &Arguments) {
        let waited = Duration::from_nanos(self.0.clock.now().saturating_sub(arguments.at));
        self.0.latencies.lock().await.push(waited);
        self.0.started.fetch_add(1, Ordering::Release);
        self.0.more.notify_one();
    }

    /// Whether so many have begun within half a minute of the last one.
    pub async fn reach(&self, jobs: usize) -> bool {
        while self.0.started.load(Ordering::Acquire) < jobs {
            if tokio::time::timeout(Duration::from_secs(30), self.0.more.notified()).await.is_err() {
                return false;
            }
        }
        true
    }

    /// How long each waited, the shortest first; from now on anew.
    pub async fn take_latencies(&self) -> Vec<Duration> {
        let mut latencies = std::mem::take(&mut *self.0.latencies.lock().await);
        latencies.sort_unstable();
        self.0.started.store(0, Ordering::Release);
        latencies
    }
}
