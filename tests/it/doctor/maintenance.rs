//! What wears out.

use std::time::Duration;

use super::*;
use crate::until;

#[tokio::test]
async fn transactions_that_last_are_found() {
    let database = seeded().await;
    let mut idle = database.connect().await.unwrap();
    idle.batch_execute("BEGIN; SELECT count(*) FROM documents").await.unwrap();
    let mut busy = database.connect().await.unwrap();
    let sleeping = tokio::spawn(async move { busy.batch_execute("SELECT pg_sleep(3600)").await });
    let mut watcher = connect(&database.superuser_url().unwrap()).await.unwrap();
    let sleeps = "SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)' AND datname = current_database()";
    until(&mut watcher, sleeps).await;
    let impatient =
        Thresholds { long_transaction: Duration::ZERO, idle_transaction: Duration::ZERO, ..Thresholds::default() };
    let findings = doctor(&database).with_thresholds(impatient).run_checks().await.unwrap();
    assert_found(
        &findings,
        "idle_transactions",
        CheckStatus::Warn,
        "of test_platform has been idle in its transaction",
    );
    assert_found(&findings, "long_transactions", CheckStatus::Warn, "SELECT pg_sleep(3600)");
    let findings = doctor(&database).run_checks().await.unwrap();
    assert_eq!(finding(&findings, "idle_transactions").status, CheckStatus::Pass);
    assert_eq!(finding(&findings, "long_transactions").status, CheckStatus::Pass);
    sleeping.abort();
}

#[tokio::test]
async fn an_owner_who_sees_no_sessions_is_told() {
    let database = TestDatabase::alone().await.unwrap();
    as_superuser(&database, "REVOKE pg_read_all_stats FROM test_owner").await;
    let findings = doctor(&database).run_checks().await.unwrap();
    assert_found(&findings, "idle_transactions", CheckStatus::Skipped, "GRANT pg_read_all_stats");
}

#[tokio::test]
async fn an_index_that_nobody_uses_is_found() {
    let database = seeded().await;
    let smallest = Thresholds { unused_index: 1, ..Thresholds::default() };
    let findings = doctor(&database).with_thresholds(smallest).run_checks().await.unwrap();
    assert_found(&findings, "unused_indexes", CheckStatus::Warn, "jobs_failed_idx on jobs");
    assert!(
        !finding(&findings, "unused_indexes").problems.iter().any(|one| one.contains("document_chunks_vector_idx"))
    );
}

/// A transaction that was forgotten keeps vacuum from freezing anything, while two hundred thousand others go by.
#[tokio::test]
async fn transaction_ids_that_run_out_are_found() {
    let database = TestDatabase::alone().await.unwrap();
    as_superuser(&database, "ALTER SYSTEM SET autovacuum_freeze_max_age = 100000").await;
    database.restart_server().await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let mut forgotten = connect(&database.superuser_url().unwrap()).await.unwrap();
    forgotten.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    assert_eq!(finding(&doctor(&database).run_checks().await.unwrap(), "wraparound").status, CheckStatus::Pass);
    let go_by = "DO $$ BEGIN FOR i IN 1..201000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    superuser.batch_execute(go_by).await.unwrap();
    let findings = doctor(&database).run_checks().await.unwrap();
    assert_found(&findings, "wraparound", CheckStatus::Fail, "autovacuum should freeze it at 100000");
}
