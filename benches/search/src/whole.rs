//! One workspace that holds most of the table: `cargo run --release -p bench-search -- whole 1000000 200000`.
//!
//! The arguments are the chunks of the workspace, 40,000 by default, and of the others, none by default. It is measured from the first
//! search after the load on: without statistics and without a visibility map, after `vacuum_after_load`, and with an index of its own.

use std::sync::Arc;
use std::time::Instant;

use dataset::Dataset;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::tenancy::WorkspaceScope;
use workspace_db::{db, indexes, transfer};
use workspace_db_testing::TestDatabase;

use crate::measure::{Measurement, Pass, grouped};
use crate::platform;
use crate::sides::SIDES;

/// Questions of each state. Each is also answered once by comparing all vectors, which takes seconds at a million.
const QUESTIONS: usize = 20;

pub async fn run(chunks: usize, others: usize) {
    let began = Instant::now();
    let said = |what: &str| eprintln!("[{:>4.0} s] {what}", began.elapsed().as_secs_f64());
    let dataset = Arc::new(Dataset::read());
    let database = platform::tuned().await;
    without_autovacuum(&database).await;
    let owner = database.url().expect("a URL");
    let db = database.open(1).await.expect("a database");

    said("loading");
    platform::others(&database, &db, &dataset, others, "other").await;
    let load_began = Instant::now();
    let tenant = platform::tenant(&database, &db, &dataset, chunks, QUESTIONS).await;
    let seconds = load_began.elapsed().as_secs_f64();
    println!("| {} chunks of {} | |", grouped(chunks), grouped(chunks + others));
    println!("|---|---|");
    println!("| load | {seconds:.0} s, {:.0} chunks/s |", chunks as f64 / seconds);

    said("searching right after the load");
    let (ours, exact) = (&SIDES[0], &SIDES[1]);
    let after_load = Pass::over(&database, &tenant, ours).await;
    let vacuum_began = Instant::now();
    indexes::vacuum_after_load(&owner, chunks as u64).await.expect("vacuumed");
    println!("| vacuum_after_load | {:.1} s |", vacuum_began.elapsed().as_secs_f64());
    let vacuumed = Pass::over(&database, &tenant, ours).await;

    said("retraining");
    let retrain_began = Instant::now();
    platform::retrain(&database, &said).await;
    println!("| index retrain | {:.0} s |", retrain_began.elapsed().as_secs_f64());
    let indexed = Pass::over(&database, &tenant, ours).await;
    // Last, so that it warms no cache for the others. Without statistics, one by hand takes half a minute at 40,000 chunks.
    let truth = Pass::over(&database, &tenant, exact).await;
    print_search("search right after the load", &after_load.measured(ours, &truth));
    print_search("search after vacuum_after_load", &vacuumed.measured(ours, &truth));
    print_search("search after index retrain", &indexed.measured(ours, &truth));
    print_search("exact search", &truth.measured(exact, &truth));

    said("exporting");
    let archive = std::env::temp_dir().join(format!("workspace-db-bench-{}.archive", std::process::id()));
    let scope = WorkspaceScope::unchecked_administer(tenant.workspace, "a benchmark");
    let export_began = Instant::now();
    let manifest = transfer::export(&db, &scope, &archive, &|_| ()).await.expect("exported");
    let bytes = std::fs::metadata(&archive).expect("an archive").len();
    let seconds = export_began.elapsed().as_secs_f64();
    std::fs::remove_file(&archive).expect("removed");
    println!("| export | {seconds:.0} s, {} rows, {} MB |", grouped(manifest.rows() as usize), bytes / 1_000_000);
    print_sizes(&database).await;
    println!("| peak memory of this process | {} MB |", peak_memory());
    said("done");
}

/// The state of the first minute would otherwise end at any moment of the run.
async fn without_autovacuum(database: &TestDatabase) {
    let mut superuser = db::connect(&database.superuser_url().expect("a URL")).await.expect("a superuser");
    superuser.batch_execute("ALTER SYSTEM SET autovacuum = off").await.expect("set");
    superuser.batch_execute("SELECT pg_reload_conf()").await.expect("reloaded");
}

fn print_search(what: &str, measured: &Measurement) {
    let Measurement { p50, mean, worst, .. } = measured;
    println!("| {what} | p50 {p50:.1} ms, recall {mean:.3}, worst {worst:.1} |");
}

async fn print_sizes(database: &TestDatabase) {
    let superuser = database.superuser_url().expect("a URL");
    let client = db::client(&superuser).await.expect("a superuser");
    let query = "SELECT pg_table_size('document_chunks') / 1000000, pg_indexes_size('document_chunks') / 1000000";
    let row = client.query_one(query, &[]).await.expect("sizes");
    println!("| table, its indexes | {} MB, {} MB |", row.get::<_, i64>(0), row.get::<_, i64>(1));
}

/// Peak of the resident memory of this process in MB, as Linux counts it.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1_000
}
