//! Every migration undoes itself, on an empty database and on one full of rows, and racing deployers share the work.

mod concurrent;
mod disconnects;
mod history;
mod input;
mod load;
mod locks;
mod rename;

use std::process::Command;

use diesel::migration::{Migration as DieselMigration, MigrationSource as _};
use diesel::pg::Pg;
use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::connect;
use workspace_db::db::migrations::{ADVISORY_LOCK, EMBEDDED, Migration, MigrationStatus, Migrator, RevertCount};
use workspace_db_testing::{TestDatabase, seed};

use crate::{is_long, size, until};

/// The schema and, where asked for, the rows, as `pg_dump` writes them, without Diesel's own table and without the
/// random tokens that newer versions of pg_dump put around them.
fn dump(database: &TestDatabase, what: &[&str]) -> String {
    let output = Command::new(database.install().program("pg_dump"))
        .args(["--no-owner", "--exclude-table=__diesel_schema_migrations"])
        .args(what)
        // Row-level security shows the owner no row.
        .envs(database.superuser_url().unwrap().libpq_environment())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// As a developer runs them.
fn migrator(url: &DatabaseUrl) -> Migrator {
    Migrator::new(url, Environment::Development)
}

/// Of the first so many of this crate's migrations.
fn only(url: &DatabaseUrl, first: usize) -> Migrator {
    let migrations: Vec<Migration> = migrator(url).migrations().take(first).cloned().collect();
    Migrator::from_migrations(url, Environment::Development, migrations).unwrap()
}

/// A migration of a test's own, behind all of this crate's.
fn later(name: &'static str, up: &'static str, down: &'static str) -> Migration {
    assert!(name.starts_with("2999"), "{name} must come last");
    Migration::new(name, up, down)
}

async fn run(url: &DatabaseUrl) -> Vec<String> {
    migrator(url).run(|_| ()).await.unwrap()
}

#[tokio::test]
async fn every_migration_reverts_over_rows_in_every_table_and_runs_again() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let empty = dump(&database, &[]);
    let all = run(&url).await;
    assert!(all.len() >= 9, "only {} migrations ran", all.len());
    let full = dump(&database, &["--schema-only"]);
    seed(&mut database.connect().await.unwrap(), "a").await.unwrap();
    let mut reverted = migrator(&url).revert(RevertCount::All).await.unwrap();
    reverted.reverse();
    assert_eq!(reverted, all);
    assert_eq!(dump(&database, &[]), empty);
    run(&url).await;
    assert_eq!(dump(&database, &["--schema-only"]), full);
    assert_eq!(migrator(&url).plan().await.unwrap(), []);
}

/// From the last one down: revert, run, revert, over the rows of all tables that were there before it.
#[tokio::test]
async fn each_migration_runs_and_is_undone_over_rows() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut conn = database.connect().await.unwrap();
    for slug in ["a", "b", "c"] {
        seed(&mut conn, slug).await.unwrap();
    }
    let all: Vec<String> = migrator(&url).migrations().map(|one| one.name().to_owned()).collect();
    for name in all.iter().rev() {
        migrator(&url).revert(RevertCount::Last(1)).await.unwrap();
        let before = dump(&database, &[]);
        let known = migrator(&url).migrations().filter(|one| one.name() <= name.as_str()).count();
        let again = only(&url, known).run(|_| ()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again, [name.as_str()]);
        migrator(&url).revert(RevertCount::Last(1)).await.unwrap();
        assert_eq!(dump(&database, &[]), before, "mend the down.sql of {name}");
    }
}

/// Eight deployers, again and again, with an index that is built concurrently among what they run.
#[tokio::test]
async fn racing_deployers_apply_each_migration_once() {
    let nearly = TestDatabase::new().await.unwrap();
    migrator(&nearly.url().unwrap()).revert(RevertCount::Last(3)).await.unwrap();
    for race in 0..size("WORKSPACE_DB_MIGRATION_RACES", 8, 50) {
        // One race over everything, and the others where they meet more often.
        let database = if race == 0 { TestDatabase::unmigrated().await } else { nearly.copy().await }.unwrap();
        let url = database.url().unwrap();
        let deployers = (0..8).map(|_| async {
            let index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS raced_idx ON documents (title)";
            let raced = later("29990101000000_race", index, "DROP INDEX CONCURRENTLY IF EXISTS raced_idx");
            migrator(&url).with([raced.outside_a_transaction()]).unwrap().run(|_| ()).await
        });
        let mut applied: Vec<String> =
            futures_util::future::try_join_all(deployers).await.unwrap().into_iter().flatten().collect();
        let total = applied.len();
        applied.sort();
        applied.dedup();
        assert_eq!(applied.len(), total, "in race {race} a migration ran twice");
        assert_eq!(total, if race == 0 { migrator(&url).migrations().count() + 1 } else { 4 });
    }
}

