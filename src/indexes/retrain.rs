//! Executes the steps that are due, without blocking readers and writers.

use postgres_protocol::escape::escape_identifier;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::{NEW_SHARED_INDEX, TRAINED_ON};
use super::status::{IndexAction, load_status};
use crate::config::DatabaseUrl;
use crate::db;
use crate::error::{Error, ErrorKind, Result};
use crate::sql_types::DIMENSIONS;

/// Advisory lock of a retraining, "wsix" in ASCII.
const ADVISORY_LOCK: i64 = 0x7773_6978;
/// Settings of the session. The server would otherwise continue a build whose client has ended, and keep the lock until
/// then. A build may take long, whatever timeouts the login has.
const SESSION_SETTINGS: &str = "SET client_connection_check_interval = '1s';
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'idle_session_timeout')";
/// Interval at which the progress is queried.
const WATCHED_EVERY: Duration = Duration::from_millis(250);
/// Bytes of memory that HNSW needs for a vector of 1,536 bits and its part of the graph; measured: 48 MB for 100,000
/// vectors.
const BYTES_A_NODE: u64 = 1_024;
/// Candidates for the neighbours of a new node. With pgvector's 64, a question can miss a group of near copies that is larger
/// than a node's 32 neighbours: docs/decisions/vector-search.md.
const EF_CONSTRUCTION: u32 = 256;
/// Minimum memory of a build in megabytes: PostgreSQL's own default.
const MIN_MEMORY: u64 = 64;

/// Progress of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexProgress {
    /// The step.
    pub step: IndexAction,
    /// Phase as the server names it; empty if the server does not report one.
    pub phase: String,
    /// Completed units of the phase.
    pub done: u64,
    /// Total units of the phase; 0 if the server does not know.
    pub total: u64,
}

/// Executes everything that [`status`](super::status()) says is due, and returns the executed steps.
///
/// Indexes are built and dropped CONCURRENTLY. This blocks no reader or writer, and waits for older transactions. Only one
/// retraining runs in a database at a time. A killed run leaves an invalid index, which the next run drops and builds; its
/// server process ends within about a second. If the future is dropped, the build is cancelled. `on_progress` is called at
/// the beginning of each step and four times a second, with data of pg_stat_progress_create_index.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if another retraining is running;
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if `owner` may not set the database's defaults, which is the
/// last step; [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure). Completed
/// steps remain.
pub async fn retrain(
    owner: &DatabaseUrl,
    own_index_from: u32,
    on_progress: &(dyn Fn(&IndexProgress) + Sync),
) -> Result<Vec<IndexAction>> {
    let mut worker = db::client(owner).await?;
    let watcher = db::client(owner).await?;
    if !worker.query_one("SELECT pg_try_advisory_lock($1)", &[&ADVISORY_LOCK]).await?.try_get::<_, bool>(0)? {
        let error = Error::new(ErrorKind::Conflict, "another process is retraining the indexes of this database");
        return Err(error.remedy("wait until it ends; the server ends the session of a killed process within seconds"));
    }
    worker.batch_execute(SESSION_SETTINGS).await?;
    let pid: i32 = worker.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    let due = load_status(&mut worker, own_index_from).await?.due;
    let abandoned = db::CancelOnDrop::new(owner, &worker)?;
    for step in &due {
        on_progress(&IndexProgress { step: step.clone(), phase: String::new(), done: 0, total: 0 });
        with_progress(do_step(&worker, step), &watcher, pid, step, on_progress).await?;
    }
    abandoned.disarm();
    // Closing the session is not enough: the runtime may close its socket later.
    worker.execute("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await?;
    Ok(due)
}

async fn do_step(worker: &Client, step: &IndexAction) -> Result<()> {
    match step {
        IndexAction::DropLeftOver { index } | IndexAction::Drop { index, .. } => {
            worker.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", escape_identifier(index))).await?;
        }
        IndexAction::Train { index, lists, chunks } => {
            allow_memory(worker, training_megabytes(*lists)).await?;
            // Not REINDEX: it needs a change of the number of lists first. That waits for every query that has planned with
            // the index, and blocks later ones.
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
                 WITH (ef_construction = {EF_CONSTRUCTION}) WHERE workspace_id = '{workspace}'"
            );
            worker.batch_execute(&create).await?;
        }
        // Another vacuum of the table does the same work.
        IndexAction::Vacuum { .. } => worker.batch_execute("VACUUM (ANALYZE, SKIP_LOCKED) document_chunks").await?,
        IndexAction::Set { setting, value } => set_default(worker, setting, value).await?,
    }
    Ok(())
}

/// Raises `maintenance_work_mem`. With less memory than it needs, a build fails (IVFFlat) or takes many times as long
/// (HNSW).
async fn allow_memory(worker: &Client, megabytes: u64) -> Result<()> {
    let megabytes = megabytes.max(MIN_MEMORY);
    let set = format!(
        "SELECT set_config('maintenance_work_mem', '{megabytes}MB', false)
         WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < {megabytes} * 1048576::bigint"
    );
    Ok(worker.batch_execute(&set).await?)
}

/// Returns the megabytes that k-means needs: the samples, the distances of each to each centre, and three copies of the
/// centres.
/// Source: `ElkanKmeans` of pgvector 0.8.
fn training_megabytes(lists: u32) -> u64 {
    let lists = u64::from(lists);
    let vector = 4 * DIMENSIONS as u64 + 8;
    let samples = (50 * lists).max(10_000);
    let bytes = samples * (vector + 4 * lists + 16) + 3 * lists * vector + 8 * lists * lists;
    bytes / 1_000_000 + MIN_MEMORY
}

async fn set_default(worker: &Client, setting: &str, value: &str) -> Result<()> {
    // Until pgvector is loaded, its settings are unknown names, which only a superuser may store.
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
            Error::new(ErrorKind::MissingPrerequisite, "only the owner of the database can set its defaults")
                .remedy(format!("as the owner, run: {alter}"))
                .caused_by(error)
        }
        _ => Error::from(error),
    })
}

/// Runs `work` on the worker, and meanwhile reports the progress of its server process.
async fn with_progress(
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
        // Some phases report the number of tuples, others that of blocks.
        let query = "SELECT phase, CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END,
                CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END
            FROM pg_stat_progress_create_index WHERE pid = $1";
        // If the query fails, the work continues without progress.
        if let Ok(Some(row)) = watcher.query_opt(query, &[&pid]).await {
            let count = |at| row.get::<_, Option<i64>>(at).unwrap_or(0).unsigned_abs();
            on_progress(&IndexProgress { step: step.clone(), phase: row.get(0), done: count(1), total: count(2) });
        }
    }
}
