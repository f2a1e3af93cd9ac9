//! Leaks that have happened in named systems, each tried here: on the types with the database's line switched off, and
//! on the database with the types out of the way. What the types refuse to compile is in `tests/ui/fail`.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use workspace_db::id::{ConversationId, DocumentId, MessageId};
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::{DatasourceType, MessageRole};
use workspace_db::tenancy::{InWorkspace as _, TENANT_TABLES, WorkspaceConnection, excluded};
use workspace_db::{Error, Result, db};
use workspace_db_testing::{SeededWorkspace, conformance};

use super::{Fixture, scope_of};
use crate::until;

/// The same, with the database's line switched off: whatever is kept apart now, the types keep apart.
pub(super) async fn types_alone() -> Fixture {
    let fixture = Fixture::new().await;
    let mut owner = db::connect(&fixture.database.url().unwrap()).await.unwrap();
    for table in TENANT_TABLES {
        owner.batch_execute(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).await.unwrap();
    }
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    let all: i64 = ws
        .under_row_security("to see that nothing is enforced", async |conn| {
            Ok::<_, Error>(documents::table.count().get_result(conn).await?)
        })
        .await
        .unwrap();
    assert_eq!(all, 2, "row-level security is still on");
    fixture
}

/// Raw SQL as `a`: the types are out of the way.
async fn raw(ws: &mut WorkspaceConnection, statement: &str) -> Result<usize> {
    ws.under_row_security("to try what a mistake would do", async |conn| {
        Ok(diesel::sql_query(statement).execute(conn).await?)
    })
    .await
}

/// The titles of `b`'s documents, as the platform sees them.
async fn titles_of(database: &workspace_db_testing::TestDatabase, of: &SeededWorkspace) -> Vec<String> {
    let mut conn = database.connect().await.unwrap();
    documents::table
        .filter(documents::workspace_id.eq(of.workspace))
        .order(documents::title)
        .select(documents::title)
        .load(&mut conn)
        .await
        .unwrap()
}

/// Flowise GHSA-c2c9-mfw7-p8hw, and Diesel's own `or_filter`, which does not compile here.
#[tokio::test]
async fn an_or_that_escapes_the_scope() {
    let Fixture { database: _database, a, scope, mut ws, .. } = types_alone().await;
    let escaping = documents::table.in_workspace(&scope).filter(sql::<Bool>("title = 'none' OR true"));
    assert!(escaping.to_sql().contains("= $1) AND (title = 'none' OR true)"), "{}", escaping.to_sql());
    let found: Vec<Document> = escaping.clone().load(&mut ws).await.unwrap();
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [a.document]);
    assert_eq!(escaping.update().set(documents::title.eq("x")).execute(&mut ws).await.unwrap(), 1);
    let grouped: Vec<(String, i64)> = documents::table
        .in_workspace(&scope)
        .group_by(documents::title)
        .having(sql::<Bool>("false OR true"))
        .select((documents::title, diesel::dsl::count_star()))
        .load(&mut ws)
        .await
        .unwrap();
    assert_eq!(grouped, [("x".to_owned(), 1)]);

    let Fixture { database: _database, a, mut ws, .. } = Fixture::new().await;
    let escaped = format!("UPDATE documents SET title = 'x' WHERE workspace_id = '{}' AND false OR true", a.workspace);
    assert_eq!(raw(&mut ws, &escaped).await.unwrap(), 1);
}

/// Dify CVE-2026-41949.
#[tokio::test]
async fn a_lookup_by_id_alone() {
    let Fixture { database: _database, b, scope, mut ws, .. } = types_alone().await;
    let found = documents::table.in_workspace(&scope).find(b.document).first::<Document>(&mut ws).await;
    assert!(found.unwrap_err().is_not_found());

    let Fixture { database: _database, b, mut ws, .. } = Fixture::new().await;
    assert_eq!(raw(&mut ws, &format!("SELECT * FROM documents WHERE id = '{}'", b.document)).await.unwrap(), 0);
}

