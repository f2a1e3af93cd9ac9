//! Transactions with an isolation level, retries and settings of their own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use tokio::sync::Barrier;
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::documents;
use workspace_db::tenancy::{
    Database, InWorkspace as _, Isolation, TransactionOptions, WorkspaceConnection, WorkspaceScope,
};
use workspace_db::{Error, Result};
use workspace_db_testing::TestDatabase;

use super::Fixture;

const SERIALIZABLE: TransactionOptions = TransactionOptions::new(Isolation::Serializable);

/// Error of a service, which has the crate's error as its source.
#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("the data layer failed")]
    Data(#[from] Error),
    #[error("the workspace has {0} documents")]
    Full(i64),
}

/// Inserts a document if the workspace has fewer than three. The first attempts of two of these see the same number.
async fn insert_below_three(
    db: &Database,
    scope: &WorkspaceScope,
    options: TransactionOptions,
    together: &Barrier,
) -> (u32, Result<(), ServiceError>) {
    let mut ws = db.workspace(scope).await.unwrap();
    let attempts = AtomicU32::new(0);
    let done = ws
        .transaction_with(options, async |tx| {
            let count: i64 = documents::table.in_workspace(&tx).count().get_result(tx).await?;
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                together.wait().await;
            }
            if count >= 2 {
                return Err(ServiceError::Full(count));
            }
            documents::table.in_workspace(&tx).insert(&NewDocument::new("another")).execute(tx).await?;
            Ok(())
        })
        .await;
    (attempts.into_inner(), done)
}

#[tokio::test]
async fn of_two_transactions_that_exclude_each_other_one_runs_again_and_sees_the_other() {
    for retries in [0, 5] {
        let fixture = Fixture::new().await;
        let (barrier, options) = (Barrier::new(2), SERIALIZABLE.retries(retries));
        let db = fixture.database.open(8).await.unwrap();
        let insert = || insert_below_three(&db, &fixture.scope, options, &barrier);
        let ((one_attempts, one), (other_attempts, other)) = tokio::join!(insert(), insert());
        let refused = match (one, other) {
            (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
            both => panic!("one of them is committed: {both:?}"),
        };
        if retries == 0 {
            assert_eq!((one_attempts, other_attempts), (1, 1));
            let ServiceError::Data(error) = refused else { panic!("{refused:?}") };
            assert!(error.is_retryable() && error.http_status() == 503, "{error:?}");
        } else {
            assert_eq!(one_attempts + other_attempts, 3);
            assert!(matches!(refused, ServiceError::Full(2)), "{refused:?}");
        }
        let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
        let count: i64 = documents::table.in_workspace(&ws).count().get_result(&mut ws).await.unwrap();
        assert_eq!(count, 2);
    }
}

#[tokio::test]
async fn a_deadlock_is_retried() {
    let fixture = Fixture::new().await;
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    let new = NewDocument::new("another");
    documents::table.in_workspace(&ws).insert(&new).execute(&mut ws).await.unwrap();
    let (db, together) = (fixture.database.open(8).await.unwrap(), Barrier::new(2));
    let update = async |first, second, options: TransactionOptions| {
        let mut ws = db.workspace(&fixture.scope).await.unwrap();
        let attempts = AtomicU32::new(0);
        let done = ws
            .transaction_with(options, async |tx| {
                let title = |id| documents::table.in_workspace(&fixture.scope).find(id).update();
                title(first).set(documents::title.eq("x")).execute(tx).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    together.wait().await;
                }
                title(second).set(documents::title.eq("x")).execute(tx).await
            })
            .await;
        (attempts.into_inner(), done)
    };
    let (one, other) = (fixture.a.document, new.id);
    let options = TransactionOptions::default();
    let (first, second) = tokio::join!(update(one, other, options), update(other, one, options));
    let error = [first.1, second.1].into_iter().find_map(Result::err).expect("the server ends one of them");
    assert!(error.is_retryable() && error.http_status() == 503, "{error:?}");
    let options = options.retries(3);
    let (first, second) = tokio::join!(update(one, other, options), update(other, one, options));
    assert_eq!((first.1.unwrap(), second.1.unwrap(), first.0 + second.0), (1, 1, 3));
}

/// Ends the sessions whose transaction waits for its next statement.
async fn end_open_transactions(database: &TestDatabase) {
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'";
    superuser.batch_execute(end).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_commit_is_retried_on_another() {
    let mut fixture = Fixture::new().await;
    let attempts = AtomicU32::new(0);
    let lose_first = async |tx: &mut WorkspaceConnection| {
        documents::table.in_workspace(&tx).insert(&NewDocument::new("once")).execute(tx).await?;
        if attempts.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            end_open_transactions(&fixture.database).await;
        }
        documents::table.in_workspace(&tx).load::<Document>(tx).await.map(|found| found.len())
    };
    let error = fixture.ws.transaction_with(TransactionOptions::default(), lose_first).await.unwrap_err();
    assert!(error.is_unreachable() && error.is_retryable(), "{error:?}");
    attempts.store(0, Ordering::Relaxed);
    let found = fixture.ws.transaction_with(TransactionOptions::default().retries(1), lose_first).await.unwrap();
    assert_eq!((found, attempts.fetch_add(0, Ordering::Relaxed)), (2, 2));
}

