//! Indexes that are built while others read and write.

use super::*;

const UP: &str =
    "-- A comment.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS titles_idx ON documents (workspace_id, title)";
const IS_VALID: &str = "SELECT indisvalid AS met FROM pg_index WHERE indexrelid = 'titles_idx'::regclass";
const IS_INVALID: &str = "SELECT NOT indisvalid AS met FROM pg_index WHERE indexrelid = 'titles_idx'::regclass";

fn with_index(url: &DatabaseUrl) -> Migrator {
    let index = later("29990101000000_index_titles", UP, "DROP INDEX CONCURRENTLY IF EXISTS titles_idx");
    migrator(url).with([index.outside_a_transaction()]).unwrap()
}

async fn two_of_one_title(database: &TestDatabase) {
    let mut conn = database.connect().await.unwrap();
    let a = seed(&mut conn, "a").await.unwrap();
    let again = format!(
        "INSERT INTO documents (workspace_id, title) SELECT workspace_id, title FROM documents WHERE workspace_id = '{}'",
        a.workspace
    );
    conn.batch_execute(&again).await.unwrap();
}

#[tokio::test]
async fn an_index_that_could_not_be_built_is_built_by_the_next_run() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    two_of_one_title(&database).await;
    let error = with_index(&url).run(|_| ()).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("29990101000000_index_titles, line 2 of up.sql"), "{said}");
    let mut conn = database.connect().await.unwrap();
    until(&mut conn, IS_INVALID).await;
    conn.batch_execute("UPDATE documents SET title = id::text").await.unwrap();
    assert_eq!(with_index(&url).run(|_| ()).await.unwrap(), ["29990101000000_index_titles"]);
    until(&mut conn, IS_VALID).await;
    assert_eq!(with_index(&url).revert(RevertCount::Last(1)).await.unwrap(), ["29990101000000_index_titles"]);
    until(&mut conn, "SELECT to_regclass('titles_idx') IS NULL AS met").await;
}

/// The backend is ended while it waits for a transaction that began before it.
#[tokio::test]
async fn an_index_whose_build_was_killed_is_built_by_the_next_run() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    seed(&mut database.connect().await.unwrap(), "a").await.unwrap();
    let mut older = database.connect().await.unwrap();
    older.batch_execute("BEGIN; UPDATE documents SET title = title").await.unwrap();
    let building = tokio::spawn({
        let url = url.clone();
        async move { with_index(&url).run(|_| ()).await }
    });
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let builds = "datname = current_database() AND query LIKE '%titles_idx%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
    until(&mut superuser, &format!("SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE {builds}")).await;
    superuser
        .batch_execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {builds}"))
        .await
        .unwrap();
    let error = building.await.unwrap().unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("index_titles"), "{error}");
    until(&mut superuser, IS_INVALID).await;
    older.batch_execute("COMMIT").await.unwrap();
    with_index(&url).run(|_| ()).await.unwrap();
    until(&mut superuser, IS_VALID).await;
}

/// It was built, and the deployer died before it could write that down.
#[tokio::test]
async fn an_index_that_was_built_and_not_recorded_is_recorded() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    with_index(&url).run(|_| ()).await.unwrap();
    let mut conn = connect(&url).await.unwrap();
    conn.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '29990101000000'").await.unwrap();
    assert_eq!(with_index(&url).run(|_| ()).await.unwrap(), ["29990101000000_index_titles"]);
    until(&mut conn, IS_VALID).await;
}
