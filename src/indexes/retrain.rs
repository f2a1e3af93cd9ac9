//! Doing what is due, without standing in anybody's way.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::{NEW_SHARED_INDEX, TRAINED_ON};
use super::status::{IndexAction, load_status};
use crate::config::DatabaseUrl;
use crate::db;
use crate::error::{Error, Kind, Result};
use crate::sql_types::DIMENSIONS;

/// The advisory lock of whoever retrains, "wsix" in ASCII.
const ADVISORY_LOCK: i64 = 0x7773_6978;
/// A build whose process is gone would go on, and keep the lock, until it is done; and one that takes long is no mistake,
/// whatever time-outs the login has.
const SESSION: &str = "SET client_connection_check_interval = '1s';
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'idle_session_timeout')";
/// How often the server is asked how far it is.
const WATCHED_EVERY: Duration = Duration::from_millis(250);
/// What HNSW needs in memory for a vector of 1,536 bits, with what its graph takes; measured: 48 MB for 100,000.
const BYTES_A_NODE: u64 = 1_024;
/// What a build gets at least, in megabytes: PostgreSQL's own default.
const LEAST_MEMORY: u64 = 64;

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexProgress {
    /// The step.
    pub step: IndexAction,
    /// What the server is about, in its own words; empty where it does not say.
    pub phase: String,
    /// How much of the phase is done, in its unit.
    pub done: u64,
    /// How much there is; 0 where the server does not know.
    pub total: u64,
}

/// Does everything that [`status`](super::status()) says is due, and returns what was done.
///
/// Indexes are built and dropped CONCURRENTLY, so nobody waits for it to read or to write; it waits for transactions that are
/// older. One at a time in a database. A run that is killed leaves an invalid index, which the next one drops and
/// builds; its server process ends within a second or so, and one whose future is dropped is cancelled. `on_progress` is told at the beginning of each step and four
/// times a second, from pg_stat_progress_create_index.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) where another one is at it; [`is_missing_prerequisite`](Error::is_missing_prerequisite)
/// where `owner` may not set the database's defaults, which come last; [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure). What was done before stays.
pub async fn retrain(
    owner: &DatabaseUrl,
    own_index_from: u32,
    on_progress: &(dyn Fn(&IndexProgress) + Sync),
) -> Result<Vec<IndexAction>> {
    let mut worker = db::client(owner).await?;
    let watcher = db::client(owner).await?;
    if !worker.query_one("SELECT pg_try_advisory_lock($1)", &[&ADVISORY_LOCK]).await?.try_get::<_, bool>(0)? {
        let error = Error::new(Kind::Conflict, "the indexes of this database are being retrained by somebody else");
        return Err(error.remedy("wait for it to end; one that was killed is gone within seconds"));
    }
    worker.batch_execute(SESSION).await?;
    let pid: i32 = worker.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    let due = load_status(&mut worker, own_index_from).await?.due;
    let abandoned = db::CancelOnDrop::new(owner, &worker)?;
    for step in &due {
        on_progress(&IndexProgress { step: step.clone(), phase: String::new(), done: 0, total: 0 });
        watched(do_step(&worker, step), &watcher, pid, step, on_progress).await?;
    }
    abandoned.disarm();
    // Closing the session is not enough: its socket closes when the runtime comes to it.
    worker.execute("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await?;
    Ok(due)
}

async fn do_step(worker: &Client, step: &IndexAction) -> Result<()> {
    match step {
        IndexAction::DropLeftOver { index } | IndexAction::Drop { index, .. } => {
            worker.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quoted(index))).await?;
        }
        IndexAction::Train { index, lists, chunks } => {
            allow_memory(worker, training_megabytes(*lists)).await?;
            // Not REINDEX: the number of lists would have to be changed first, which waits for every query that has
            // planned with the index, with every later one behind it.
            let new = NEW_SHARED_INDEX;
            let columns = format!("USING ivfflat (vector vector_cosine_ops) WITH (lists = {lists})");
            for statement in [
                format!("DROP INDEX CONCURRENTLY IF EXISTS {new}"),
                format!("CREATE INDEX CONCURRENTLY {new} ON document_chunks {columns}"),
                format!("COMMENT ON INDEX {new} IS '{TRAINED_ON}{chunks}'"),
                format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"),
                format!("ALTER INDEX {new} RENAME TO {index}"),
            ] {
                worker.batch_execute(&statement).await?;
            }
        }
        IndexAction::Build { index, workspace, chunks } => {
            allow_memory(worker, chunks * BYTES_A_NODE / 1_048_576).await?;
            let create = format!(
                "CREATE INDEX CONCURRENTLY {index} ON document_chunks USING hnsw (vector_bits bit_hamming_ops)
                 WHERE workspace_id = '{workspace}'"
            );
            worker.batch_execute(&create).await?;
        }
        IndexAction::Set { setting, value } => set_default(worker, setting, value).await?,
    }
    Ok(())
}

