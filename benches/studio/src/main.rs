//! Prints the table of docs/figures.md: `cargo run --release -p bench-studio`.
//!
//! `ROWS` is how many events the database has, ten million where nothing is said; there are a third as many jobs. Half of
//! both are one workspace's, the rest a thousand others'. Each page is asked for once, and then `ROUNDS` times over one
//! connection, all pages in turns.
#![expect(clippy::expect_used, reason = "a benchmark ends by panicking")]

use std::env;
use std::future::pending;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;
use ureq::Agent;
use workspace_db::config::Config;
use workspace_db::db::connect;
use workspace_db::embeddings::FeatureHashing;
use workspace_db_studio::{Studio, StudioOptions};
use workspace_db_testing::{TestDatabase, seed};

/// Odd, so that there is a median.
const ROUNDS: usize = 11;

#[tokio::main]
async fn main() {
    let rows: u64 = env::var("ROWS").map_or(10_000_000, |rows| rows.parse().expect("ROWS is a number"));
    let database = TestDatabase::new().await.expect("a database");
    let mut conn = connect(&database.superuser_url().expect("a URL")).await.expect("a connection");
    let large = seed(&mut conn, "large").await.expect("seeded");
    let began = Instant::now();
    // Each by itself, since VACUUM runs in no transaction, and what is sent together is one.
    for statement in loading(&large.workspace.to_string(), rows) {
        conn.batch_execute(&statement).await.expect("loaded");
    }
    eprintln!("{rows} events and {} jobs in {:.0} s", rows / 3, began.elapsed().as_secs_f64());
    let config = Config { database_url: Some(database.url().expect("a URL")), ..database.config().expect("a config") };
    let listen = "127.0.0.1:0".parse().expect("an address");
    let options = StudioOptions { listen, may_write: false, embedders: vec![Box::new(FeatureHashing)] };
    let studio = Studio::bind(&config, options).await.expect("a studio");
    let link = studio.link();
    tokio::spawn(studio.serve(pending()));
    let view = large.workspace.to_string();
    tokio::task::spawn_blocking(move || measure(&link, &view)).await.expect("measured");
}

fn loading(large: &str, rows: u64) -> Vec<String> {
    let workspace =
        format!("CASE WHEN n % 2 = 0 THEN '{large}'::uuid ELSE lpad(to_hex(n % 1000 + 1000), 32, '0')::uuid END");
    vec![
        "INSERT INTO workspaces (id, slug, name, default_language)
            SELECT lpad(to_hex(n + 1000), 32, '0')::uuid, 'w' || n, 'Workspace ' || n, 'en' FROM generate_series(0, 999) n"
            .to_owned(),
        format!(
            "INSERT INTO analytics_events (workspace_id, event_type, source, user_identifier, properties, occurred_at)
                SELECT {workspace}, 'kind ' || n % 7, CASE WHEN n % 100000 = 0 THEN 'rare' ELSE 'web' END,
                    'user ' || n % 5000, jsonb_build_object('n', n), now() - n * interval '1 second'
                FROM generate_series(1, {rows}) n"
        ),
        format!(
            "INSERT INTO jobs (workspace_id, job_type, status, started_at, completed_at)
                SELECT {workspace}, 'reindex', 'completed', now() - n * interval '2 seconds', now() - n * interval '1 second'
                FROM generate_series(1, {rows} / 3) n"
        ),
        "VACUUM ANALYZE analytics_events".to_owned(),
        "VACUUM ANALYZE jobs".to_owned(),
        "ANALYZE workspaces".to_owned(),
    ]
}

/// What is asked for: its name, and its address.
fn pages(view: &str) -> Vec<(&'static str, String)> {
    let far = "after=%5B%222026-10-01+00%3A00%3A00%2B00%22%2C%2280000000-0000-4000-8000-000000000000%22%5D";
    let events = format!("/{view}/tables/analytics_events");
    vec![
        ("the workspaces", "/".to_owned()),
        ("the tables", format!("/{view}/tables")),
        ("the schema with its diagram", format!("/{view}/schema")),
        ("rows, the first page", events.clone()),
        ("rows, by time, in the middle", format!("{events}?sort=-occurred_at&{far}")),
        ("rows, filtered by an indexed column", format!("{events}?fc=conversation_id&fo=is&fv={view}")),
        ("rows, filtered by another column", format!("{events}?fc=source&fo=is&fv=rare")),
        ("rows with a text somewhere", format!("{events}?q=rare")),
        ("rows of all workspaces", "/platform/tables/analytics_events".to_owned()),
        ("a row with what refers to it", format!("/{view}/tables/workspaces/row?k.id={view}")),
        ("jobs", format!("/{view}/jobs")),
        ("jobs of all workspaces", "/platform/jobs".to_owned()),
        ("conversations", format!("/{view}/conversations")),
        ("the audit log", format!("/{view}/audit")),
        ("the map", format!("/{view}/map")),
        ("the doctor", format!("/{view}/doctor")),
        ("the doctor's findings, which follow", format!("/{view}/doctor/checks")),
    ]
}

fn measure(link: &str, view: &str) {
    let agent: Agent = Agent::config_builder().max_redirects(0).build().into();
    let let_in = agent.get(link).call().expect("let in");
    let cookie = let_in.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).expect("a cookie");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let address = link.split("/enter").next().expect("an address");
    let ask = |path: &str| {
        let began = Instant::now();
        let mut answer = agent.get(format!("{address}{path}")).header("cookie", &cookie).call().expect("a page");
        let bytes = answer.body_mut().read_to_string().expect("a body").len();
        (began.elapsed(), bytes)
    };
    let pages = pages(view);
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); pages.len()];
    let bytes: Vec<usize> = pages.iter().map(|(_, path)| ask(path).1).collect();
    for _ in 0..ROUNDS {
        for ((_, path), times) in pages.iter().zip(&mut times) {
            times.push(ask(path).0);
        }
    }
    println!("| page | median | slowest | kB |\n|---|---|---|---|");
    for (((name, _), mut times), bytes) in pages.into_iter().zip(times).zip(bytes) {
        times.sort();
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {} |",
            ms(times.get(ROUNDS / 2)),
            ms(times.last()),
            bytes.div_ceil(1000)
        );
    }
}
