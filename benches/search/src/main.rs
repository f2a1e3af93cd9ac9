//! Prints what docs/figures.md shows, and draws docs/recall.svg: `cargo run --release -p bench-search`.
//!
//! A number of chunks as the argument makes a smaller table, for a try: `cargo run --release -p bench-search -- 30000`. With
//! `whole` it measures one workspace that holds most of the table instead.

mod loading;
mod measure;
mod picture;
mod platform;
mod sides;
mod whole;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use dataset::Dataset;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::db;
use workspace_db_testing::TestDatabase;

use crate::measure::{Measurement, grouped, measure, median};
use crate::platform::Tenant;
use crate::sides::{EMPTY_IVFFLAT, HNSW, MORE_HNSW, SIDES, Searcher, Side, TRAINED_IVFFLAT};

/// Passages that a question asks for.
const K: u32 = 10;
/// Questions to each workspace.
const QUESTIONS: usize = 30;
/// Chunks of the table.
const CHUNKS: usize = 250_000;
/// Chunks of the workspaces that are measured.
const SIZES: [usize; 11] = [10, 35, 100, 300, 800, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];
/// Those that are measured again once the rest of the table has doubled.
const GROWN: [usize; 4] = [35, 2_000, 20_000, 100_000];
/// Rows that are loaded, five times by each side.
const LOADED: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("whole") {
        let mut number =
            |default| arguments.next().map_or(default, |number| number.parse().expect("a number of chunks"));
        return whole::run(number(40_000), number(0)).await;
    }
    let chunks = first.map_or(CHUNKS, |chunks| chunks.parse().expect("a number of chunks"));
    let began = Instant::now();
    let said = |what: &str| eprintln!("[{:>4.0} s] {what}", began.elapsed().as_secs_f64());
    let dataset = Arc::new(Dataset::read());
    let database = platform::tuned().await;
    let folder = std::env::temp_dir().join(format!("workspace-db-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");

    said("loading");
    let empty = database.copy().await.expect("a copy");
    let loaded = loading::compare(&empty, &dataset, LOADED.min(chunks), &folder).await;
    drop(empty);
    std::fs::remove_dir_all(&folder).expect("removed");
    print_loading(&loaded, LOADED.min(chunks));

    said("filling the table");
    let tenants = fill(&database, &dataset, chunks).await;
    said("retraining, as `workspace-db index retrain` does");
    platform::retrain(&database, &said).await;
    said("building HNSW over all vectors");
    let mut owner = db::connect(&database.url().expect("a URL")).await.expect("the owner");
    let create = format!("CREATE INDEX {HNSW} ON document_chunks USING hnsw (vector vector_cosine_ops)");
    owner.batch_execute(&create).await.expect("built");
    platform::vacuum(&database).await;

    said("searching");
    let searcher = Searcher::new(&database).await;
    let all: Vec<&Side> = SIDES.iter().chain(&MORE_HNSW).collect();
    let mut measured = Vec::new();
    println!("\n| chunks of the workspace | plan | recall@{K} mean | worst | p50 ms | p95 ms | queries/s |");
    println!("|---|---|---|---|---|---|---|");
    for tenant in &tenants {
        let of_tenant = measure(&searcher, tenant, &all, &SIDES[1]).await;
        for one in of_tenant.iter().take(SIDES.len()) {
            println!("{}", one.row(tenant.size));
        }
        measured.push((tenant.size, of_tenant));
    }
    print_ratios(&measured);
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recall.svg");
    if chunks == CHUNKS {
        picture::draw(&picture, &measured).expect("a picture");
    }
    drop(searcher);

    said("doubling the rest of the table");
    // What has to be copied twice and filled again, and is not needed any more.
    let drop_indexes = format!("DROP INDEX {HNSW}, {EMPTY_IVFFLAT}, {TRAINED_IVFFLAT}");
    owner.batch_execute(&drop_indexes).await.expect("dropped");
    drop(owner);
    let doubled = database.copy().await.expect("a copy");
    let db = doubled.open(1).await.expect("a database");
    platform::others(&doubled, &db, &dataset, chunks, "more").await;
    drop(db);
    platform::vacuum(&doubled).await;
    platform::vacuum(&database).await;
    said("searching both, by turns");
    println!("\n| chunks of the workspace | p50 ms of {} | of {} | ratio |", grouped(chunks), grouped(2 * chunks));
    println!("|---|---|---|---|");
    for tenant in tenants.iter().filter(|tenant| GROWN.contains(&tenant.size)) {
        let [one, other] = measure::compare([&database, &doubled], tenant, &SIDES[0]).await;
        println!("| {} | {one:.2} | {other:.2} | {:.2} |", grouped(tenant.size), other / one);
    }
    said("done");
}

/// Every workspace that fits into half of the table, and others in the rest of it.
async fn fill(database: &TestDatabase, dataset: &Arc<Dataset>, chunks: usize) -> Vec<Tenant> {
    let mut owner = db::connect(&database.url().expect("a URL")).await.expect("the owner");
    let rename = format!("ALTER INDEX {TRAINED_IVFFLAT} RENAME TO {EMPTY_IVFFLAT}");
    owner.batch_execute(&rename).await.expect("renamed");
    let db = database.open(1).await.expect("a database");
    let mut tenants = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= chunks / 2) {
        tenants.push(platform::tenant(database, &db, dataset, size, QUESTIONS).await);
    }
    let filled: usize = tenants.iter().map(|tenant| tenant.size).sum();
    platform::others(database, &db, dataset, chunks.saturating_sub(filled), "other").await;
    tenants
}

fn print_loading(loaded: &[(&str, Vec<f64>)], rows: usize) {
    let copy = median(&loaded[1].1);
    println!("| loading {} rows | seconds | rows/s | of \\copy |", grouped(rows));
    println!("|---|---|---|---|");
    for (side, seconds) in loaded {
        let all: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.2}")).collect();
        let half = median(seconds);
        println!("| {side} | {half:.2} ({}) | {:.0} | {:.2} |", all.join(", "), rows as f64 / half, copy / half);
    }
}

/// What the goals ask: how many times as fast as exact, and as the fastest HNSW that finds as much.
fn print_ratios(measured: &[(usize, Vec<Measurement>)]) {
    println!("\n| chunks of the workspace | exact / ours | HNSW of equal recall / ours | which |");
    println!("|---|---|---|---|");
    for (size, all) in measured {
        let (ours, exact) = (&all[0], &all[1]);
        let equal =
            |one: &&Measurement| one.side.starts_with("HNSW") && one.mean >= ours.mean && one.worst >= ours.worst;
        let rival = all.iter().filter(equal).min_by(|one, other| one.p50.total_cmp(&other.p50));
        let (ratio, which) =
            rival.map_or((String::new(), "none"), |one| (format!("{:.2}", one.p50 / ours.p50), one.side));
        println!("| {} | {:.2} | {ratio} | {which} |", grouped(*size), exact.p50 / ours.p50);
    }
}
