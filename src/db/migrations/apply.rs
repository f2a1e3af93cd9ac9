//! Execution of one migration, up or down, with retries.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio_postgres::Client;

use super::connection::MigrationConnection;
use super::failure::MigrationFailure;
use super::history;
use super::source::Migration;
use super::statements::MigrationStatement;
use crate::config::Environment;
use crate::error::Result;

/// Direction of a migration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up(Environment),
    Down,
}

impl Direction {
    fn file(self) -> &'static str {
        if self == Self::Down { "down.sql" } else { "up.sql" }
    }
}

pub(super) async fn up(
    conn: &MigrationConnection,
    migration: &Migration,
    environment: Environment,
    attempts: usize,
) -> Result<()> {
    repeat(conn, migration, Direction::Up(environment), attempts).await
}

pub(super) async fn down(conn: &MigrationConnection, migration: &Migration, attempts: usize) -> Result<()> {
    repeat(conn, migration, Direction::Down, attempts).await
}

/// Runs a migration with retries. In the pauses, readers and writers that wait behind its lock request can proceed.
async fn repeat(
    conn: &MigrationConnection,
    migration: &Migration,
    direction: Direction,
    attempts: usize,
) -> Result<()> {
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(15))
        .with_max_times(attempts.saturating_sub(1));
    let mut pauses = pauses.build();
    let mut tried = 0;
    loop {
        tried += 1;
        conn.refresh().await?;
        let Err(failure) = once(conn.client(), migration, direction).await else { return Ok(()) };
        if failure.is_worth_another_try()
            && let Some(pause) = pauses.next()
        {
            tracing::warn!(place = failure.place(), tried, ?pause, "lock not available, retrying");
            tokio::time::sleep(pause).await;
            continue;
        }
        let holders = if failure.is_worth_another_try() { conn.holders().await } else { None };
        return Err(failure.into_error(tried, holders));
    }
}

async fn once(client: &Client, migration: &Migration, direction: Direction) -> Result<(), MigrationFailure> {
    if !migration.runs_in_transaction() {
        return outside_a_transaction(client, migration, direction).await;
    }
    let done = within_a_transaction(client, migration, direction).await;
    if done.is_err() {
        // If the connection is lost, the server has rolled back the transaction.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    done
}

async fn within_a_transaction(
    client: &Client,
    migration: &Migration,
    direction: Direction,
) -> Result<(), MigrationFailure> {
    let around = |what| move |error| MigrationFailure::around(migration, what, error);
    client.batch_execute("BEGIN").await.map_err(around("BEGIN"))?;
    if direction == Direction::Up(Environment::Production) {
        client
            .batch_execute("SET LOCAL workspace_db.bootstrap = 'off'")
            .await
            .map_err(around("changing the session settings"))?;
    }
    let path = search_path(client).await.map_err(around("changing the session settings"))?;
    for statement in statements(migration, direction) {
        run(client, migration, direction, &statement).await?;
    }
    record(client, migration, direction, &path).await?;
    client.batch_execute("COMMIT").await.map_err(around("COMMIT"))
}

/// Runs a migration without a transaction. After an interruption, the next run repeats the statement, which is
/// repeatable, and drops a half-built index.
async fn outside_a_transaction(
    client: &Client,
    migration: &Migration,
    direction: Direction,
) -> Result<(), MigrationFailure> {
    let around = |what| move |error| MigrationFailure::around(migration, what, error);
    let path = search_path(client).await.map_err(around("changing the session settings"))?;
    for statement in statements(migration, direction) {
        if let Some(index) = statement.concurrent_index() {
            drop_if_invalid(client, &index).await.map_err(around("checking for an invalid index"))?;
        }
        if statement.is_concurrent() {
            let unbounded = "SET lock_timeout = 0; SET statement_timeout = 0";
            client.batch_execute(unbounded).await.map_err(around("changing the session settings"))?;
        }
        let done = run(client, migration, direction, &statement).await;
        let _ = client.batch_execute("RESET lock_timeout; RESET statement_timeout").await;
        done?;
    }
    record(client, migration, direction, &path).await
}

fn statements(migration: &Migration, direction: Direction) -> Vec<MigrationStatement<'_>> {
    if direction == Direction::Down { migration.down_statements() } else { migration.statements() }
}

async fn run(
    client: &Client,
    migration: &Migration,
    direction: Direction,
    statement: &MigrationStatement<'_>,
) -> Result<(), MigrationFailure> {
    let failed = |error| MigrationFailure::in_statement(migration, direction.file(), statement, error);
    client.batch_execute(statement.sql).await.map_err(failed)
}

async fn search_path(client: &Client) -> Result<String, tokio_postgres::Error> {
    Ok(client.query_one("SELECT current_setting('search_path')", &[]).await?.get(0))
}

/// Restores the search path and records the migration. A migration may change the path, as the output of `pg_dump`
/// does.
async fn record(
    client: &Client,
    migration: &Migration,
    direction: Direction,
    path: &str,
) -> Result<(), MigrationFailure> {
    let back = client.query_one("SELECT pg_catalog.set_config('search_path', $1, false)", &[&path]).await;
    back.map_err(|error| MigrationFailure::around(migration, "changing the session settings", error))?;
    let recorded = match direction {
        Direction::Up(_) => history::insert(client, migration).await,
        Direction::Down => history::delete(client, migration).await,
    };
    recorded.map_err(|error| MigrationFailure::around(migration, "recording the migration", error))
}

async fn drop_if_invalid(client: &Client, index: &str) -> Result<(), tokio_postgres::Error> {
    let ask = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
    if client.query_opt(ask, &[&index]).await?.is_some_and(|row| row.get(0)) {
        tracing::warn!(index, "the build of this index was interrupted and starts again");
        client.batch_execute(&format!("DROP INDEX CONCURRENTLY {index}")).await?;
    }
    Ok(())
}
