//! Prints the tables of docs/figures.md: `cargo run --release -p bench-jobs`, which needs npm for pg-boss.
//!
//! `JOBS` is the number of jobs of a round. Every side has a fresh database for every round, on one server.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark ends by panicking, and counts to millions"
)]

use std::time::{Duration, Instant};

use bench_jobs::by_graphile::Graphile;
use bench_jobs::by_pg_boss::PgBoss;
use bench_jobs::by_us::{Of, Us};
use bench_jobs::commits::{Notification, commits_per_second};
use bench_jobs::measure::Server;
use bench_jobs::{Clock, Tally};
use workspace_db_testing::TestDatabase;

/// Rounds, in each of which every side has its turn; odd, so that there is a median.
const ROUNDS: usize = 5;
/// How many times the jobs of a round, where more are enqueued than can be run meanwhile.
const DEEP: u64 = 10;
/// Seconds of jobs at half load.
const PACED: u64 = 3;
/// One producer, who waits for each commit, brings no more.
const FASTEST_PACE: u64 = 1_000;
const NAMES: [&str; 3] = ["workspace-db", "graphile_worker", "pg-boss"];

enum Kind {
    Us(Box<Us>),
    Graphile(Graphile),
    PgBoss(Box<PgBoss>),
}

struct Side {
    kind: Kind,
    server: Server,
    url: String,
    clock: Clock,
    tally: Tally,
}

/// What a round says of a side.
struct Round {
    rate: f64,
    wal: f64,
    held_rate: f64,
    held_dead: f64,
    deep_rate: f64,
}

/// Milliseconds from the call that enqueues a job to its handler, p50 and p99.
type Wait = (f64, f64);

/// A side with jobs that nobody runs.
struct StallError;

impl Side {
    async fn start(name: &str, database: &TestDatabase, of: Of) -> Self {
        let url = database.superuser_url().expect("a URL").expose().to_owned();
        let clock = Clock::start();
        let tally = Tally::new(clock);
        let kind = match name {
            "workspace-db" => Kind::Us(Box::new(Us::start(database, &tally, of).await.expect("it starts"))),
            "graphile_worker" => Kind::Graphile(Graphile::start(&url, &tally).await),
            _ => Kind::PgBoss(Box::new(PgBoss::start(&url).await)),
        };
        let server = Server::connect(&url).await;
        Self { kind, server, url, clock, tally }
    }

    async fn round(&mut self, jobs: u64) -> Result<Round, StallError> {
        self.many(jobs / 10).await?;
        let before = self.server.wal().await;
        let rate = self.many(jobs).await?;
        let wal = (self.server.wal().await - before) / jobs as f64;
        let holder = Server::connect(&self.url).await;
        holder.hold_snapshot().await;
        let held_rate = self.many(jobs * 2).await?;
        let held_dead = self.server.dead_rows().await as f64 / (jobs * 2) as f64;
        drop(holder);
        let deep_rate = self.many(jobs * DEEP).await?;
        Ok(Round { rate, wal, held_rate, held_dead, deep_rate })
    }

    /// At half the rate of many, which it finds out.
    async fn wait(&mut self, jobs: u64) -> Result<Wait, StallError> {
        self.many(jobs / 10).await?;
        let rate = self.many(jobs).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "jobs a second")]
        self.paced(((rate / 2.0) as u64).clamp(1, FASTEST_PACE)).await
    }

    /// Jobs a second, from the first call that enqueues to the last handler.
    async fn many(&mut self, jobs: u64) -> Result<f64, StallError> {
        let begun = Instant::now();
        match &mut self.kind {
            Kind::Us(side) => side.enqueue_many(jobs, &self.clock).await.expect("jobs are enqueued"),
            Kind::Graphile(side) => side.enqueue_many(jobs, &self.clock).await,
            Kind::PgBoss(side) => return Ok(jobs as f64 / side.order(&format!("many {jobs}")).await.seconds),
        }
        self.reach(jobs).await?;
        let rate = jobs as f64 / begun.elapsed().as_secs_f64();
        self.tally.take_latencies().await;
        Ok(rate)
    }

    /// One job after the other at a pace.
    async fn paced(&mut self, rate: u64) -> Result<Wait, StallError> {
        if let Kind::PgBoss(side) = &mut self.kind {
            let measured = side.order(&format!("paced {rate} {PACED}")).await;
            return Ok((measured.p50, measured.p99));
        }
        let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).expect("it fits"));
        for number in 0..rate * PACED {
            pace.tick().await;
            match &self.kind {
                Kind::Us(side) => side.enqueue_one(number, &self.clock).await.expect("a job is enqueued"),
                Kind::Graphile(side) => side.enqueue_one(number, &self.clock).await,
                Kind::PgBoss(_) => {}
            }
        }
        self.reach(rate * PACED).await?;
        let latencies = self.tally.take_latencies().await;
        let at =
            |share: usize| latencies.get(latencies.len() * share / 100).map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
        Ok((at(50), at(99)))
    }

    async fn reach(&self, jobs: u64) -> Result<(), StallError> {
        if self.tally.reach(usize::try_from(jobs).expect("it fits")).await { Ok(()) } else { Err(StallError) }
    }

    async fn stop(&mut self) {
        match &mut self.kind {
            Kind::Us(side) => side.stop().await.expect("it stops"),
            Kind::Graphile(side) => side.stop(),
            Kind::PgBoss(side) => side.stop().await,
        }
    }
}