/// What Diesel's own harness would run is what this crate runs.
#[test]
fn the_migrations_for_diesels_harness_are_the_same() {
    let theirs: Vec<Box<dyn DieselMigration<Pg>>> = EMBEDDED.migrations().unwrap();
    let theirs: Vec<(String, bool)> =
        theirs.iter().map(|one| (one.name().to_string(), one.metadata().run_in_transaction())).collect();
    let migrator = migrator(&"postgres://nobody@localhost/nowhere".parse().unwrap());
    let ours: Vec<_> = migrator.migrations().map(|one| (one.name().to_owned(), one.runs_in_transaction())).collect();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn status_and_plan_of_an_unmigrated_database_change_nothing() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let status = migrator(&url).status().await.unwrap();
    assert!(!status.is_empty() && status.iter().all(|migration| migration.status == MigrationStatus::Pending));
    let plan = migrator(&url).plan().await.unwrap();
    assert_eq!(plan.len(), status.len());
    assert!(plan.iter().any(|migration| migration.sql().contains("CREATE TABLE documents")));
    assert!(!dump(&database, &[]).contains("__diesel_schema_migrations"));
}

#[tokio::test]
async fn a_migration_that_only_the_database_knows_is_listed_and_not_reverted() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut conn = connect(&url).await.unwrap();
    conn.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").await.unwrap();
    let status = migrator(&url).status().await.unwrap();
    assert_eq!(
        status.last().map(|last| (last.name.as_str(), last.status)),
        Some(("29990101000000", MigrationStatus::Unknown))
    );
    let error = migrator(&url).revert(RevertCount::Last(1)).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_migrator_that_waits_for_the_lock_goes_on_when_it_is_released() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let mut holder = connect(&url).await.unwrap();
    holder.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})")).await.unwrap();
    let waiting = tokio::spawn({
        let url = url.clone();
        async move { migrator(&url).run(|_| ()).await }
    });
    // The other session is there and polls; only then is the lock released.
    let mut watcher = connect(&url).await.unwrap();
    until(&mut watcher, "SELECT count(*) >= 1 AS met FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()").await;
    assert!(!waiting.is_finished());
    holder.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})")).await.unwrap();
    assert!(!waiting.await.unwrap().unwrap().is_empty());
}

/// Also where nothing polls the runtime afterwards, so that no dropped connection is closed.
#[tokio::test]
async fn the_lock_is_free_once_a_migrator_has_returned() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // Often the runtime happens to close the connection in time, so once would show nothing.
    for _ in 0..30 {
        run(&url).await;
        let held = Command::new(database.install().program("psql"))
            .args(["-Atc", locks])
            .envs(url.libpq_environment())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&held.stdout), "0\n", "{}", String::from_utf8_lossy(&held.stderr));
    }
}

/// The extension that up.sql made is dropped again, the one that was there before is not.
#[rstest]
#[case::made_by_the_migration("template0", true)]
#[case::there_before("template1", false)]
#[tokio::test]
async fn reverting_drops_the_extension_that_was_made(#[case] template: &str, #[case] dropped: bool) {
    let database = TestDatabase::new().await.unwrap();
    let superuser = database.superuser_url().unwrap();
    let name = format!("extension_{template}");
    let mut conn = workspace_db::db::connect(&superuser).await.unwrap();
    conn.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
    let url = superuser.with_database(&name);
    run(&url).await;
    migrator(&url).revert(RevertCount::All).await.unwrap();
    let mut inside = workspace_db::db::connect(&url).await.unwrap();
    let expected =
        format!("SELECT count(*) = {} AS met FROM pg_extension WHERE extname = 'vector'", i32::from(!dropped));
    until(&mut inside, &expected).await;
    drop(inside);
    conn.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

#[tokio::test]
async fn an_owner_who_may_not_create_the_extension_is_told_what_to_do() {
    let database = TestDatabase::new().await.unwrap();
    let superuser = database.superuser_url().unwrap();
    let mut conn = workspace_db::db::connect(&superuser).await.unwrap();
    conn.batch_execute("CREATE DATABASE without_vector TEMPLATE template0 OWNER test_owner").await.unwrap();
    let url = database.url().unwrap().with_database("without_vector");
    let error = migrator(&url).run(|_| ()).await.unwrap_err();
    conn.batch_execute("DROP DATABASE without_vector WITH (FORCE)").await.unwrap();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    assert!(error.to_string().contains("CREATE EXTENSION vector"), "{error}");
}

/// As `migrations/README.md` says: the owner sees no row, so a backup needs the role that does.
#[tokio::test]
async fn the_owner_backs_up_with_the_platforms_role() {
    let database = TestDatabase::new().await.unwrap();
    seed(&mut database.connect().await.unwrap(), "backed-up").await.unwrap();
    let pg_dump = |options: &[&str]| {
        Command::new(database.install().program("pg_dump"))
            .args(options)
            .envs(database.url().unwrap().libpq_environment())
            .output()
            .unwrap()
    };
    let refused = pg_dump(&[]);
    assert!(!refused.status.success(), "a backup without rows would look like one with them");
    let dumped = pg_dump(&["--role=workspace_platform", "--enable-row-security", "--schema=public"]);
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    assert!(String::from_utf8_lossy(&dumped.stdout).contains("backed-up"));
}
