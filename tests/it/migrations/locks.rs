//! A migrator never stands in others' way for longer than it may.

use std::time::Duration;

use super::*;

const RESET: &str = "RESET ALL; RESET lock_timeout; RESET statement_timeout;
DO $$ BEGIN
    IF current_setting('lock_timeout') <> '300ms' OR current_setting('statement_timeout') <> '4s' THEN
        RAISE 'the time-outs are %, %', current_setting('lock_timeout'), current_setting('statement_timeout');
    END IF;
END $$";

#[tokio::test]
async fn a_migration_can_not_reset_the_time_outs() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let resets = migrator(&url).with([later("29990101000000_reset", RESET, "")]).unwrap();
    let resets = resets.lock_timeout(Duration::from_millis(300)).statement_timeout(Duration::from_secs(4));
    assert_eq!(resets.run(|_| ()).await.unwrap().len(), 1);
}

/// What one migration sets for the session is not there for the next.
#[tokio::test]
async fn a_migration_finds_the_session_as_it_began() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let leaves = "SET lock_timeout = 0; SET work_mem = '1MB'";
    let looks = "DO $$ BEGIN
        IF current_setting('lock_timeout') = '0' OR current_setting('work_mem') = '1MB' THEN
            RAISE 'something was left';
        END IF;
    END $$";
    let both = [later("29990101000000_leaves", leaves, ""), later("29990102000000_looks", looks, "")];
    assert_eq!(migrator(&url).with(both).unwrap().run(|_| ()).await.unwrap().len(), 2);
}

/// A forgotten transaction holds the table; those who read it get through all the same, since the migrator gives up its
/// place in the queue. It goes through once the transaction has ended.
#[tokio::test]
async fn readers_get_through_while_a_migrator_waits_for_a_forgotten_transaction() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut forgotten = database.connect().await.unwrap();
    forgotten.batch_execute("BEGIN; SELECT count(*) FROM documents").await.unwrap();
    let waiting = tokio::spawn({
        let url = url.clone();
        let add = later(
            "29990101000000_add",
            "ALTER TABLE documents ADD COLUMN x int",
            "ALTER TABLE documents DROP COLUMN x",
        );
        async move {
            migrator(&url)
                .with([add])
                .unwrap()
                .lock_timeout(Duration::from_millis(200))
                .attempts(1000)
                .run(|_| ())
                .await
        }
    });
    let mut watcher = connect(&database.superuser_url().unwrap()).await.unwrap();
    let waits = "SELECT count(*) = 1 AS met FROM pg_locks WHERE NOT granted AND locktype = 'relation'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut reader = database.connect().await.unwrap();
    // Far more than the migrator may wait, and far less than the transaction lasts.
    reader.batch_execute("SET statement_timeout = '5s'").await.unwrap();
    for _ in 0..3 {
        until(&mut watcher, waits).await;
        reader.batch_execute("SELECT count(*) FROM documents").await.expect("a reader was kept out");
    }
    assert!(!waiting.is_finished());
    forgotten.batch_execute("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), ["29990101000000_add"]);
}

#[tokio::test]
async fn a_migrator_that_gets_no_lock_says_whose_transaction_is_in_the_way() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut forgotten = database.connect().await.unwrap();
    forgotten.batch_execute("BEGIN; SELECT count(*) FROM documents").await.unwrap();
    let up = "CREATE TABLE before (x int);\n\nALTER TABLE documents\n    ADD COLUMN x int";
    let add = later("29990101000000_add", up, "");
    let add = migrator(&url).with([add]).unwrap().lock_timeout(Duration::from_millis(50)).attempts(2);
    let error = add.run(|_| ()).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let said = error.to_string();
    for part in [
        "29990101000000_add, line 3 of up.sql (ALTER TABLE documents ADD COLUMN x int)",
        "2 times",
        "locks are held by process",
        "test_platform",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!dump(&database, &["--schema-only"]).contains("TABLE public.before"), "half of it stayed");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let slow = migrator(&url).with([later("29990101000000_slow", "SELECT pg_sleep(3600)", "")]).unwrap();
    let error = slow.statement_timeout(Duration::from_millis(100)).run(|_| ()).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("--statement-timeout"), "{error}");
}

/// A migrator that is given up, by a time-out around it, leaves neither its statement nor its lock behind.
#[tokio::test]
async fn a_migrator_that_is_dropped_leaves_nothing_behind() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let slow = migrator(&url)
        .with([later("29990101000000_slow", "SELECT pg_sleep(3600)", "")])
        .unwrap()
        .statement_timeout(Duration::ZERO);
    let mut watcher = connect(&database.superuser_url().unwrap()).await.unwrap();
    {
        let sleeps = "SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(3600)'";
        let running = std::pin::pin!(slow.run(|_| ()));
        let seen = std::pin::pin!(until(&mut watcher, sleeps));
        assert!(matches!(futures_util::future::select(running, seen).await, futures_util::future::Either::Right(_)));
    }
    until(&mut watcher, "SELECT count(*) = 0 AS met FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await;
    assert_eq!(run(&url).await, [""; 0]);
}
