//! What one workspace does costs the others little.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use workspace_db::config::Config;
use workspace_db::id::WorkspaceId;
use workspace_db::jobs::{JobKind, NewJob, NewSchedule, enqueue_all, schedule};
use workspace_db::models::Document;
use workspace_db::schema::{document_chunks, documents};
use workspace_db::search::{MAX_K, MAX_NEIGHBOURS, SearchChunks as _};
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, Result};
use workspace_db_testing::{TestDatabase, workspace};

use super::{ALONE, RUNS};

const ALONE_FOR: Duration = Duration::from_secs(10);
const WORST_FOR: Duration = Duration::from_secs(60);
/// Times of the neighbour's 99th of a hundred with and without.
const BOUND: f64 = 2.0;
const PASSAGES: u32 = 3_000;
const JOBS: u64 = 10_000;
const JOBS_AT_ONCE: u64 = 1_000;

#[derive(Serialize, Deserialize)]
struct Nothing {
    padding: String,
}

impl JobKind for Nothing {
    const NAME: &'static str = "nothing";
}

/// A workspace with passages of words that a question can name. What depends on `n` is made anew for each row.
async fn filled(conn: &mut diesel_async::AsyncPgConnection, slug: &str) -> WorkspaceId {
    let id = workspace(conn, slug).await.unwrap().id;
    let rows = format!(
        "INSERT INTO documents (workspace_id, id, title, status, metadata)
            SELECT '{id}', gen_random_uuid(), 'Document ' || n, 'ready', jsonb_build_object('n', n) FROM generate_series(1, 100) n;
         INSERT INTO document_chunks (workspace_id, id, document_id, chunk_index, content, embedding_model, vector, language)
            SELECT '{id}', gen_random_uuid(), d.id, n / 100,
                (SELECT string_agg('w' || (random() * 400)::int, ' ') FROM generate_series(1, 120 + n * 0)),
                'model', (SELECT array_agg(random() - 0.5) FROM generate_series(1, 1536 + n * 0))::vector, 'en'
            FROM generate_series(0, {PASSAGES} - 1) n
            JOIN (SELECT id, row_number() OVER () - 1 AS at FROM documents WHERE workspace_id = '{id}') d ON d.at = n % 100"
    );
    conn.batch_execute(&rows).await.unwrap();
    id
}

/// What a visitor of a well-behaved workspace asks for.
async fn visit(db: &Database, scope: &WorkspaceScope) -> Result<()> {
    let mut ws = db.workspace(scope).await?;
    let answer = document_chunks::table.in_workspace(scope).full_text("w7 w21", 10).run(&mut ws).await?;
    assert_eq!(answer.returned, 10);
    let listed: Vec<Document> =
        documents::table.in_workspace(scope).order(documents::id).limit(20).load(&mut ws).await?;
    assert_eq!(listed.len(), 20);
    Ok(())
}

