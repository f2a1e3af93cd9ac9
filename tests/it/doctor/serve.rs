//! What a backend asks before it serves.

use workspace_db::db::migrations::{Migration, Migrator};
use workspace_db::doctor::{Readiness, fit_to_serve};

use super::*;

#[tokio::test]
async fn a_sound_database_is_served_also_with_one_url_and_also_by_an_older_program() {
    let database = seeded().await;
    fit_to_serve(&database.open(2).await.unwrap()).await.unwrap();
    let one = Config { database_url: Some(database.url().unwrap()), pool_size: 2, ..Config::default() };
    fit_to_serve(&workspace_db::tenancy::Database::open(&one).await.unwrap()).await.unwrap();
    as_superuser(&database, "INSERT INTO __diesel_schema_migrations VALUES ('29990101000000')").await;
    fit_to_serve(&database.open(2).await.unwrap()).await.unwrap();
    // What the stock command line applied has no checksum to be compared.
    as_superuser(&database, "UPDATE __diesel_schema_migrations SET checksum = NULL").await;
    fit_to_serve(&database.open(2).await.unwrap()).await.unwrap();
}

#[rstest]
#[case::no_policy("DROP POLICY workspace_isolation ON messages", "messages: lacks the policy")]
#[case::a_policy_too_many(
    "CREATE POLICY all_of_it ON messages USING (true)",
    "messages (all_of_it): has a policy that is neither of the two"
)]
#[case::not_enabled("ALTER TABLE jobs DISABLE ROW LEVEL SECURITY", "jobs: does not have row-level security")]
#[case::not_forced("ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY", "jobs: does not force")]
#[case::no_table("DROP TABLE job_schedules", "job_schedules: is registered, but there is no table of this name")]
#[case::pending(
    "DELETE FROM __diesel_schema_migrations WHERE version = '20261124002000'",
    "migration 20261124002000 is pending"
)]
#[case::edited(
    "UPDATE __diesel_schema_migrations SET checksum = 'x' WHERE version = '20261124002000'",
    "migration 20261124002000 had a different text"
)]
#[case::old_vector(
    "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'",
    "pgvector is older than 0.8"
)]
#[tokio::test]
async fn what_is_grave_is_refused(#[case] sql: &str, #[case] said: &str) {
    let database = seeded().await;
    let db = database.open(2).await.unwrap();
    as_superuser(&database, sql).await;
    let error = fit_to_serve(&db).await.unwrap_err();
    assert!(error.is_missing_prerequisite(), "{error:?}");
    assert!(error.to_string().contains(said) && error.to_string().contains("workspace-db doctor"), "{error}");
}

/// Tables and migrations of the program's own.
#[tokio::test]
async fn tables_and_migrations_of_the_program_are_checked_too() {
    let database = seeded().await;
    let db = database.open(2).await.unwrap();
    let create = "CREATE TABLE notes (workspace_id uuid REFERENCES workspaces ON DELETE CASCADE, id uuid, PRIMARY KEY (workspace_id, id));
        SELECT workspace_db_isolate('notes');";
    let migrations = [Migration::new("2999-01-01-000000_create_notes", create, "DROP TABLE notes;")];
    let ready = Readiness::new().with_tables(&["notes"]).with_migrations(&migrations);
    let error = ready.check(&db).await.unwrap_err().to_string();
    assert!(error.contains("migration 29990101000000 is pending") && error.contains("notes: is registered"), "{error}");
    let config = database.config().unwrap();
    let migrator = Migrator::new(&database.url().unwrap(), config.environment).with(migrations).unwrap();
    migrator.run(|_| ()).await.unwrap();
    ready.check(&db).await.unwrap();
    as_superuser(&database, "DROP POLICY workspace_isolation ON notes").await;
    let error = ready.check(&db).await.unwrap_err().to_string();
    assert!(error.contains("notes: lacks the policy"), "{error}");
    as_superuser(&database, "UPDATE __diesel_schema_migrations SET checksum = 'x' WHERE version = '29990101000000'")
        .await;
    let error = ready.check(&db).await.unwrap_err().to_string();
    assert!(error.contains("migration 29990101000000 had a different text"), "{error}");
}

/// The command finds them in the crate in which it runs.
#[tokio::test]
async fn the_command_reads_the_tables_and_migrations_of_the_crate() {
    let database = seeded().await;
    let shell = crate::cli::Shell::new()
        .with("DATABASE_URL", database.url().unwrap().expose().to_owned())
        .with("DATABASE_APP_URL", database.app_url().unwrap().expose().to_owned())
        .with("DATABASE_PLATFORM_URL", database.platform_url().unwrap().expose().to_owned());
    let manifest = "[package]\nname = \"notes\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let folder = crate::folder::Folder::new();
    folder.write("Cargo.toml", manifest);
    let root = folder.path().to_str().unwrap();
    shell.succeed(&["init", root]);
    let doctor = || shell.run(&["doctor", "--quick", "--crate-folder", root]).out;
    let before = doctor();
    assert!(before.contains("create_notes is pending"), "{before}");
    assert!(before.contains("notes: is registered, but there is no table of this name"), "{before}");
    shell.succeed(&["migrate", "run", "--migrations", &format!("{root}/migrations")]);
    let after = shell.run(&["doctor", "--quick", "--crate-folder", root]);
    assert_eq!(after.code, 0, "{}", after.out);
    // Without the crate, the table is one that nobody registers.
    let elsewhere = shell.run(&["doctor", "--quick"]).out;
    assert!(elsewhere.contains("notes: has a workspace_id column but is not registered"), "{elsewhere}");
}

/// The login was bound when the pool was opened.
#[tokio::test]
async fn a_login_that_has_become_more_is_refused() {
    let database = TestDatabase::alone().await.unwrap();
    let db = database.open(2).await.unwrap();
    as_superuser(&database, "ALTER ROLE test_app BYPASSRLS").await;
    let error = fit_to_serve(&db).await.unwrap_err();
    assert!(error.to_string().contains("\"test_app\" has BYPASSRLS"), "{error}");
}
