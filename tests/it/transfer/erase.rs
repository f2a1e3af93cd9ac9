//! Nothing is left, and there is a receipt.

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::config::{Config, Retention};
use workspace_db::id::WorkspaceId;
use workspace_db::retention::expire;
use workspace_db::schema::audit_log;
use workspace_db::tenancy::Database;
use workspace_db::transfer::{ErasureScope, ReceiptKey, SignedReceipt, erase};

use super::{Fixture, audit_actions, key, platform};

#[tokio::test]
async fn every_table_is_empty_of_it_and_the_receipt_says_what_was_there() {
    let fixture = Fixture::that_hurts().await;
    let (of_a, of_b) = (fixture.rows(fixture.a.workspace).await, fixture.rows(fixture.b.workspace).await);
    let receipt = fixture.erase().await.unwrap();
    assert_eq!(
        (receipt.erased, receipt.workspace, receipt.slug.as_str()),
        (ErasureScope::Workspace, fixture.a.workspace, "a")
    );
    assert_eq!(receipt.tables.len(), of_a.len());
    for (table, rows) in &of_a {
        let counts = receipt.tables[table];
        assert_eq!((i64::try_from(counts.before).unwrap(), counts.left), (rows.count, 0), "{table}");
    }
    assert!(fixture.rows(fixture.a.workspace).await.values().all(|rows| rows.count == 0));
    assert_eq!(fixture.rows(fixture.b.workspace).await, of_b);
    // The audit log tells it: what was seeded, the beginning, the end.
    let actions = audit_actions(&fixture.database, fixture.a.workspace).await;
    assert_eq!(actions, ["workspace.create", "workspace.erase_begin", "workspace.erase"]);
    assert_eq!(receipt.audit_entries_kept, 3);
    // Whoever lost the receipt gets it again.
    let again = fixture.erase().await.unwrap();
    assert_eq!(again.tables, receipt.tables);
    let nobody = erase(&fixture.db, &platform(), WorkspaceId::generate(), &key(), &|_| ()).await.unwrap_err();
    assert!(nobody.is_not_found(), "{nobody}");
}

/// Of tables that a user of this crate has made, and of their partitions.
#[tokio::test]
async fn ones_own_tables_and_their_partitions_are_erased_exported_and_imported() {
    let fixture = Fixture::new().await;
    let owner = &mut workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner
        .batch_execute(
            "CREATE TABLE readings (workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE, id uuid NOT NULL DEFAULT gen_random_uuid(),
                 at timestamptz NOT NULL, amount numeric(20, 10), tags text[] NOT NULL DEFAULT '{}', spans int4range, by_day date,
                 PRIMARY KEY (workspace_id, id, at)) PARTITION BY RANGE (at);
             CREATE TABLE readings_2025 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
             CREATE TABLE readings_rest PARTITION OF readings DEFAULT;
             SELECT workspace_db_isolate('readings')",
        )
        .await
        .unwrap();
    let mut conn = fixture.database.connect().await.unwrap();
    for workspace in [fixture.a.workspace, fixture.b.workspace] {
        conn.batch_execute(&format!(
            "INSERT INTO readings (workspace_id, at, amount, tags, spans, by_day)
             SELECT '{workspace}', timestamptz '2025-12-01' + n * interval '1 day', n / 3.0, ARRAY['a', n::text], int4range(n, n + 2), '2026-01-01'::date + n
             FROM generate_series(1, 100) AS n"
        ))
        .await
        .unwrap();
    }
    let read = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) AS said FROM readings AS t WHERE workspace_id = ";
    let sum = async |conn: &mut diesel_async::AsyncPgConnection, workspace: WorkspaceId| -> Option<String> {
        let query = diesel::sql_query(format!("{read}'{workspace}'"));
        diesel_async::RunQueryDsl::get_result::<AuditRow>(query, conn).await.unwrap().said
    };
    let (of_a, of_b) = (sum(&mut conn, fixture.a.workspace).await, sum(&mut conn, fixture.b.workspace).await);
    let exported = fixture.export("a.tar").await.unwrap();
    assert_eq!(exported.tables.iter().find(|table| table.name == "readings").unwrap().rows, 100);
    let receipt = fixture.erase().await.unwrap();
    assert_eq!((receipt.tables["readings"].before, receipt.tables["readings"].left), (100, 0));
    assert_eq!(sum(&mut conn, fixture.a.workspace).await, None);
    fixture.import("a.tar").await.unwrap();
    assert_eq!((sum(&mut conn, fixture.a.workspace).await, sum(&mut conn, fixture.b.workspace).await), (of_a, of_b));
}

