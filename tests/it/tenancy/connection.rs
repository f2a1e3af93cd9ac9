//! What a connection shows, how it is entered, and what becomes of one that is left half-way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use rstest::rstest;
use workspace_db::config::{Config, Environment};
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::PasswordHash;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection};
use workspace_db::{Error, Result, db};
use workspace_db_testing::{TestDatabase, seed};

use super::{Fixture, scope_of};
use crate::until;

/// What the server knows of a session.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct ServerSession {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    workspace: String,
}

const SESSION: &str =
    "SELECT current_user::text AS role, coalesce(current_setting('app.workspace_id', true), '') AS workspace";

async fn titles(scope: &workspace_db::tenancy::WorkspaceScope, ws: &mut WorkspaceConnection) -> Result<Vec<String>> {
    documents::table.in_workspace(scope).order(documents::title).select(documents::title).load(ws).await
}

#[tokio::test]
async fn only_an_active_and_published_workspace_is_entered_by_its_slug() {
    let Fixture { database, db, a, .. } = Fixture::new().await;
    let mut conn = database.connect().await.unwrap();
    let unpublished = db.published("a").await.unwrap_err();
    let unknown = db.published("none-such").await.unwrap_err();
    assert!(unpublished.is_not_found() && unknown.is_not_found());
    assert_eq!(unpublished.to_string().replace("\"a\"", ""), unknown.to_string().replace("\"none-such\"", ""));
    for (is_published, is_active, enters) in [(true, true, true), (true, false, false), (false, true, false)] {
        let changes = (workspaces::is_published.eq(is_published), workspaces::is_active.eq(is_active));
        diesel::update(workspaces::table.find(a.workspace)).set(changes).execute(&mut conn).await.unwrap();
        assert_eq!(db.published("a").await.is_ok(), enters);
    }
}

#[tokio::test]
async fn a_scope_of_another_database_is_refused() {
    let Fixture { database: _database, db, scope, .. } = Fixture::new().await;
    let elsewhere = TestDatabase::new().await.unwrap();
    let mut conn = elsewhere.connect().await.unwrap();
    let theirs = seed(&mut conn, "there").await.unwrap();
    let published = workspaces::is_published.eq(true);
    diesel::update(workspaces::table.find(theirs.workspace)).set(published).execute(&mut conn).await.unwrap();
    let other = elsewhere.open(1).await.unwrap();
    let foreign = other.published("there").await.unwrap();
    let error = db.workspace(&foreign).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("another `Database`"), "{error}");
    // One that was vouched for fits every database, and shows nothing in one that has no such workspace.
    let mut ws = other.workspace(&scope).await.unwrap();
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn savepoints_roll_back_alone_and_transactions_as_a_whole() {
    let Fixture { database: _database, scope, mut ws, .. } = Fixture::new().await;
    let insert = |title: &str| documents::table.in_workspace(&scope).insert(NewDocument::new(title));
    ws.transaction(async |tx| {
        insert("kept").execute(tx).await?;
        let inner = tx
            .transaction(async |savepoint| {
                insert("undone").execute(savepoint).await?;
                // Fails in the server, which a savepoint survives and a transaction does not.
                documents::table.in_workspace(&scope).update().set(documents::title.eq("x")).execute(savepoint).await?;
                let twice = NewDocument::new("twice");
                documents::table.in_workspace(&scope).insert(&twice).execute(savepoint).await?;
                documents::table.in_workspace(&scope).insert(&twice).execute(savepoint).await
            })
            .await;
        assert!(inner.unwrap_err().is_conflict());
        let inner: Result<()> =
            tx.transaction(async |savepoint| insert("kept too").execute(savepoint).await.map(drop)).await;
        inner
    })
    .await
    .unwrap();
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours", "kept", "kept too"]);
    let undone: Result<()> = ws
        .transaction(async |tx| {
            insert("undone").execute(tx).await?;
            Err(documents::table
                .in_workspace(&scope)
                .filter(documents::title.eq("none"))
                .first::<Document>(tx)
                .await
                .unwrap_err())
        })
        .await;
    assert!(undone.unwrap_err().is_not_found());
    assert_eq!(titles(&scope, &mut ws).await.unwrap().len(), 3);
}

