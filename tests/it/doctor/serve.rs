//! What a backend asks before it serves.

use workspace_db::doctor::fit_to_serve;

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

/// The login was bound when the pool was opened.
#[tokio::test]
async fn a_login_that_has_become_more_is_refused() {
    let database = TestDatabase::alone().await.unwrap();
    let db = database.open(2).await.unwrap();
    as_superuser(&database, "ALTER ROLE test_app BYPASSRLS").await;
    let error = fit_to_serve(&db).await.unwrap_err();
    assert!(error.to_string().contains("\"test_app\" has BYPASSRLS"), "{error}");
}