/// Flowise CVE-2026-46476: the types take no id for a scope, and a row to insert has no workspace.
#[tokio::test]
async fn a_workspace_id_set_from_outside() {
    let Fixture { database, b, mut ws, .. } = Fixture::new().await;
    let insert = format!("INSERT INTO documents (workspace_id, title) VALUES ('{}', 'planted')", b.workspace);
    let error = raw(&mut ws, &insert).await.unwrap_err();
    assert!(error.to_string().contains("row-level security"), "{error}");
    let moved = format!("UPDATE documents SET workspace_id = '{}'", b.workspace);
    assert!(raw(&mut ws, &moved).await.unwrap_err().to_string().contains("row-level security"));
    assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);
}

/// hibernate-orm#13412, efcore#24122.
#[tokio::test]
async fn an_update_or_delete_by_primary_key() {
    let Fixture { database, b, scope, mut ws, .. } = types_alone().await;
    let theirs = documents::table.in_workspace(&scope).find(b.document);
    assert_eq!(theirs.update().set(documents::title.eq("mine")).execute(&mut ws).await.unwrap(), 0);
    assert_eq!(theirs.delete().execute(&mut ws).await.unwrap(), 0);
    assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);

    let Fixture { database, b, mut ws, .. } = Fixture::new().await;
    let id = b.document;
    assert_eq!(raw(&mut ws, &format!("UPDATE documents SET title = 'mine' WHERE id = '{id}'")).await.unwrap(), 0);
    assert_eq!(raw(&mut ws, &format!("DELETE FROM documents WHERE id = '{id}'")).await.unwrap(), 0);
    assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);
}

/// micronaut-data#3940, ash#2713: the conflict target has the workspace in it, so another's row is never met.
#[tokio::test]
async fn an_upsert_that_re_homes_another_tenants_row() {
    for fixture in [types_alone().await, Fixture::new().await] {
        let Fixture { database, a, b, scope, mut ws, .. } = fixture;
        let same_id = NewDocument { id: b.document, ..NewDocument::new("taken over") };
        let id: DocumentId = documents::table
            .in_workspace(&scope)
            .insert(&same_id)
            .on_conflict((documents::workspace_id, documents::id))
            .do_update()
            .set(documents::title.eq(excluded(documents::title)))
            .returning(documents::id)
            .get_result(&mut ws)
            .await
            .unwrap();
        assert_eq!(id, b.document);
        assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);
        assert_eq!(titles_of(&database, &a).await, ["Opening hours", "taken over"]);
    }
    let Fixture { database, b, mut ws, .. } = Fixture::new().await;
    let upsert = format!(
        "INSERT INTO documents (workspace_id, id, title) VALUES ('{}', '{}', 'x')
         ON CONFLICT (workspace_id, id) DO UPDATE SET title = 'taken over'",
        b.workspace, b.document
    );
    assert!(raw(&mut ws, &upsert).await.unwrap_err().to_string().contains("row-level security"));
    assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);
}

/// acts_as_tenant#37, ash_postgres#192.
#[tokio::test]
async fn unscoped_joins_and_associations() {
    // The same ids in both workspaces: a join on them alone would pair rows across.
    for fixture in [types_alone().await, Fixture::new().await] {
        let Fixture { database, a, b, scope, mut ws, .. } = fixture;
        let mut conn = database.connect().await.unwrap();
        let twin = NewDatasource { id: a.datasource, ..NewDatasource::new("Theirs", DatasourceType::Web) };
        let twin = (datasources::workspace_id.eq(b.workspace), twin);
        diesel::insert_into(datasources::table).values(twin).execute(&mut conn).await.unwrap();
        let inner: Vec<String> = documents::table
            .in_workspace(&scope)
            .inner_join(datasources::table)
            .select(datasources::name)
            .load(&mut ws)
            .await
            .unwrap();
        assert_eq!(inner, ["Handbook"]);
        let left: Vec<Option<String>> = documents::table
            .in_workspace(&scope)
            .left_join(datasources::table)
            .select(datasources::name.nullable())
            .load(&mut ws)
            .await
            .unwrap();
        assert_eq!(left, [Some("Handbook".to_owned())]);
    }
    let Fixture { database: _database, mut ws, .. } = Fixture::new().await;
    assert_eq!(raw(&mut ws, "SELECT * FROM documents, datasources, messages").await.unwrap(), 1);
}