/// The statement is ended in the server, the connection is not lent again, and the next statement has another.
#[tokio::test]
async fn a_statement_that_is_cut_short_is_cancelled_and_its_connection_given_up() {
    let Fixture { database, db, a, scope, .. } = Fixture::new().await;
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let one = database.open(1).await.unwrap();
    let mut ws = one.workspace(&scope).await.unwrap();
    // It waits for a lock that another holds.
    let mut holder = db.workspace(&scope).await.unwrap();
    holder
        .transaction(async |tx| {
            let held = documents::table.in_workspace(&scope).find(a.document);
            held.for_update().load::<Document>(tx).await?;
            let waits = held.for_update().load::<Document>(&mut ws);
            let running = until(&mut superuser, "SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
            tokio::select! {
                rows = waits => panic!("it did not wait: {rows:?}"),
                () = running => {}
            }
            let gone = "SELECT count(*) = 0 AS met FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            until(&mut superuser, gone).await;
            // The pool has one connection, and it is a new one.
            assert_eq!(titles(&scope, &mut ws).await?.len(), 1);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_transaction_whose_statement_was_cut_short_commits_nothing() {
    let Fixture { database: _database, scope, mut ws, .. } = Fixture::new().await;
    let insert = |title: &str| documents::table.in_workspace(&scope).insert(NewDocument::new(title));
    let done: Result<()> = ws
        .transaction(async |tx| {
            insert("lost").execute(tx).await?;
            // Polled once, so that it is sent, and dropped.
            assert!(insert("cut short").execute(tx).now_or_never().is_none());
            let after = insert("after").execute(tx).await;
            assert!(after.as_ref().unwrap_err().is_interrupted(), "{after:?}");
            Ok(())
        })
        .await;
    assert!(done.unwrap_err().is_interrupted());
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
}

#[tokio::test]
async fn a_savepoint_that_was_dropped_breaks_its_transaction() {
    let Fixture { database: _database, scope, mut ws, .. } = Fixture::new().await;
    let insert = |title: &str| documents::table.in_workspace(&scope).insert(NewDocument::new(title));
    let done: Result<()> = ws
        .transaction(async |tx| {
            insert("lost").execute(tx).await?;
            let endless = tx.transaction(async |savepoint| {
                insert("dropped").execute(savepoint).await?;
                std::future::pending::<Result<()>>().await
            });
            assert!(tokio::time::timeout(Duration::from_millis(200), endless).await.is_err());
            Ok(())
        })
        .await;
    assert!(done.unwrap_err().is_interrupted());
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
}

/// Whoever returns an error of their own after a time-out gets it back, and nothing is kept.
#[tokio::test]
async fn the_error_of_the_work_survives_a_statement_that_was_cut_short() {
    let Fixture { database: _database, scope, mut ws, .. } = Fixture::new().await;
    let done: Result<()> = ws
        .transaction(async |tx| {
            let insert = documents::table.in_workspace(&scope).insert(NewDocument::new("cut short"));
            assert!(insert.execute(tx).now_or_never().is_none());
            Err("no id".parse::<workspace_db::id::DocumentId>().unwrap_err())
        })
        .await;
    assert!(done.unwrap_err().is_invalid_input());
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
}

#[tokio::test]
async fn a_panic_in_a_transaction_leaves_the_pool_healthy() {
    let Fixture { database, a, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    for _ in 0..3 {
        let mut ws = db.workspace(&scope).await.unwrap();
        let work = ws.transaction(async |tx| {
            documents::table.in_workspace(&scope).delete().execute(tx).await?;
            assert!(tx.workspace() != a.workspace, "as a bug does");
            Ok::<_, Error>(())
        });
        AssertUnwindSafe(work).catch_unwind().await.unwrap_err();
    }
    let mut ws = db.workspace(&scope).await.unwrap();
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
}

#[tokio::test]
async fn raw_sql_sees_the_workspace_and_what_it_sets_is_taken_back() {
    let Fixture { database, a, b, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let (mine, theirs) = (a.workspace, b.workspace);
    ws.transaction(async |tx| {
        let seen: Vec<Document> = tx
            .under_row_security("a test", async |conn| {
                let seen = Document::query().load(conn).await?;
                conn.batch_execute(&format!(
                    "SET LOCAL app.workspace_id = '{theirs}'; SET app.workspace_id = '{theirs}'; SET ROLE NONE"
                ))
                .await?;
                Ok::<_, Error>(seen)
            })
            .await?;
        assert_eq!(seen.iter().map(|row| row.workspace_id).collect::<Vec<_>>(), [mine]);
        let rest: Vec<Document> = documents::table.in_workspace(&scope).load(tx).await?;
        assert_eq!(rest.len(), 1, "the rest of the transaction is in another workspace");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    drop(ws);
    let mut ws = db.workspace(&scope).await.unwrap();
    let within: ServerSession = ws
        .under_row_security("a test", async |conn| Ok::<_, Error>(diesel::sql_query(SESSION).get_result(conn).await?))
        .await
        .unwrap();
    assert_eq!(within, ServerSession { role: "test_app".to_owned(), workspace: mine.to_string() });
}

#[rstest]
#[case::it_commits("COMMIT")]
#[case::it_rolls_back("ROLLBACK")]
#[case::a_statement_failed_and_it_went_on("SELECT 1/0")]
#[tokio::test]
async fn raw_sql_that_ends_its_transaction_is_told_and_its_connection_given_up(#[case] sql: &str) {
    let Fixture { database, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let ended = ws
        .under_row_security("a test", async |conn| {
            let _ = conn.batch_execute(sql).await;
            Ok::<_, Error>(())
        })
        .await;
    assert!(ended.as_ref().unwrap_err().is_interrupted(), "{ended:?}");
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
}

#[tokio::test]
async fn raw_sql_that_fails_changes_nothing_and_sets_nothing() {
    let Fixture { database, b, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let theirs = b.workspace;
    let failed: Result<()> = ws
        .under_row_security("a test", async |conn| {
            conn.batch_execute(&format!("DELETE FROM documents; COMMIT; SET app.workspace_id = '{theirs}'")).await?;
            conn.batch_execute("SELECT 1/0").await?;
            Ok(())
        })
        .await;
    assert!(failed.is_err());
    drop(ws);
    let mut ws = db.workspace(&scope).await.unwrap();
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), [""; 0], "what raw SQL committed is committed, here alone");
}

#[tokio::test]
async fn across_workspaces_sees_all_and_leaves_nothing_set() {
    let Fixture { database, .. } = Fixture::new().await;
    for config in [
        Config { pool_size: 1, ..database.config().unwrap() },
        Config { database_url: Some(database.url().unwrap()), pool_size: 1, ..Config::default() },
        Config { database_url: Some(database.superuser_url().unwrap()), pool_size: 1, ..Config::default() },
    ] {
        let db = Database::open(&config).await.unwrap();
        let seen: i64 = db
            .across_workspaces("a test", async |conn| {
                conn.transaction(async |conn| {
                    let platform: ServerSession = diesel::sql_query(SESSION).get_result(conn).await?;
                    assert!(["test_platform", "workspace_platform"].contains(&platform.role.as_str()), "{platform:?}");
                    documents::table.count().get_result(conn).await
                })
                .await
                .map_err(Error::from)
            })
            .await
            .unwrap();
        assert_eq!(seen, 2);
        let failed: Result<()> = db
            .across_workspaces("a test", async |conn| {
                diesel::delete(documents::table).execute(conn).await?;
                conn.batch_execute("SELECT 1/0").await?;
                Ok(())
            })
            .await;
        assert!(failed.unwrap_err().is_database_failure());
    }
}

/// With the owner's or even a superuser's URL alone, isolation holds on day one: every transaction drops to the role.
#[rstest]
#[case::the_owner(false)]
#[case::a_superuser(true)]
#[tokio::test]
async fn with_one_url_every_transaction_drops_to_the_role(#[case] superuser: bool) {
    let Fixture { database, a, scope, .. } = Fixture::new().await;
    let url = if superuser { database.superuser_url() } else { database.url() }.unwrap();
    let config = Config { database_url: Some(url), pool_size: 1, ..Config::default() };
    let db = Database::open(&config).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    for _ in 0..2 {
        let (session, seen) = ws
            .under_row_security("a test", async |conn| {
                let session: ServerSession = diesel::sql_query(SESSION).get_result(conn).await?;
                Ok::<_, Error>((session, Document::query().load(conn).await?))
            })
            .await
            .unwrap();
        assert_eq!(session, ServerSession { role: "workspace_app".to_owned(), workspace: a.workspace.to_string() });
        assert_eq!(seen.iter().map(|row| row.id).collect::<Vec<_>>(), [a.document]);
        assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours"]);
    }
}

#[tokio::test]
async fn production_refuses_a_login_that_row_level_security_does_not_bind() {
    let database = TestDatabase::alone().await.unwrap();
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let production =
        |url| Config { database_app_url: Some(url), environment: Environment::Production, ..Config::default() };
    for (url, why) in [
        (database.url(), "owns "),
        (database.superuser_url(), "is a superuser"),
        (database.platform_url(), "can become workspace_platform, which sees every workspace"),
    ] {
        let error = Database::open(&production(url.unwrap())).await.unwrap_err();
        assert!(error.is_missing_prerequisite() && error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains("workspace-db roles"), "the remedy is missing: {error}");
    }
    superuser.batch_execute("ALTER ROLE test_app BYPASSRLS").await.unwrap();
    let error = Database::open(&production(database.app_url().unwrap())).await.unwrap_err();
    assert!(error.to_string().contains("BYPASSRLS"), "{error}");
    superuser.batch_execute("ALTER ROLE test_app NOBYPASSRLS; REVOKE workspace_app FROM test_app").await.unwrap();
    let error = Database::open(&production(database.app_url().unwrap())).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("GRANT workspace_app"), "{error}");
    let error = database.config().unwrap();
    let platform = Config { database_platform_url: error.database_app_url.clone(), database_app_url: None, ..error };
    assert!(Database::open(&platform).await.unwrap_err().is_missing_prerequisite());
}

#[tokio::test]
async fn a_database_that_is_not_migrated_says_so() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let error = database.open(1).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("migrate"), "{error}");
    let migrated = TestDatabase::new().await.unwrap();
    let app = Config { database_platform_url: None, ..migrated.config().unwrap() };
    let error = Database::open(&app).await.unwrap().published("a").await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("DATABASE_PLATFORM_URL"), "{error}");
}

#[tokio::test]
async fn an_exhausted_pool_is_told_and_recovers() {
    let Fixture { database, scope, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    titles(&scope, &mut ws).await.unwrap();
    // The clock of the runtime jumps over what nobody else does meanwhile.
    tokio::time::pause();
    let error = db.workspace(&scope).await.unwrap_err();
    assert!(error.is_exhausted() && error.to_string().contains("WORKSPACE_DB_POOL_SIZE"), "{error}");
    tokio::time::resume();
    drop(ws);
    let mut ws = db.workspace(&scope).await.unwrap();
    assert_eq!(titles(&scope, &mut ws).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_transaction_loses_nothing_that_was_committed() {
    let database = TestDatabase::alone().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let scope = scope_of(&seed(&mut conn, "a").await.unwrap());
    let db = database.open(4).await.unwrap();
    let mut ws = db.workspace(&scope).await.unwrap();
    let insert = |title: &str| documents::table.in_workspace(&scope).insert(NewDocument::new(title));
    insert("committed").execute(&mut ws).await.unwrap();
    let error: Error = ws
        .transaction(async |tx| {
            insert("lost").execute(tx).await?;
            database.restart_server().await.unwrap();
            insert("lost too").execute(tx).await
        })
        .await
        .unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(titles(&scope, &mut ws).await.unwrap(), ["Opening hours", "committed"]);
    drop(ws);
    // Every connection of the pool died with the server; none of them is lent again.
    let mut both = [db.workspace(&scope).await.unwrap(), db.workspace(&scope).await.unwrap()].map(Some);
    for ws in &mut both {
        assert_eq!(titles(&scope, ws.as_mut().unwrap()).await.unwrap().len(), 2);
        *ws = None;
    }
}

#[tokio::test]
async fn a_changeset_with_a_field_workspace_id_is_refused_before_it_is_sent() {
    #[derive(AsChangeset)]
    #[diesel(table_name = documents)]
    struct MovingChanges {
        title: String,
        workspace_id: Option<workspace_db::id::WorkspaceId>,
    }
    impl workspace_db::tenancy::Changes<documents::table> for MovingChanges {
        const DECLARED: workspace_db::tenancy::MacroMarker = workspace_db::tenancy::macro_marker();
    }
    let Fixture { database: _database, a, b, scope, mut ws, .. } = Fixture::new().await;
    let set = |workspace_id| {
        documents::table
            .in_workspace(&scope)
            .find(a.document)
            .update()
            .set(MovingChanges { title: "x".to_owned(), workspace_id })
    };
    let error = set(Some(b.workspace)).execute(&mut ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("stays in its workspace"), "{error}");
    assert_eq!(set(None).execute(&mut ws).await.unwrap(), 1);
    let nothing = document_chunks::table.in_workspace(&scope).update().set(DocumentChunkChanges::default());
    assert!(nothing.execute(&mut ws).await.unwrap_err().is_invalid_input());
}

#[tokio::test]
async fn a_password_hash_is_out_of_a_workspaces_reach() {
    let Fixture { database: _database, mut ws, .. } = Fixture::new().await;
    let read = ws.under_row_security("a test", async |conn| {
        Ok::<Vec<PasswordHash>, Error>(admin_users::table.select(admin_users::password_hash).load(conn).await?)
    });
    let error = read.await.unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
}

/// U+0000 is in no text of PostgreSQL: nothing has such a name, and no row takes such a text.
#[tokio::test]
async fn a_name_with_nul_is_not_found_and_a_text_with_nul_is_bad_input() {
    let Fixture { database: _database, db, scope, mut ws, .. } = Fixture::new().await;
    for slug in ["a\0", "\0", "a\0b"] {
        assert!(db.published(slug).await.unwrap_err().is_not_found(), "{slug:?}");
        let found: Result<Workspace> =
            db.across_workspaces("a test", async |conn| Workspace::find_by_slug(conn, slug).await).await;
        assert!(found.unwrap_err().is_not_found(), "{slug:?}");
    }
    let insert = documents::table.in_workspace(&scope).insert(NewDocument::new("a\0b")).execute(&mut ws).await;
    assert!(insert.as_ref().unwrap_err().is_invalid_input(), "{insert:?}");
    let read =
        documents::table.in_workspace(&scope).filter(documents::title.eq("a\0b")).load::<Document>(&mut ws).await;
    assert!(read.as_ref().unwrap_err().is_invalid_input(), "{read:?}");
}