/// The end of a savepoint is not yet the end of the transaction.
#[tokio::test]
async fn a_connection_that_is_lost_at_a_savepoint_is_retried() {
    let mut fixture = Fixture::new().await;
    let attempts = AtomicU32::new(0);
    let savepoint = async |tx: &mut WorkspaceConnection| {
        tx.transaction(async |_| {
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                end_open_transactions(&fixture.database).await;
            }
            Ok::<_, Error>(())
        })
        .await
    };
    fixture.ws.transaction_with(TransactionOptions::default().retries(1), savepoint).await.unwrap();
    assert_eq!(attempts.into_inner(), 2);
}

#[tokio::test]
async fn options_are_those_of_one_transaction() {
    let mut fixture = Fixture::new().await;
    let report = SERIALIZABLE.read_only().deferrable().statement_timeout(Duration::from_secs(7));
    let settings = async |tx: &mut WorkspaceConnection| {
        let mut found = Vec::new();
        for name in ["transaction_isolation", "transaction_read_only", "transaction_deferrable", "statement_timeout"] {
            found.push(setting(tx, name).await?);
        }
        Ok::<_, Error>(found)
    };
    let during = fixture.ws.transaction_with(report, settings).await.unwrap();
    assert_eq!(during, ["serializable", "on", "on", "7s"]);
    let after = fixture.ws.transaction(settings).await.unwrap();
    assert_eq!(after, ["read committed", "off", "off", "30s"]);
    let insert = async |tx: &mut WorkspaceConnection| {
        documents::table.in_workspace(&tx).insert(&NewDocument::new("x")).execute(tx).await
    };
    assert!(fixture.ws.transaction_with(report, insert).await.unwrap_err().to_string().contains("read-only"));
    for (timeout, shown) in
        [(Duration::ZERO, "0"), (Duration::from_nanos(1_500_000_001), "1501ms"), (Duration::MAX, "2147483647ms")]
    {
        let options = TransactionOptions::default().statement_timeout(timeout);
        let found =
            fixture.ws.transaction_with(options, async |tx| setting(tx, "statement_timeout").await).await.unwrap();
        assert_eq!(found, shown, "{timeout:?}");
    }
    // Workspace and role are set under any options.
    let seen: Vec<Document> = fixture
        .ws
        .transaction_with(SERIALIZABLE, async |tx| documents::table.in_workspace(&tx).load(tx).await)
        .await
        .unwrap();
    assert_eq!(seen.iter().map(|one| one.workspace_id).collect::<Vec<_>>(), [fixture.a.workspace]);
    let within: Result<()> =
        fixture.ws.transaction(async |tx| tx.transaction_with(SERIALIZABLE, async |_| Ok::<_, Error>(())).await).await;
    assert!(within.unwrap_err().is_invalid_input());
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

async fn setting(tx: &mut WorkspaceConnection, name: &'static str) -> Result<String> {
    tx.under_row_security("a test", async |conn| {
        let query = diesel::sql_query(format!("SELECT current_setting('{name}') AS value"));
        Ok(query.get_result::<Setting>(conn).await?.value)
    })
    .await
}

#[tokio::test]
async fn a_setting_is_that_of_the_rest_of_the_transaction() {
    let mut fixture = Fixture::new().await;
    let outside = fixture.ws.set_local("statement_timeout", "1s").await.unwrap_err();
    assert!(outside.is_invalid_input(), "{outside}");
    fixture
        .ws
        .transaction(async |tx| {
            tx.set_local("statement_timeout", "5min").await?;
            tx.set_local("Work_Mem", "12MB").await?;
            let undone: Result<()> = tx
                .transaction(async |tx| {
                    tx.set_local("statement_timeout", "9s").await?;
                    Err(Error::invalid("to the savepoint"))
                })
                .await;
            assert!(undone.is_err());
            assert_eq!(
                (setting(tx, "statement_timeout").await?, setting(tx, "work_mem").await?),
                ("5min".into(), "12MB".into())
            );
            // A rejected value does not end the transaction.
            let rejected = tx.set_local("work_mem", "much").await.unwrap_err();
            assert!(rejected.is_invalid_input() && rejected.to_string().contains("work_mem"), "{rejected}");
            assert_eq!(setting(tx, "work_mem").await?, "12MB");
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(setting(&mut fixture.ws, "statement_timeout").await.unwrap(), "30s");
}

#[rstest]
#[case("app.workspace_id")]
#[case("role")]
#[case("session_authorization")]
#[case("row_security")]
#[case("search_path")]
#[case("transaction_read_only")]
#[case("default_transaction_read_only")]
#[case("idle_in_transaction_session_timeout")]
#[case("statement_timeout = 0; SET LOCAL role")]
#[case("datestyle")]
#[case("hnsw.ef_search")]
#[case("synchronous_commit")]
#[case("")]
#[tokio::test]
async fn a_setting_that_leaves_the_workspace_is_refused(#[case] name: &str) {
    let mut fixture = Fixture::new().await;
    let id = fixture.b.workspace.to_string();
    let error = fixture.ws.transaction(async |tx| tx.set_local(name, &id).await).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("can't be set in a workspace"), "{error}");
}