/// The 99th of a hundred times of a visit, again and again for so long.
async fn p99(db: &Database, scope: &WorkspaceScope, lasts: Duration) -> (Duration, usize) {
    let (mut times, end) = (Vec::new(), Instant::now() + lasts);
    while Instant::now() < end {
        let began = Instant::now();
        visit(db, scope).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    (times[times.len() * 99 / 100], times.len())
}

/// What is asked for, made once: what making it costs is the greedy one's own.
struct Worst {
    question: String,
    titles: Vec<String>,
    metadata: Value,
    jobs_left: AtomicU64,
}

impl Worst {
    fn new() -> Self {
        Self {
            question: (0..400).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "),
            titles: (0..10_000).map(|n| format!("No title {n}")).collect(),
            metadata: (0..700).map(|n| (format!("k{n}"), json!(n))).collect(),
            jobs_left: AtomicU64::new(JOBS),
        }
    }
}

/// Each is the worst of one kind that the public API takes.
async fn worst(db: &Database, scope: &WorkspaceScope, kind: usize, of: &Worst) -> Result<()> {
    let mut ws = db.workspace(scope).await?;
    match kind {
        // The longest question, of the most frequent words, for the most passages with all their neighbours.
        0 => {
            let search = document_chunks::table.in_workspace(scope).full_text(&of.question, MAX_K);
            search.neighbours(MAX_NEIGHBOURS).run(&mut ws).await.map(drop)
        }
        // Deep pages in an order without an index.
        1 => {
            let chunks = document_chunks::table.in_workspace(scope).order(document_chunks::content.desc());
            let page = chunks.select(document_chunks::content).offset(i64::from(PASSAGES) - 100).limit(100);
            page.load::<String>(&mut ws).await.map(drop)
        }
        // A filter of many values, and metadata of nearly the most bytes.
        2 => {
            let found = documents::table.in_workspace(scope).filter(documents::title.eq_any(&of.titles));
            found.load::<Document>(&mut ws).await?;
            let search =
                document_chunks::table.in_workspace(scope).full_text("w1", MAX_K).metadata(of.metadata.clone());
            search.run(&mut ws).await.map(drop)
        }
        // As many jobs as there are in a run, once: each of the tasks adds its part of them.
        3 => {
            let left =
                of.jobs_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(JOBS_AT_ONCE));
            if left.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Ok(());
            }
            let job = || NewJob::new(Nothing { padding: "x".repeat(200) });
            enqueue_all(&mut ws, (0..JOBS_AT_ONCE).map(|_| job())).await.map(drop)
        }
        4 => {
            for number in 0..101 {
                let new = NewSchedule::new(format!("s{number}"), "* * * * *", Nothing { padding: String::new() });
                schedule(&mut ws, new).await?;
            }
            Ok(())
        }
        // A transaction that locks all of its rows and then does nothing, with its connection.
        _ => {
            ws.transaction(async |tx| {
                documents::table.in_workspace(scope).for_update().load::<Document>(tx).await?;
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok::<_, Error>(())
            })
            .await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_at_its_worst_leaves_the_others_their_time() {
    let _alone = ALONE.lock().await;
    let database = TestDatabase::new().await.unwrap();
    let mut conn = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let (a, b) = (filled(&mut conn, "a").await, filled(&mut conn, "b").await);
    conn.batch_execute("VACUUM (ANALYZE)").await.unwrap();
    // A share of half the processors.
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let config = Config {
        pool_size: 2 * processors,
        workspace_connections: Some((processors / 2).max(1)),
        ..database.config().unwrap()
    };
    let db = Database::open(&config).await.unwrap();
    let (greedy, other) = (WorkspaceScope::unchecked(a, "a test"), WorkspaceScope::unchecked(b, "a test"));
    // As a process of its own would: what is measured is what they share, which is the server and the pool.
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    p99(&db, &other, Duration::from_secs(1)).await;
    for run in 1..=RUNS {
        let (alone, visits) = p99(&db, &other, ALONE_FOR).await;
        let of = Arc::new(Worst::new());
        let done = Arc::new([const { AtomicU64::new(0) }; 6]);
        let is_over = Arc::new(AtomicBool::new(false));
        let attack: Vec<_> = (0..12)
            .map(|task| {
                let (db, greedy) = (db.clone(), greedy.clone());
                let (of, done, is_over) = (Arc::clone(&of), Arc::clone(&done), Arc::clone(&is_over));
                elsewhere.spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        match worst(&db, &greedy, task % 6, &of).await {
                            Ok(()) => done[task % 6].fetch_add(1, Ordering::Relaxed),
                            Err(error) if error.is_exhausted() || error.is_timed_out() || error.is_conflict() => 0,
                            Err(error) => panic!("kind {}: {error}", task % 6),
                        };
                    }
                })
            })
            .collect();
        let (meanwhile, visits_meanwhile) = p99(&db, &other, WORST_FOR).await;
        is_over.store(true, Ordering::Relaxed);
        for task in attack {
            task.await.unwrap();
        }
        let ratio = meanwhile.as_secs_f64() / alone.as_secs_f64();
        let done: Vec<u64> = done.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        println!(
            "run {run}: p99 {alone:?} alone ({visits}), {meanwhile:?} beside it ({visits_meanwhile}), {ratio:.2}; it did {done:?}"
        );
        if ratio <= BOUND {
            elsewhere.shutdown_background();
            return;
        }
    }
    panic!("in each of {RUNS} runs the neighbour's p99 was more than {BOUND} of alone");
}
