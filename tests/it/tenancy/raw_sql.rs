//! What raw SQL leaves in a session reaches nobody else, and what it may do is what its connection may do.

use std::mem;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{Access, InWorkspace as _, WorkspaceConnection};
use workspace_db::{Error, Result, db};

use super::{Fixture, scope_of};
use crate::until;

/// Runs statements as raw SQL of a workspace.
async fn run(ws: &mut WorkspaceConnection<impl Access>, sql: &str) -> Result<()> {
    ws.under_row_security("a test", async |conn| Ok(conn.batch_execute(sql).await?)).await
}

/// Whether a condition holds for raw SQL of a workspace.
async fn holds(ws: &mut WorkspaceConnection<impl Access>, condition: &str) -> bool {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        met: bool,
    }
    let query = format!("SELECT {condition} AS met");
    let row: Result<Row> =
        ws.under_row_security("a test", async |conn| Ok(diesel::sql_query(query).get_result(conn).await?)).await;
    row.unwrap().met
}

/// Each on a pool of one connection: `b` leaves something behind, and `a` looks for it.
#[rstest]
#[case::a_temporary_table(
    "CREATE TEMP TABLE hits AS SELECT title FROM documents",
    "to_regclass('pg_temp.hits') IS NULL"
)]
#[case::a_temporary_view("CREATE TEMP VIEW hits AS SELECT title FROM documents", "to_regclass('pg_temp.hits') IS NULL")]
#[case::a_temporary_function(
    "CREATE FUNCTION pg_temp.hits() RETURNS text LANGUAGE sql AS 'SELECT ''x'''",
    "to_regproc('pg_temp.hits') IS NULL"
)]
#[case::a_cursor(
    "DECLARE c CURSOR WITH HOLD FOR SELECT title FROM documents",
    "NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'c')"
)]
#[case::a_prepared_statement(
    "PREPARE p AS SELECT title FROM documents",
    "NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'p')"
)]
#[case::a_setting("SET my.secret = 'of b'", "coalesce(current_setting('my.secret', true), '') = ''")]
#[case::a_timezone("SET timezone = 'Asia/Tokyo'", "current_setting('timezone') = 'UTC'")]
#[case::a_timeout("SET statement_timeout = '29s'", "current_setting('statement_timeout') = '30s'")]
#[case::a_read_only_session(
    "SET default_transaction_read_only = on",
    "current_setting('default_transaction_read_only') = 'off'"
)]
#[case::a_search_path("SET search_path = pg_temp", "current_setting('search_path') = 'public, pg_temp'")]
#[case::an_advisory_lock(
    "SELECT pg_advisory_lock(42)",
    "NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')"
)]
#[case::a_listener("LISTEN everything", "NOT EXISTS (SELECT FROM pg_listening_channels())")]
#[case::a_sequence_position("CREATE TEMP SEQUENCE s; SELECT nextval('s')", "to_regclass('pg_temp.s') IS NULL")]
#[case::no_prepared_statements("DEALLOCATE ALL", "true")]
#[tokio::test]
async fn what_raw_sql_leaves_reaches_nobody(#[case] leaves: &str, #[case] is_gone: &str) {
    let Fixture { database, a, b, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let (mine, theirs) = (scope_of(&a), scope_of(&b));
    for within in [false, true] {
        let mut ws = db.workspace(&theirs).await.unwrap();
        if within {
            ws.transaction(async |tx| run(tx, leaves).await).await.unwrap();
        } else {
            run(&mut ws, leaves).await.unwrap();
        }
        // The same connection of the workspace goes on, and another tenant comes after it.
        let titles = documents::table.in_workspace(&theirs).select(documents::title);
        assert_eq!(titles.load::<String>(&mut ws).await.unwrap(), ["Opening hours"]);
        drop(ws);
        let mut ws = db.workspace(&mine).await.unwrap();
        assert!(holds(&mut ws, is_gone).await, "{leaves}");
        let rows: Vec<Document> = documents::table.in_workspace(&mine).load(&mut ws).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [a.document], "{leaves}");
        documents::table
            .in_workspace(&mine)
            .find(a.document)
            .update()
            .set(documents::title.eq("Opening hours"))
            .execute(&mut ws)
            .await
            .unwrap();
    }
}