/// Open WebUI CVE-2026-45402: the key between the two carries the workspace.
#[tokio::test]
async fn a_foreign_child_attached_by_id() {
    for fixture in [types_alone().await, Fixture::new().await] {
        let Fixture { database: _database, b, scope, mut ws, .. } = fixture;
        let stray = NewMessage::new(b.conversation, MessageRole::User, "into the wrong house");
        let error = messages::table.in_workspace(&scope).insert(&stray).execute(&mut ws).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        let attach = documents::table.in_workspace(&scope).update().set(documents::datasource_id.eq(b.datasource));
        assert!(attach.execute(&mut ws).await.unwrap_err().is_not_found());
    }
}

/// LibreChat#13457, #12445: nothing here is hooked, so nothing can be forgotten. What is not a method of a scoped query
/// does not compile, and the database binds whatever it is.
#[tokio::test]
async fn an_operation_that_nobody_hooked() {
    let Fixture { database: _database, scope, mut ws, .. } = types_alone().await;
    let all = documents::table.in_workspace(&scope);
    let titles = all.select(documents::title);
    assert_eq!(titles.distinct().load::<String>(&mut ws).await.unwrap().len(), 1);
    assert_eq!(all.distinct_on(documents::title).load::<Document>(&mut ws).await.unwrap().len(), 1);
    assert_eq!(all.count().get_result::<i64>(&mut ws).await.unwrap(), 1);
    assert_eq!(all.into_boxed().load::<Document>(&mut ws).await.unwrap().len(), 1);
    assert_eq!(all.for_update().load::<Document>(&mut ws).await.unwrap().len(), 1);
    assert_eq!(all.for_update().first::<Document>(&mut ws).await.unwrap().workspace_id, scope.workspace());
    let page = all.load_page::<Document, _, _>(&mut ws, documents::created_at, None, 9).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    let inner = document_chunks::table.in_workspace(&scope).select(document_chunks::document_id);
    assert_eq!(all.filter(documents::id.eq_any(inner)).load::<Document>(&mut ws).await.unwrap().len(), 1);
    assert_eq!(all.update().set(documents::title.eq("bulk")).execute(&mut ws).await.unwrap(), 1);
    assert_eq!(all.delete().execute(&mut ws).await.unwrap(), 1);

    let Fixture { database: _database, mut ws, .. } = Fixture::new().await;
    for statement in [
        "SELECT DISTINCT workspace_id FROM documents",
        "SELECT workspace_id FROM documents GROUP BY CUBE (workspace_id) HAVING workspace_id IS NOT NULL",
        "TABLE documents",
        "SELECT * FROM documents TABLESAMPLE SYSTEM (100)",
        "WITH d AS (SELECT * FROM documents) SELECT * FROM d",
        "SELECT * FROM documents FOR UPDATE",
        "UPDATE documents SET title = title",
        "MERGE INTO documents d USING (SELECT DISTINCT id FROM documents) s ON d.id = s.id WHEN MATCHED THEN UPDATE SET title = 'm'",
        "DELETE FROM documents",
    ] {
        assert_eq!(raw(&mut ws, statement).await.unwrap(), 1, "{statement}");
    }
    assert!(raw(&mut ws, "TRUNCATE documents CASCADE").await.unwrap_err().to_string().contains("permission denied"));
}

/// ash#1560.
#[tokio::test]
async fn a_bulk_insert_without_a_tenant() {
    let Fixture { database, a, b, scope, mut ws, .. } = types_alone().await;
    let rows: Vec<_> = (0..50).map(|n| NewDocument::new(format!("{n}"))).collect();
    assert_eq!(documents::table.in_workspace(&scope).insert(&rows).execute(&mut ws).await.unwrap(), 50);
    assert_eq!((titles_of(&database, &a).await.len(), titles_of(&database, &b).await.len()), (51, 1));

    let Fixture { database: _database, mut ws, .. } = Fixture::new().await;
    let error = raw(&mut ws, "INSERT INTO documents (title) SELECT 'x' FROM generate_series(1, 50)").await.unwrap_err();
    assert!(error.to_string().contains("row-level security") || error.to_string().contains("null value"), "{error}");
}

