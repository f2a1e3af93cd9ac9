//! Prints the table of the README: `cargo run --release -p bench-cost`. With `-- start-up`, what the start-up check takes; with
//! `-- raw`, what raw SQL of a workspace costs, whose connection is closed.

use std::time::Instant;

use bench_cost::by_hand::Hand;
use bench_cost::by_sea_orm::SeaOrm;
use bench_cost::by_sqlx::Sqlx;
use bench_cost::by_us::Us;
use bench_cost::{Fixture, Operation, latency};
use workspace_db::config::{Config, DatabaseUrl};
use workspace_db::doctor::fit_to_serve;

/// Rounds, in each of which every side has its turn; odd, so that there is a median.
const ROUNDS: usize = 15;

/// Runs of each side before it is measured.
const WARM_UP: usize = 10;

enum Side {
    Us(Box<Us>),
    Hand(Hand),
    WithoutPolicies(Hand),
    Sqlx(Sqlx),
    SeaOrm(SeaOrm),
}

impl Side {
    fn name(&self) -> &'static str {
        match self {
            Self::Us(_) => "workspace-db",
            Self::Hand(_) => "by hand",
            Self::WithoutPolicies(_) => "by hand, no policies",
            Self::Sqlx(_) => "sqlx",
            Self::SeaOrm(_) => "sea-orm",
        }
    }

    async fn run(&mut self, operation: Operation) -> usize {
        match self {
            Self::Us(side) => side.run(operation).await,
            Self::Hand(side) | Self::WithoutPolicies(side) => side.run(operation).await,
            Self::Sqlx(side) => side.run(operation).await,
            Self::SeaOrm(side) => side.run(operation).await,
        }
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn main() {
    // One thread, so that what a side allocates is what this thread allocates.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let fixture = runtime.block_on(Fixture::new());
    if std::env::args().any(|argument| argument == "start-up") {
        return runtime.block_on(start_up(&fixture));
    }
    if std::env::args().any(|argument| argument == "raw") {
        return runtime.block_on(raw(&fixture));
    }
    let mut sides = runtime.block_on(async {
        let superuser = fixture.database.superuser_url().expect("a URL");
        [
            Side::Us(Box::new(Us::new(&fixture, fixture.database.config().expect("URLs")).await)),
            Side::Hand(Hand::new(&fixture, &fixture.app()).await),
            Side::WithoutPolicies(Hand::new(&fixture, &superuser).await),
            Side::Sqlx(Sqlx::new(&fixture).await),
            Side::SeaOrm(SeaOrm::new(&fixture).await),
        ]
    });
    println!("| operation | {} |", sides.each_ref().map(Side::name).join(" | "));
    println!("|---|{}", "---|".repeat(sides.len()));
    for (operation, times) in Operation::ALL {
        let mut micros = vec![Vec::new(); sides.len()];
        for round in 0..ROUNDS {
            runtime.block_on(fixture.tidy());
            // Statements are prepared and plans made, again after a VACUUM; PostgreSQL settles on a plan after five runs.
            for side in &mut sides {
                for _ in 0..WARM_UP {
                    runtime.block_on(side.run(operation));
                }
            }
            // Each in its turn is the first, which has what was left undone before it.
            for turn in 0..sides.len() {
                let at = (round + turn) % sides.len();
                let began = Instant::now();
                runtime.block_on(async {
                    for _ in 0..times {
                        sides[at].run(operation).await;
                    }
                });
                #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
                micros[at].push(began.elapsed().as_secs_f64() * 1e6 / times as f64);
            }
        }
        let allocations = sides.each_mut().map(|side| {
            allocation_counter::measure(|| {
                runtime.block_on(side.run(operation));
            })
            .count_total
        });
        let medians: Vec<f64> = micros.into_iter().map(median).collect();
        let cells: Vec<String> = medians
            .iter()
            .zip(allocations)
            .map(|(micros, count)| format!("{micros:.0} µs ({:.2}), {count} allocations", micros / medians[1]))
            .collect();
        println!("| {} | {} |", operation.name(), cells.join(" | "));
    }
    runtime.block_on(round_trips(&fixture));
}

/// The same row by a scoped query and by raw SQL, in turns: `cargo run --release -p bench-cost -- raw`.
async fn raw(fixture: &Fixture) {
    let mut us = Us::new(fixture, fixture.database.config().expect("URLs")).await;
    let (mut scoped, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..51 {
        let began = Instant::now();
        us.run(Operation::Fetch).await;
        let fetched = began.elapsed();
        // The connection that it costs is made for the next statement.
        us.fetch_raw().await;
        us.run(Operation::Fetch).await;
        scoped.push(fetched.as_secs_f64() * 1e3);
        raw.push((began.elapsed() - 2 * fetched).as_secs_f64() * 1e3);
        us.run(Operation::Fetch).await;
    }
    println!(
        "a scoped fetch: {:.2} ms; the same under_row_security, with the next connection: {:.2} ms",
        median(scoped),
        median(raw)
    );
}

/// Measures the steps before a backend serves: `cargo run --release -p bench-cost -- start-up`.
async fn start_up(fixture: &Fixture) {
    let (mut opening, mut asking, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..51 {
        let began = Instant::now();
        let db = fixture.database.open(2).await.expect("a database");
        let opened = began.elapsed();
        fit_to_serve(&db).await.expect("a database that is fit");
        let checked = began.elapsed();
        fit_to_serve(&db).await.expect("a database that is fit");
        opening.push(opened.as_secs_f64() * 1e3);
        asking.push((checked - opened).as_secs_f64() * 1e3);
        again.push((began.elapsed() - checked).as_secs_f64() * 1e3);
    }
    let worst = asking.iter().copied().fold(0.0, f64::max);
    println!(
        "open: {:.1} ms; fit_to_serve: {:.1} ms, at worst {worst:.1} ms; once more: {:.1} ms",
        median(opening),
        median(asking),
        median(again)
    );
}

/// How many round trips a read takes, told by a clock: 10 ms each.
async fn round_trips(fixture: &Fixture) {
    let port = latency::before(fixture.database.port()).await;
    let through = |url: &DatabaseUrl| -> DatabaseUrl {
        let direct = format!(":{}/", fixture.database.port());
        url.expose().replace(&direct, &format!(":{port}/")).parse().expect("a URL")
    };
    let direct = fixture.database.config().expect("URLs");
    let config = Config {
        database_app_url: direct.database_app_url.as_ref().map(through),
        database_platform_url: direct.database_platform_url.as_ref().map(through),
        ..direct
    };
    let mut sides = [
        Side::Us(Box::new(Us::new(fixture, config).await)),
        Side::Hand(Hand::new(fixture, &through(&fixture.app())).await),
    ];
    // What one takes by this clock: the timers of the proxy round up.
    let Side::Hand(hand) = &sides[1] else { unreachable!("the second is by hand") };
    let mut trips = Vec::new();
    for _ in 0..11 {
        let began = Instant::now();
        hand.trip().await;
        trips.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let trip = median(trips);
    println!("\nWith 5 ms each way, an empty statement takes {trip:.1} ms, and a fetch by id:");
    for side in &mut sides {
        side.run(Operation::Fetch).await;
        let mut millis = Vec::new();
        for _ in 0..11 {
            let began = Instant::now();
            side.run(Operation::Fetch).await;
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let millis = median(millis);
        println!("{}: {millis:.1} ms, {:.1} round trips", side.name(), millis / trip);
    }
}