/// Where a superuser has run what `workspace-db roles` prints, as the servers of `up` and of the tests have it.
#[rstest]
#[case::ends_a_session("SELECT pg_terminate_backend(pg_backend_pid())")]
#[case::ends_a_statement("SELECT pg_cancel_backend(0)")]
#[case::watches_sessions("SELECT count(*) FROM pg_stat_activity")]
#[case::watches_a_backend("SELECT pg_stat_get_backend_activity(1)")]
#[case::watches_who_waits("SELECT pg_blocking_pids(0)")]
#[case::keeps_a_large_object("SELECT lo_create(0)")]
#[case::writes_to_the_log_of_changes("SELECT pg_logical_emit_message(false, 'x', 'y')")]
#[tokio::test]
async fn what_ends_or_watches_others_is_refused(#[case] sql: &str) {
    let Fixture { database, b, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope_of(&b)).await.unwrap();
    let error = run(&mut ws, sql).await.unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{sql}: {error}");
    let mut owner = workspace_db::db::connect(&database.url().unwrap()).await.unwrap();
    if sql.contains("count(*)") {
        owner.batch_execute(sql).await.unwrap();
    }
}

/// A temporary table of the name of one of ours: typed queries of the same transaction do not see it either.
#[tokio::test]
async fn a_temporary_table_shadows_none_of_ours() {
    let Fixture { database: _database, a, scope, mut ws, .. } = Fixture::new().await;
    ws.transaction(async |tx| {
        run(tx, "CREATE TEMP TABLE documents (LIKE public.documents); INSERT INTO pg_temp.documents SELECT * FROM public.documents").await?;
        documents::table.in_workspace(&scope).insert(NewDocument::new("written")).execute(tx).await?;
        let rows: i64 = documents::table.in_workspace(&scope).count().get_result(tx).await?;
        assert_eq!(rows, 2);
        assert!(holds(tx, "(SELECT count(*) FROM documents) = 2 AND (SELECT count(*) FROM pg_temp.documents) = 1").await);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert!(
        holds(
            &mut ws,
            &format!("EXISTS (SELECT FROM documents WHERE workspace_id = '{}' AND title = 'written')", a.workspace)
        )
        .await
    );
}

/// What the platform's raw SQL leaves is met neither by the next one nor by whoever is admitted meanwhile.
#[tokio::test]
async fn what_raw_sql_across_workspaces_leaves_reaches_nobody() {
    let Fixture { database, a, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let published = workspaces::is_published.eq(true);
    diesel::update(workspaces::table.find(a.workspace)).set(published).execute(&mut conn).await.unwrap();
    db.across_workspaces("a test", async |conn| {
        Ok::<_, Error>(
            conn.batch_execute(
                "CREATE TEMP TABLE workspaces AS SELECT * FROM workspaces; SET statement_timeout = '29s'",
            )
            .await?,
        )
    })
    .await
    .unwrap();
    diesel::update(workspaces::table.find(a.workspace))
        .set(workspaces::is_published.eq(false))
        .execute(&mut conn)
        .await
        .unwrap();
    assert!(db.published("a").await.unwrap_err().is_not_found());
    db.across_workspaces("a test", async |conn| {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Bool)]
            clean: bool,
        }
        let query = "SELECT to_regclass('pg_temp.workspaces') IS NULL AND current_setting('statement_timeout') <> '29s' AS clean";
        assert!(diesel::sql_query(query).get_result::<Row>(conn).await?.clean);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    // Raw SQL that holds its connection keeps nobody from being admitted.
    let admitted = db.across_workspaces("a test", async |_| Ok::<_, Error>(db.published("a").await));
    assert!(admitted.await.unwrap().unwrap_err().is_not_found());
}

#[rstest]
#[case::it_begins_another("COMMIT; BEGIN")]
#[case::with_a_savepoint_of_diesels_name("COMMIT; BEGIN; SAVEPOINT diesel_savepoint_1; SAVEPOINT diesel_savepoint_2")]
#[case::it_rolls_back_and_begins_another("ROLLBACK; BEGIN")]
#[case::chained("COMMIT AND CHAIN")]
#[case::prepared_for_another("ROLLBACK AND CHAIN; SAVEPOINT lent")]
#[tokio::test]
async fn a_transaction_that_raw_sql_replaced_is_noticed(#[case] ends: &str) {
    let Fixture { database: _database, db, scope, mut ws, .. } = Fixture::new().await;
    let ended = run(&mut ws, ends).await;
    assert!(ended.as_ref().unwrap_err().is_interrupted(), "{ended:?}");
    let kept: Result<()> = ws
        .transaction(async |tx| {
            documents::table.in_workspace(&scope).insert(NewDocument::new("half")).execute(tx).await?;
            let ended = run(tx, ends).await;
            assert!(ended.as_ref().unwrap_err().is_interrupted(), "{ended:?}");
            Ok(())
        })
        .await;
    assert!(kept.unwrap_err().is_interrupted());
    let ended: Result<()> = db.across_workspaces("a test", async |conn| Ok(conn.batch_execute(ends).await?)).await;
    assert!(ended.unwrap_err().is_interrupted());
}

/// Two connections that are lent within each other and change places: neither keeps what it did, and none goes back.
#[tokio::test]
async fn connections_that_change_places_are_noticed() {
    let Fixture { database, a, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let outer: Result<()> = db
        .across_workspaces("a test", async |platform| {
            let inner: Result<()> = ws
                .under_row_security("a test", async |app| {
                    mem::swap(platform, app);
                    app.batch_execute("UPDATE documents SET title = 'swapped'").await?;
                    Ok(())
                })
                .await;
            assert!(inner.unwrap_err().is_interrupted());
            Ok(())
        })
        .await;
    assert!(outer.unwrap_err().is_interrupted());
    let login = "current_user = 'test_app' AND NOT EXISTS (SELECT FROM documents WHERE title = 'swapped')";
    assert!(holds(&mut ws, login).await);
    let rows: Vec<Document> = documents::table.in_workspace(&scope).load(&mut ws).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [a.document]);
}

/// A reader writes by no statement of raw SQL, whatever mode it asks for, in a transaction of its own or within one.
#[rstest]
#[case::plainly("UPDATE documents SET title = 'x'")]
#[case::in_another_mode("SET TRANSACTION READ WRITE; UPDATE documents SET title = 'x'")]
#[case::in_a_local_setting("SET LOCAL transaction_read_only = off; DELETE FROM document_chunks")]
#[case::in_a_setting_by_a_function(
    "SELECT set_config('transaction_read_only', 'off', true); DELETE FROM document_chunks"
)]
#[case::in_a_session_setting(
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; INSERT INTO conversations (workspace_id, id) SELECT workspace_id, gen_random_uuid() FROM documents"
)]
#[case::behind_a_savepoint("SAVEPOINT s; SET TRANSACTION READ WRITE; UPDATE documents SET title = 'x'")]
#[case::in_a_block("DO $$ BEGIN SET TRANSACTION READ WRITE; UPDATE documents SET title = 'x'; END $$")]
#[case::in_a_new_transaction("COMMIT; BEGIN; UPDATE documents SET title = 'x'")]
#[case::by_copy("COPY conversations (workspace_id, id) FROM STDIN")]
#[case::by_a_lock("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE")]
#[tokio::test]
async fn a_reader_writes_nothing(#[case] writes: &str) {
    let Fixture { database, db, a, scope, .. } = Fixture::new().await;
    let mut ws = db.workspace(&scope.to_read()).await.unwrap();
    assert!(holds(&mut ws, "current_user = 'workspace_reader'").await);
    assert!(run(&mut ws, writes).await.is_err());
    let within: Result<()> = ws.transaction(async |tx| run(tx, writes).await).await;
    assert!(within.is_err());
    let mut conn = database.connect().await.unwrap();
    let titles: Vec<String> = documents::table
        .filter(documents::workspace_id.eq(a.workspace))
        .select(documents::title)
        .load(&mut conn)
        .await
        .unwrap();
    assert_eq!(titles, ["Opening hours"]);
    let chunks: i64 = document_chunks::table
        .filter(document_chunks::workspace_id.eq(a.workspace))
        .count()
        .get_result(&mut conn)
        .await
        .unwrap();
    assert!(chunks > 0);
}

