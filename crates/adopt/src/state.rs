//! The progress of an adoption, in a separate schema of the target.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, GenericClient, Transaction};
use uuid::Uuid;

use super::tables::TABLES;
use workspace_db::db::roles::PLATFORM_ROLE;
use workspace_db::{Error, ErrorKind, Result};

/// Key of the advisory lock of adoptions, "wsda" in ASCII.
const ADVISORY_LOCK: i64 = 0x7773_6461;
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

const MAKE: &str = "
CREATE SCHEMA IF NOT EXISTS workspace_db_adoption;
CREATE TABLE IF NOT EXISTS workspace_db_adoption.progress (
    table_name text PRIMARY KEY,
    last_key uuid,
    rows bigint NOT NULL DEFAULT 0,
    is_copied boolean NOT NULL DEFAULT false,
    -- Transactions from here on may have written what was not seen.
    horizon bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS workspace_db_adoption.set_aside (
    table_name text NOT NULL,
    key uuid NOT NULL,
    reason text NOT NULL,
    is_kept boolean NOT NULL,
    -- True if the reason depends on other rows.
    is_relative boolean NOT NULL,
    old_row json NOT NULL,
    PRIMARY KEY (table_name, key, reason)
);
ALTER TABLE workspace_db_adoption.set_aside ADD COLUMN IF NOT EXISTS is_relative boolean NOT NULL DEFAULT true;
CREATE TABLE IF NOT EXISTS workspace_db_adoption.switched (at timestamptz PRIMARY KEY DEFAULT now());
-- In place: the new objects that took the place of the old ones, and the foreign keys of other tables that were moved to them.
CREATE TABLE IF NOT EXISTS workspace_db_adoption.moved (kind text, object oid, PRIMARY KEY (kind, object));
CREATE TABLE IF NOT EXISTS workspace_db_adoption.foreign_keys
    (of_table oid, name text, definition text NOT NULL, PRIMARY KEY (of_table, name));
";

/// Progress of a table.
pub(super) struct TableProgress {
    pub(super) last_key: Option<Uuid>,
    pub(super) rows: u64,
    pub(super) is_copied: bool,
    pub(super) horizon: i64,
}

/// Excludes other adoptions until the connection ends.
pub(super) async fn lock(target: &Client) -> Result<()> {
    let began = Instant::now();
    // The server may not have noticed yet that the previous connection ended.
    while began.elapsed() < PATIENCE {
        if target.query_one("SELECT pg_try_advisory_lock($1)", &[&ADVISORY_LOCK]).await?.get(0) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Error::new(ErrorKind::Conflict, "another adoption into this database is running").remedy("wait until it ends"))
}

/// Begins an adoption, or finds the progress of an earlier run. The database must be empty at the beginning.
pub(super) async fn open(source: &Client, target: &Client) -> Result<()> {
    if !is_open(target).await? {
        let full = format!(
            "BEGIN; SET LOCAL ROLE {PLATFORM_ROLE};
             SELECT (SELECT count(*) FROM workspaces) + (SELECT count(*) FROM admin_users) AS rows; COMMIT"
        );
        let rows = target.simple_query(&full).await?;
        let rows = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        if rows.as_deref() != Some("0") {
            return Err(Error::new(ErrorKind::Conflict, "the database already has workspaces or administrators").remedy(
                "adopt into a migrated, empty database: with WORKSPACE_DB_ENV=production, the migrations insert no workspaces or administrators",
            ));
        }
    }
    // An earlier version made some of them.
    let grant = format!(
        "GRANT USAGE ON SCHEMA workspace_db_adoption TO {PLATFORM_ROLE};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA workspace_db_adoption TO {PLATFORM_ROLE}"
    );
    target.batch_execute(&format!("BEGIN; SET LOCAL client_min_messages = warning; {MAKE} {grant}; COMMIT")).await?;
    let horizon = horizon(source).await?;
    for mapping in TABLES {
        let begin =
            "INSERT INTO workspace_db_adoption.progress (table_name, horizon) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        target.execute(begin, &[&mapping.table, &horizon]).await?;
    }
    Ok(())
}

pub(super) async fn is_open(target: &Client) -> Result<bool> {
    let there = "SELECT to_regclass('workspace_db_adoption.progress') IS NOT NULL";
    Ok(target.query_one(there, &[]).await?.get(0))
}

pub(super) async fn is_switched(target: &Client) -> Result<bool> {
    Ok(target.query_one("SELECT EXISTS (SELECT FROM workspace_db_adoption.switched)", &[]).await?.get(0))
}

/// Returns the oldest transaction that may still write. Rows of earlier transactions are visible.
pub(super) async fn horizon(source: &impl GenericClient) -> Result<i64> {
    let query = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    Ok(source.query_one(query, &[]).await?.get(0))
}

pub(super) async fn progress(target: &impl GenericClient, table: &str) -> Result<TableProgress> {
    let query = "SELECT last_key, rows, is_copied, horizon FROM workspace_db_adoption.progress WHERE table_name = $1";
    let row = target.query_opt(query, &[&table]).await?;
    // A switch back forgets the progress.
    let Some(row) = row else { return Ok(TableProgress { last_key: None, rows: 0, is_copied: false, horizon: 0 }) };
    Ok(TableProgress {
        last_key: row.get(0),
        rows: row.get::<_, i64>(1).unsigned_abs(),
        is_copied: row.get(2),
        horizon: row.get(3),
    })
}

/// Returns the keys of a table's rows that are set aside, or differ, for a reason that depends on other rows.
pub(super) async fn set_aside_for_others(target: &impl GenericClient, table: &str) -> Result<Vec<Uuid>> {
    let query = "SELECT coalesce(array_agg(DISTINCT key), '{}') FROM workspace_db_adoption.set_aside
        WHERE table_name = $1 AND is_relative";
    Ok(target.query_one(query, &[&table]).await?.get(0))
}

/// Notes that every table was caught up with, up to this transaction.
pub(super) async fn set_horizon(target: &impl GenericClient, horizon: i64) -> Result<()> {
    target.execute("UPDATE workspace_db_adoption.progress SET horizon = $1", &[&horizon]).await?;
    Ok(())
}

/// Drops the adoption's own tables, and fails if others depend on them.
pub(super) async fn close(transaction: &Transaction<'_>) -> Result<()> {
    let drop =
        "DROP TABLE workspace_db_adoption.progress, workspace_db_adoption.set_aside, workspace_db_adoption.switched,
            workspace_db_adoption.moved, workspace_db_adoption.foreign_keys;
        DROP SCHEMA workspace_db_adoption";
    Ok(transaction.batch_execute(drop).await?)
}