fn median(of: &[f64]) -> f64 {
    let mut of = of.to_vec();
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let jobs = setting("JOBS", 20_000);
    let database = TestDatabase::alone().await.expect("a server");
    Server::connect(database.superuser_url().expect("a URL").expose()).await.commit_for_good().await;
    against_others(&database, jobs).await;
    println!();
    against_first_in_first_out(&database, jobs).await;
    recovery(&database).await;
    commits(&database).await;
}

async fn against_others(database: &TestDatabase, jobs: u64) {
    let mut rounds: Vec<Vec<Round>> = NAMES.iter().map(|_| Vec::new()).collect();
    let mut waits: Vec<Vec<Wait>> = NAMES.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for turn in 0..NAMES.len() {
            let at = (round + turn) % NAMES.len();
            let name = NAMES[at];
            let stalled = |what| println!("{name} came to a stop in round {round} ({what}), with jobs that nobody ran");
            let own = database.copy().await.expect("a database");
            let mut side = Side::start(name, &own, Of::TenWorkspaces).await;
            match side.round(jobs).await {
                Ok(round) => rounds[at].push(round),
                Err(StallError) => stalled("many at once"),
            }
            side.stop().await;
            let own = database.copy().await.expect("a database");
            let mut side = Side::start(name, &own, Of::TenWorkspaces).await;
            match side.wait(jobs).await {
                Ok(wait) => waits[at].push(wait),
                Err(StallError) => stalled("one by one"),
            }
            side.stop().await;
        }
    }
    println!(
        "| | rounds | jobs/s | jobs/s, deep backlog | jobs/s, snapshot held | dead rows a job, snapshot held | WAL a job, bytes | rounds one by one | wait p50, ms | wait p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for ((name, rounds), waits) in NAMES.iter().zip(&rounds).zip(&waits) {
        let of = |what: fn(&Round) -> f64| median(&rounds.iter().map(what).collect::<Vec<_>>());
        let waited = |what: fn(&Wait) -> f64| median(&waits.iter().map(what).collect::<Vec<_>>());
        println!(
            "| {name} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.0} | {} | {:.1} | {:.1} |",
            rounds.len(),
            of(|round| round.rate),
            of(|round| round.deep_rate),
            of(|round| round.held_rate),
            of(|round| round.held_dead),
            of(|round| round.wal),
            waits.len(),
            waited(|wait| wait.0),
            waited(|wait| wait.1),
        );
    }
}

/// A workspace that is alone, claimed in turns and by age alone.
async fn against_first_in_first_out(database: &TestDatabase, jobs: u64) {
    let (mut fair, mut by_age) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS * 2 {
        let own = database.copy().await.expect("a database");
        let is_fair = round % 2 == 0;
        if !is_fair {
            Server::connect(own.superuser_url().expect("a URL").expose()).await.claim_first_in_first_out().await;
        }
        let mut side = Side::start(NAMES[0], &own, Of::OneWorkspace).await;
        let warm = side.many(jobs / 10).await;
        let rate = side.many(jobs).await;
        side.stop().await;
        let (Ok(_), Ok(rate)) = (warm, rate) else { continue };
        if is_fair { &mut fair } else { &mut by_age }.push(rate);
    }
    let (fair, by_age) = (median(&fair), median(&by_age));
    println!("one workspace alone: {fair:.0} jobs/s in turns, {by_age:.0} by age alone, ratio {:.2}", fair / by_age);
}

/// How long jobs of a dead worker wait, at a lease of ten seconds.
async fn recovery(database: &TestDatabase) {
    let own = database.copy().await.expect("a database");
    let clock = Clock::start();
    let tally = Tally::new(clock);
    let mut us = Us::start(&own, &tally, Of::OneWorkspace).await.expect("it starts");
    us.leave_dead(1_000, &clock).await.expect("they are left");
    assert!(tally.reach(1_000).await, "jobs of the dead were not run");
    let waits = tally.take_latencies().await;
    us.stop().await.expect("it stops");
    println!("recovery of 1,000 jobs at a lease of 10 s: p50 {:.1?}, p99 {:.1?}", waits[500], waits[990]);
}

async fn commits(database: &TestDatabase) {
    let (mut nobody, mut workers) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS * 2 {
        let own = database.copy().await.expect("a database");
        let notification = if round % 2 == 0 { Notification::Off } else { Notification::On };
        let rate = commits_per_second(&own, notification).await.expect("they are enqueued");
        if notification == Notification::Off { &mut nobody } else { &mut workers }.push(rate);
    }
    let (nobody, workers) = (median(&nobody), median(&workers));
    println!(
        "500 enqueuers: {nobody:.0} commits/s without notification, {workers:.0} with, ratio {:.2}",
        workers / nobody
    );
}
