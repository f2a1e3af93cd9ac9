//! What can be wrong with migrations, logins and servers, and what is said then.

use super::*;
use crate::disk::SmallDisk;
use crate::folder::Folder;
use crate::skipped;

const NAME: &str = "2999-01-01-000000_wrong";

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (file, text) in files {
        folder.write(file, text);
    }
    folder
}

fn wrong(files: &[(&str, &str)]) -> workspace_db::Error {
    let folder = folder(files);
    let url = "postgres://nobody@localhost/nowhere".parse().unwrap();
    migrator(&url).with_folder(folder.path()).unwrap_err()
}

#[rstest]
#[case::no_up(&[("2999-01-01-000000_wrong/down.sql", "SELECT 1")], "migration 2999-01-01-000000_wrong has no up.sql")]
#[case::no_version(&[("_wrong/up.sql", ""), ("_wrong/down.sql", "")], "\"_wrong\" is not a valid name of a migration; name it <timestamp>")]
#[case::a_transaction_of_its_own(&[("2999-01-01-000000_wrong/up.sql", "SELECT 1;\nCOMMIT;"), ("2999-01-01-000000_wrong/down.sql", "")],
    "up.sql of migration 2999-01-01-000000_wrong, line 2 begins or ends a transaction")]
#[case::concurrently_in_a_transaction(&[("2999-01-01-000000_wrong/up.sql", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x)"), ("2999-01-01-000000_wrong/down.sql", "")],
    "line 1 can't run in a transaction; move it to its own migration")]
#[case::two_outside_of_one(&[("2999-01-01-000000_wrong/up.sql", "DROP INDEX CONCURRENTLY IF EXISTS a;\nDROP INDEX CONCURRENTLY IF EXISTS b"), ("2999-01-01-000000_wrong/down.sql", ""), ("2999-01-01-000000_wrong/metadata.toml", "run_in_transaction = false")],
    "line 2 is the second statement of a migration without a transaction")]
#[case::not_to_be_repeated(&[("2999-01-01-000000_wrong/up.sql", "CREATE INDEX CONCURRENTLY i ON t (x)"), ("2999-01-01-000000_wrong/down.sql", ""), ("2999-01-01-000000_wrong/metadata.toml", "run_in_transaction = false")],
    "line 1 can't be repeated after a crash; add IF NOT EXISTS")]
#[case::metadata_that_is_no_toml(&[("2999-01-01-000000_wrong/up.sql", ""), ("2999-01-01-000000_wrong/down.sql", ""), ("2999-01-01-000000_wrong/metadata.toml", "run_in_transaction = perhaps")],
    "metadata.toml of migration 2999-01-01-000000_wrong can't be parsed")]