/// The role alone holds as well: without the read-only mode there is no privilege.
#[tokio::test]
async fn a_readers_role_has_no_privilege_but_to_read() {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        table: String,
    }
    let Fixture { database, .. } = Fixture::new().await;
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let query = "SELECT c.oid::regclass::text AS table FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        AND (has_any_column_privilege('workspace_reader', c.oid, 'INSERT, UPDATE, REFERENCES')
          OR has_table_privilege('workspace_reader', c.oid, 'DELETE, TRUNCATE, TRIGGER'))";
    let writable: Vec<Row> = diesel::sql_query(query).load(&mut superuser).await.unwrap();
    let writable: Vec<String> = writable.into_iter().map(|row| row.table).collect();
    assert_eq!(writable, [""; 0]);
}

/// Raw SQL costs a connection, and no more than one: the pool is as large as before.
#[tokio::test]
async fn the_pool_recovers_from_raw_sql() {
    let Fixture { database, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    for _ in 0..20 {
        run(&mut ws, "SELECT 1").await.unwrap();
        assert!(run(&mut ws, "SELECT 1/0").await.is_err());
    }
    let few =
        "SELECT count(*) <= 1 AS met FROM pg_stat_activity WHERE datname = current_database() AND usename = 'test_app'";
    until(&mut superuser, few).await;
}
