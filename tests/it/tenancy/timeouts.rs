//! Time and connections are a workspace's own.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::config::{Config, Timeouts};
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection};
use workspace_db::{Error, Result};

use super::{Fixture, scope_of};

const SOON: Duration = Duration::from_millis(200);

async fn slow(ws: &mut WorkspaceConnection) -> Result<()> {
    ws.under_row_security("a test", async |conn| Ok(conn.batch_execute("SELECT pg_sleep(60)").await?)).await
}

#[tokio::test]
async fn a_statement_that_takes_too_long_ends_as_a_timeout() {
    let Fixture { database, scope, .. } = Fixture::new().await;
    let timeouts = Timeouts { statement: SOON, ..Timeouts::default() };
    let config = Config { timeouts, ..database.config().unwrap() };
    let db = Database::open(&config).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let error = slow(&mut ws).await.unwrap_err();
    assert!(error.is_timed_out() && error.to_string().contains("WORKSPACE_DB_STATEMENT_TIMEOUT"), "{error:?}");
    // The connection goes on, and one of it may have more time.
    assert_eq!(documents::table.in_workspace(&scope).load::<Document>(&mut ws).await.unwrap().len(), 1);
    ws.set_timeouts(Timeouts::NONE);
    let done: Result<()> =
        ws.under_row_security("a test", async |conn| Ok(conn.batch_execute("SELECT pg_sleep(0.5)").await?)).await;
    done.unwrap();
}

#[tokio::test]
async fn a_wait_for_a_lock_ends_as_a_timeout() {
    let Fixture { database: _database, db, a, scope, mut ws, .. } = Fixture::new().await;
    let mut waits = db.workspace(&scope).await.unwrap();
    waits.set_timeouts(Timeouts { lock: SOON, ..Timeouts::default() });
    ws.transaction(async |tx| {
        let row = documents::table.in_workspace(&scope).find(a.document);
        row.for_update().load::<Document>(tx).await?;
        let error = row.update().set(documents::title.eq("x")).execute(&mut waits).await.unwrap_err();
        assert!(error.is_timed_out() && error.to_string().contains("WORKSPACE_DB_LOCK_TIMEOUT"), "{error:?}");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_transaction_that_stands_idle_ends_as_a_timeout() {
    let Fixture { database, db, scope, mut ws, .. } = Fixture::new().await;
    ws.set_timeouts(Timeouts { idle_in_transaction: SOON, ..Timeouts::default() });
    let mut other = db.workspace(&scope).await.unwrap();
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let ended: Result<()> = ws
        .transaction(async |tx| {
            documents::table.in_workspace(&scope).insert(NewDocument::new("lost")).execute(tx).await?;
            let gone = "SELECT count(*) = 0 AS met FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle in transaction'";
            crate::until(&mut superuser, gone).await;
            documents::table.in_workspace(&scope).load::<Document>(tx).await.map(drop)
        })
        .await;
    let error = ended.unwrap_err();
    assert!(error.is_timed_out() && error.to_string().contains("WORKSPACE_DB_IDLE_TIMEOUT"), "{error:?}");
    assert_eq!(documents::table.in_workspace(&scope).load::<Document>(&mut other).await.unwrap().len(), 1);
    assert_eq!(documents::table.in_workspace(&scope).load::<Document>(&mut ws).await.unwrap().len(), 1);
}

/// A connection that the server ends is told for what it is: worth another try, or too slow.
#[tokio::test]
async fn a_connection_that_the_server_ends_is_told_with_the_servers_reason() {
    let Fixture { database, mut ws, .. } = Fixture::new().await;
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let (ended, ()) = tokio::join!(slow(&mut ws), async {
        let sleeping = "SELECT count(pg_terminate_backend(pid)) > 0 AS met FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
        crate::until(&mut superuser, sleeping).await;
    });
    let error = ended.unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("due to administrator command"), "{error:?}");
    // PostgreSQL has it since 17.
    if superuser.batch_execute("SHOW transaction_timeout").await.is_ok() {
        let ended: Result<()> = ws
            .under_row_security("a test", async |conn| {
                Ok(conn.batch_execute("SET LOCAL transaction_timeout = '200ms'; SELECT pg_sleep(60)").await?)
            })
            .await;
        let error = ended.unwrap_err();
        assert!(error.is_timed_out() && error.to_string().contains("transaction_timeout"), "{error:?}");
    }
}

/// One workspace that holds all that it gets leaves the others theirs.
#[tokio::test]
async fn a_workspace_holds_no_more_than_its_share_of_the_pool() {
    let Fixture { database, a, b, .. } = Fixture::new().await;
    let db = database.open(3).await.unwrap();
    let (greedy, other) = (scope_of(&a), scope_of(&b));
    let mut held = [db.workspace(&greedy).await.unwrap(), db.workspace(&greedy).await.unwrap()];
    for ws in &mut held {
        documents::table.in_workspace(&greedy).load::<Document>(ws).await.unwrap();
    }
    let mut ws = db.workspace(&other).await.unwrap();
    assert_eq!(documents::table.in_workspace(&other).load::<Document>(&mut ws).await.unwrap().len(), 1);
    // The clock of the runtime jumps over what nobody else does meanwhile.
    tokio::time::pause();
    let error = db.workspace(&greedy).await.unwrap_err();
    assert!(error.is_exhausted() && error.to_string().contains("WORKSPACE_DB_WORKSPACE_CONNECTIONS"), "{error}");
    tokio::time::resume();
    let [first, second] = held;
    drop(first);
    db.workspace(&greedy).await.unwrap();
    drop(second);
}