/// A name of the catalog's, as it must stand in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A build that has less memory than it needs fails (IVFFlat) or takes many times as long (HNSW).
async fn allow_memory(worker: &Client, megabytes: u64) -> Result<()> {
    let megabytes = megabytes.max(LEAST_MEMORY);
    let set = format!(
        "SELECT set_config('maintenance_work_mem', '{megabytes}MB', false)
         WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < {megabytes} * 1048576::bigint"
    );
    Ok(worker.batch_execute(&set).await?)
}

/// What k-means takes: the samples, the distances of each to each centre, and the centres thrice.
/// Source: `ElkanKmeans` of pgvector 0.8.
fn training_megabytes(lists: u32) -> u64 {
    let lists = u64::from(lists);
    let vector = 4 * DIMENSIONS as u64 + 8;
    let samples = (50 * lists).max(10_000);
    let bytes = samples * (vector + 4 * lists + 16) + 3 * lists * vector + 8 * lists * lists;
    bytes / 1_000_000 + LEAST_MEMORY
}

async fn set_default(worker: &Client, setting: &str, value: &str) -> Result<()> {
    // Before pgvector is loaded its settings are names of nothing, which only a superuser may store.
    worker.batch_execute("SELECT '[1]'::vector").await?;
    let alter: String = worker
        .query_one(
            "SELECT format('ALTER DATABASE %I SET ', current_database()) || $1 || ' = ' || $2",
            &[&setting, &value],
        )
        .await?
        .try_get(0)?;
    worker.batch_execute(&alter).await.map_err(|error| match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Error::new(Kind::MissingPrerequisite, "the database's defaults can only be set by its owner")
                .remedy(format!("let them run: {alter}"))
                .caused_by(error)
        }
        _ => Error::from(error),
    })
}

/// Runs `work` on the worker, and tells meanwhile what its server process says of itself.
async fn watched(
    work: impl Future<Output = Result<()>>,
    watcher: &Client,
    pid: i32,
    step: &IndexAction,
    on_progress: &(dyn Fn(&IndexProgress) + Sync),
) -> Result<()> {
    let mut work = pin!(work);
    loop {
        let pause = pin!(tokio::time::sleep(WATCHED_EVERY));
        work = match select(work, pause).await {
            Either::Left((done, _)) => return done,
            Either::Right(((), work)) => work,
        };
        // The number of tuples is known in some phases, that of blocks in others.
        let query = "SELECT phase, CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END,
                CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END
            FROM pg_stat_progress_create_index WHERE pid = $1";
        // Where it can't be asked, the work goes on all the same.
        if let Ok(Some(row)) = watcher.query_opt(query, &[&pid]).await {
            let count = |at| row.get::<_, Option<i64>>(at).unwrap_or(0).unsigned_abs();
            on_progress(&IndexProgress { step: step.clone(), phase: row.get(0), done: count(1), total: count(2) });
        }
    }
}