#[test]
fn a_broken_folder_is_bad_input(#[case] files: &[(&str, &str)], #[case] said: &str) {
    let error = wrong(files);
    assert!(error.is_invalid_input(), "{error:?}");
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn two_of_one_version_are_refused() {
    let error = wrong(&[
        ("29990101000000_one/up.sql", ""),
        ("29990101000000_one/down.sql", ""),
        ("2999-01-01-000000_two/up.sql", ""),
        ("2999-01-01-000000_two/down.sql", ""),
    ]);
    assert!(error.is_conflict(), "{error:?}");
    assert!(
        error.to_string().contains("2999-01-01-000000_two and 29990101000000_one have the same version"),
        "{error}"
    );
    // And one of another's version.
    let error = wrong(&[("20261124001100_two/up.sql", ""), ("20261124001100_two/down.sql", "")]);
    assert!(error.is_conflict() && error.to_string().contains("2026-11-24-001100_create_documents"), "{error}");
    assert!(migrator(&"postgres://x@localhost/x".parse().unwrap()).with_folder("nowhere").unwrap_err().is_io_failure());
}

#[tokio::test]
async fn a_syntax_error_in_the_middle_is_named_and_nothing_of_the_migration_stays() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let up = "CREATE TABLE first (x int);\n-- And then:\nCREATE TABLE second (\n    x int,\n    y itn nul\n);\nCREATE TABLE third (x int);";
    let folder = folder(&[(&format!("{NAME}/up.sql"), up), (&format!("{NAME}/down.sql"), "")]);
    let error = migrator(&url).with_folder(folder.path()).unwrap().run(|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error:?}");
    let said = error.to_string();
    for part in [NAME, "line 5 of up.sql", "CREATE TABLE second", "syntax error", "run it again"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert_eq!(
        migrator(&url).status().await.unwrap().iter().filter(|one| one.status != MigrationStatus::Applied).count(),
        0
    );
    assert!(!dump(&database, &["--schema-only"]).contains("TABLE public.first"));
    folder.write(&format!("{NAME}/up.sql"), up.replace("itn nul", "int"));
    assert_eq!(migrator(&url).with_folder(folder.path()).unwrap().run(|_| ()).await.unwrap(), [NAME]);
}

#[tokio::test]
async fn a_replica_is_told_apart() {
    let database = TestDatabase::new().await.unwrap();
    let url: DatabaseUrl =
        format!("{}?options=-c%20default_transaction_read_only%3Don", database.url().unwrap().expose())
            .parse()
            .unwrap();
    let error = migrator(&url).run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("primary"), "{error}");
}

#[tokio::test]
async fn a_login_that_may_not_create_is_told_so() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let app = database.app_url().unwrap();
    let error = migrator(&app).run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    assert!(error.to_string().contains("as the owner"), "{error}");
    // Half-way, in a migration.
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let role = later("29990101000000_role", "SELECT 1;\nSELECT pg_read_file('/etc/passwd')", "");
    let error = migrator(&url).with([role]).unwrap().run(|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("29990101000000_role, line 2"), "{error}");
}

#[tokio::test]
async fn a_disk_that_fills_is_named_and_the_next_run_goes_on() {
    let Some(disk) = SmallDisk::mount(8) else {
        skipped("a full disk: this account may not mount a file system");
        return;
    };
    let database = TestDatabase::alone().await.unwrap();
    let url = database.url().unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    disk.make_tablespace(&mut superuser, "small").await;
    superuser.batch_execute("GRANT CREATE ON TABLESPACE small TO test_owner").await.unwrap();
    let up = "CREATE TABLE large TABLESPACE small AS SELECT n, repeat('x', 500) FROM generate_series(1, 100000) n";
    let error = migrator(&url).with([later("29990101000000_large", up, "")]).unwrap().run(|_| ()).await.unwrap_err();
    assert!(error.is_database_failure(), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("29990101000000_large, line 1")
            && said.contains("No space left")
            && said.contains("free disk space"),
        "{said}"
    );
    let up = "CREATE TABLE large TABLESPACE small AS SELECT n FROM generate_series(1, 1000) n";
    migrator(&url).with([later("29990101000000_large", up, "DROP TABLE large")]).unwrap().run(|_| ()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_half_way_has_kept_nothing_of_it() {
    let database = TestDatabase::alone().await.unwrap();
    let url = database.url().unwrap();
    let up = "CREATE TABLE half (x int);\nSELECT pg_sleep(3600);";
    let dying = tokio::spawn({
        let url = url.clone();
        async move { migrator(&url).with([later("29990101000000_half", up, "")]).unwrap().run(|_| ()).await }
    });
    let mut watcher = connect(&database.superuser_url().unwrap()).await.unwrap();
    until(&mut watcher, "SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'").await;
    drop(watcher);
    database.crash_server().await.unwrap();
    let error = dying.await.unwrap().unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("29990101000000_half, line 2 of up.sql") && said.contains("run it again"), "{said}");
    let up = "CREATE TABLE half (x int);\nSELECT 1;";
    let again = migrator(&url).with([later("29990101000000_half", up, "DROP TABLE half")]).unwrap();
    assert_eq!(again.run(|_| ()).await.unwrap(), ["29990101000000_half"]);
}