/// django-multitenant#213: there is no current tenant to go stale; each statement sets its own.
#[tokio::test]
async fn a_stale_tenant_in_a_worker() {
    let Fixture { database, a, b, .. } = Fixture::new().await;
    // One connection, lent by turns to both, each turn also ended early or in an error.
    let db = database.open(1).await.unwrap();
    for turn in 0..12 {
        let (mine, is_odd) = (if turn % 2 == 0 { &a } else { &b }, turn % 3 == 1);
        let scope = scope_of(mine);
        let mut ws = db.workspace(&scope).await.unwrap();
        let seen: Vec<Document> = documents::table.in_workspace(&scope).load(&mut ws).await.unwrap();
        assert_eq!(seen.iter().map(|row| row.id).collect::<Vec<_>>(), [mine.document]);
        assert_eq!(raw(&mut ws, "SELECT * FROM documents").await.unwrap(), 1);
        if is_odd {
            assert!(raw(&mut ws, "SELECT 1/0").await.is_err());
            assert!(documents::table.in_workspace(&scope).count().get_result::<i64>(&mut ws).now_or_never().is_none());
        }
    }
}

/// rustango#1225, diesel_async#198: a dropped future must not hand on its transaction or its workspace.
#[tokio::test]
async fn a_cancelled_future_that_returns_a_scoped_connection() {
    let Fixture { database, a, b, .. } = Fixture::new().await;
    let db = database.open(1).await.unwrap();
    let (mine, theirs) = (scope_of(&a), scope_of(&b));
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    // Polled so many times and dropped, in every state that a statement and a transaction go through.
    for (polls, alone) in (0..20).flat_map(|polls| [(polls, true), (polls, false)]) {
        let mut ws = db.workspace(&mine).await.unwrap();
        let read = documents::table.in_workspace(&mine).filter(documents::title.eq("Opening hours"));
        let mut work = if alone {
            async { read.load::<Document>(&mut ws).await.map(drop) }.boxed()
        } else {
            let half = ws.transaction(async |tx| {
                documents::table.in_workspace(&mine).update().set(documents::title.eq("half")).execute(tx).await?;
                raw(tx, "SELECT * FROM documents").await?;
                std::future::pending::<Result<()>>().await
            });
            half.boxed()
        };
        for _ in 0..polls {
            if (&mut work).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(work);
        drop(ws);
        let nothing_open = "SELECT count(*) = 0 AS met FROM pg_stat_activity
            WHERE datname = current_database() AND usename = 'test_app' AND state LIKE 'idle in transaction%'";
        until(&mut superuser, nothing_open).await;
        let mut ws = db.workspace(&theirs).await.unwrap();
        let seen: Vec<Document> = documents::table.in_workspace(&theirs).load(&mut ws).await.unwrap();
        assert_eq!(seen.iter().map(|row| row.id).collect::<Vec<_>>(), [b.document], "after {polls} polls");
        assert_eq!(raw(&mut ws, "SELECT FROM documents WHERE title = 'half'").await.unwrap(), 0);
    }
    assert_eq!(titles_of(&database, &a).await, ["Opening hours"]);
}

/// aurora#259: for owners, for BYPASSRLS, for views with their owner's rights, and where no tenant is set. BYPASSRLS and
/// views are mutants of the conformance suite, refused at start-up and found.
#[tokio::test]
async fn policies_that_fail_open() {
    let Fixture { database, b, .. } = Fixture::new().await;
    let count = |mut conn: AsyncPgConnection| async move {
        documents::table.count().get_result::<i64>(&mut conn).await.unwrap()
    };
    assert_eq!(count(db::connect(&database.url().unwrap()).await.unwrap()).await, 0, "the owner sees rows");
    assert_eq!(
        count(db::connect(&database.app_url().unwrap()).await.unwrap()).await,
        0,
        "without a tenant all is seen"
    );
    let mut app = db::connect(&database.app_url().unwrap()).await.unwrap();
    app.batch_execute("SET app.workspace_id = ''").await.unwrap();
    assert_eq!(count(app).await, 0, "an empty tenant sees rows");
    let mut owner = db::connect(&database.url().unwrap()).await.unwrap();
    let view = "CREATE VIEW mine WITH (security_invoker = true) AS SELECT * FROM documents; GRANT SELECT ON mine TO workspace_app";
    owner.batch_execute(view).await.unwrap();
    let mut app = db::connect(&database.app_url().unwrap()).await.unwrap();
    let seen = format!("SET app.workspace_id = '{}'", b.workspace);
    app.batch_execute(&seen).await.unwrap();
    assert_eq!(diesel::sql_query("SELECT * FROM mine").execute(&mut app).await.unwrap(), 1);
}

/// pgedge-rag-server#52: where nothing is enforced, or nothing is there to be tried, the suite says so.
#[tokio::test]
async fn tests_of_policies_that_pass_while_nothing_is_enforced() {
    let Fixture { database, .. } = types_alone().await;
    let found = conformance::violations(&database.config().unwrap(), TENANT_TABLES).await.unwrap();
    for table in TENANT_TABLES {
        let attempts =
            found.iter().filter(|one| one.object == *table && one.fault.starts_with("a select of another")).count();
        assert_eq!(attempts, 1, "nothing was said of {table}: {found:#?}");
    }
}

/// agno#9424.
#[tokio::test]
async fn a_content_hash_that_is_unique_across_tenants() {
    let Fixture { database: _database, db, a, b, .. } = Fixture::new().await;
    for seeded in [&a, &b] {
        let scope = scope_of(seeded);
        let mut ws = db.workspace(&scope).await.unwrap();
        let new = NewDocument {
            content_hash: Some("e3b0c442".to_owned()),
            external_id: Some("handbook/1".to_owned()),
            ..NewDocument::new("the same file")
        };
        documents::table.in_workspace(&scope).insert(&new).execute(&mut ws).await.unwrap();
    }
}

/// rag_api#319: what was deleted is counted, and what is another's is simply not among it.
#[tokio::test]
async fn a_partial_delete_that_is_reported_as_not_found() {
    for fixture in [types_alone().await, Fixture::new().await] {
        let Fixture { database, a, b, scope, mut ws, .. } = fixture;
        let some = documents::table.in_workspace(&scope).filter(documents::id.eq_any([a.document, b.document]));
        let gone: Vec<DocumentId> = some.delete().returning(documents::id).load(&mut ws).await.unwrap();
        assert_eq!(gone, [a.document]);
        assert_eq!(titles_of(&database, &b).await, ["Opening hours"]);
    }
}

/// The error for another's row is that for no row at all, word for word.
#[tokio::test]
async fn the_existence_of_another_tenants_row_told_by_an_error() {
    for fixture in [types_alone().await, Fixture::new().await] {
        let Fixture { database, b, scope, mut ws, .. } = fixture;
        let mut messages = Vec::new();
        for conversation in [b.conversation, ConversationId::generate()] {
            let stray = NewMessage::new(conversation, MessageRole::User, "?");
            messages.push(
                messages::table.in_workspace(&scope).insert(&stray).execute(&mut ws).await.unwrap_err().to_string(),
            );
        }
        for message in [b.message, MessageId::generate()] {
            let stray = NewFeedback::new(message, 1);
            messages.push(
                feedback::table.in_workspace(&scope).insert(&stray).execute(&mut ws).await.unwrap_err().to_string(),
            );
        }
        messages.dedup();
        assert_eq!(messages.len(), 1, "{messages:?}");
        // A unique key that is taken elsewhere is free here.
        let url = NewWebhookSubscription::new("https://example.com/hook-of-b");
        let mut conn = database.connect().await.unwrap();
        let theirs = (webhook_subscriptions::workspace_id.eq(b.workspace), &url);
        diesel::insert_into(webhook_subscriptions::table).values(theirs).execute(&mut conn).await.unwrap();
        webhook_subscriptions::table.in_workspace(&scope).insert(&url).execute(&mut ws).await.unwrap();
    }
}