#[derive(QueryableByName)]
struct AuditRow {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    said: Option<String>,
}

/// A receipt of rows that somebody writes all the same would be false: here a trigger does, for each that goes.
#[tokio::test]
async fn what_is_left_is_told_instead_of_a_receipt() {
    let fixture = Fixture::new().await;
    let owner = &mut workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    // No foreign key: nothing holds its rows to the workspace.
    owner
        .batch_execute(
            "CREATE TABLE notes (workspace_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), PRIMARY KEY (workspace_id, id));
             SELECT workspace_db_isolate('notes');
             CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes (workspace_id) VALUES (OLD.workspace_id); RETURN NULL; END $$;
             CREATE TRIGGER keep AFTER DELETE ON notes FOR EACH ROW EXECUTE FUNCTION keep()",
        )
        .await
        .unwrap();
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute(&format!("INSERT INTO notes (workspace_id) VALUES ('{}')", fixture.a.workspace)).await.unwrap();
    let error = fixture.erase().await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("1 row of notes remain"), "{error}");
    owner.batch_execute("DROP TRIGGER keep ON notes").await.unwrap();
}

#[tokio::test]
async fn the_audit_log_of_a_workspace_that_is_gone_goes_when_the_platform_keeps_it_no_longer() {
    let fixture = Fixture::new().await;
    fixture.erase().await.unwrap();
    let count = async || -> i64 {
        let of_a = audit_log::table.filter(audit_log::workspace_id.eq(fixture.a.workspace)).count();
        diesel_async::RunQueryDsl::get_result(of_a, &mut fixture.database.connect().await.unwrap()).await.unwrap()
    };
    let mut superuser = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let age = "UPDATE audit_log SET occurred_at = occurred_at - interval '10 days' WHERE action <> 'workspace.erase'";
    superuser.batch_execute(age).await.unwrap();
    assert_eq!(count().await, 3);
    let retention = Retention { audit_days: Some(5), ..Retention::default() };
    let db = Database::open(&Config { retention, ..fixture.database.config().unwrap() }).await.unwrap();
    expire(&db, &platform()).await.unwrap();
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn a_receipt_that_was_changed_or_that_another_signed_is_refused() {
    let fixture = Fixture::new().await;
    let signed = erase(&fixture.db, &platform(), fixture.a.workspace, &key(), &|_| ()).await.unwrap();
    let text = serde_json::to_string(&signed).unwrap();
    let read = |text: &str| serde_json::from_str::<SignedReceipt>(text).unwrap();
    assert_eq!(read(&text).verified(&key().public()).unwrap().slug, "a");
    let changed = text.replace("\"before\":1", "\"before\":2");
    assert_ne!(changed, text);
    assert!(read(&changed).verified(&key().public()).unwrap_err().to_string().contains("changed after it was signed"));
    let other = ReceiptKey::from_base64("AAAAASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    assert!(read(&text).verified(&other.public()).unwrap_err().is_invalid_input());
    // A key that the receipt itself names is nobody's word.
    let forged = other.sign(&signed.verified(&key().public()).unwrap()).unwrap();
    assert!(forged.verified(&key().public()).is_err());
}
