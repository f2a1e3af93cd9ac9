//! Rows and settings that the old platform's schema permits, and that a copy could lose.

use diesel_async::SimpleAsyncConnection as _;
use secrecy::SecretString;
use serde_json::Value;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::db;
use workspace_db::tenancy::Database;
use workspace_db_adopt::{Adoption, AdoptionOutcome, UnknownColumns};
use workspace_db_testing::TestDatabase;

use super::{Fixture, PASSWORD, SECRET_KEY, count, insert_faults, key, rows};
use crate::cli::Shell;

/// Settings of a login or a database that change what a session sees, or how it writes a value.
#[tokio::test]
async fn settings_of_the_old_database_change_nothing() {
    let fixture = Fixture::with_every_fault().await;
    let mut superuser = db::connect(&fixture.old.superuser_url().unwrap()).await.unwrap();
    let name = rows(&mut superuser, "SELECT current_database() AS name").await[0]["name"].as_str().unwrap().to_owned();
    for setting in [
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Kathmandu'",
        "intervalstyle = 'sql_standard'",
        "extra_float_digits = -15",
        "statement_timeout = '20ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'serializable'",
        "search_path = 'nowhere'",
        "bytea_output = 'escape'",
        "array_nulls = off",
    ] {
        superuser.batch_execute(&format!("ALTER DATABASE \"{name}\" SET {setting}")).await.unwrap();
    }
    let report = fixture.run().await.unwrap();
    let compared = report.compared.expect("a setting looks like a writer");
    assert_eq!(compared.iter().map(|one| one.same).sum::<u64>(), 23);
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
}

#[tokio::test]
async fn rows_that_a_policy_hides_are_not_lost_but_refused() {
    let fixture = Fixture::with_every_fault().await;
    let hide = "ALTER TABLE messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY nothing ON messages USING (role <> 'user')";
    fixture.there().await.batch_execute(hide).await.unwrap();
    for step in [fixture.adoption().plan().await.unwrap_err(), fixture.run().await.unwrap_err()] {
        assert!(step.is_missing_prerequisite() && step.to_string().contains("messages"), "{step}");
    }
    assert_eq!(count(&mut fixture.here().await, "workspaces").await, 0);
}

/// The old platform in a database of that encoding, on the server of `database`.
async fn platform_in(database: &TestDatabase, options: &str) -> DatabaseUrl {
    let superuser = database.superuser_url().unwrap();
    let name = format!("old_{}", uuid::Uuid::now_v7().simple());
    let create = format!("CREATE DATABASE {name} {options} TEMPLATE template0");
    db::connect(&superuser).await.unwrap().batch_execute(&create).await.unwrap();
    let old = superuser.with_database(&name);
    let mut there = db::connect(&old).await.unwrap();
    there.batch_execute(include_str!("platform.sql")).await.unwrap();
    old
}

#[tokio::test]
async fn another_encoding_is_the_same_text() {
    let server = TestDatabase::alone().await.unwrap();
    let old = platform_in(&server, "ENCODING 'LATIN1' LOCALE 'C'").await;
    let mut there = db::connect(&old).await.unwrap();
    insert_faults(&mut there).await;
    there.batch_execute("UPDATE workspaces SET name = 'Caf\u{e9} \u{df}'").await.unwrap();
    let new = TestDatabase::new().await.unwrap();
    let report = Adoption::new(&old, &new.url().unwrap(), Some(key())).run(&|_| ()).await.unwrap();
    assert!(report.compared.is_some());
    let here = rows(&mut new.connect().await.unwrap(), "SELECT DISTINCT name FROM workspaces").await;
    assert_eq!(here[0]["name"], "Caf\u{e9} \u{df}");
}

#[tokio::test]
async fn a_database_without_an_encoding_is_refused() {
    let server = TestDatabase::alone().await.unwrap();
    let old = platform_in(&server, "ENCODING 'SQL_ASCII' LOCALE 'C'").await;
    let new = TestDatabase::new().await.unwrap();
    let error = Adoption::new(&old, &new.url().unwrap(), Some(key())).run(&|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("SQL_ASCII"), "{error}");
}

#[tokio::test]
async fn the_published_password_opens_nothing_until_it_is_changed() {
    let fixture = Fixture::with_every_fault().await;
    let published = bcrypt::hash("ChangeMe123!", 4).unwrap();
    let insert = format!(
        "INSERT INTO admin_users (id, email, password_hash, role) VALUES (w(8), 'root@example.com', '{published}', 'superadmin')"
    );
    fixture.there().await.batch_execute(&insert).await.unwrap();
    fixture.run().await.unwrap();
    let mut here = fixture.here().await;
    assert_eq!(count(&mut here, "admin_users WHERE must_change_password").await, 1);
    let config = Config {
        database_url: Some(fixture.new.url().unwrap()),
        database_app_url: Some(fixture.new.app_url().unwrap()),
        environment: Environment::Production,
        ..Config::default()
    };
    let refused = Database::open(&config).await.unwrap_err();
    assert!(refused.is_missing_prerequisite() && refused.to_string().contains("documented password"), "{refused}");
    let db = Database::open(&Config { environment: Environment::Development, ..config }).await.unwrap();
    let (email, old) = ("root@example.com", SecretString::from("ChangeMe123!"));
    // Without the mark too: an earlier adoption did not set it.
    for mark in ["true", "false"] {
        here.batch_execute(&format!("UPDATE admin_users SET must_change_password = {mark} WHERE email = '{email}'"))
            .await
            .unwrap();
        let error = auth::log_in(&db, email, &old, &ClientInfo::default()).await.unwrap_err();
        assert!(error.is_password_change_required(), "{error}");
    }
    let new = SecretString::from("a much better password");
    auth::change_password(&db, email, &old, &new, &ClientInfo::default()).await.unwrap();
    assert_eq!(db.default_credentials().await.unwrap(), [""; 0]);
    // A change of the row in the old database does not bring the old password back unmarked.
    fixture.there().await.batch_execute("UPDATE admin_users SET first_name = 'Root' WHERE id = w(8)").await.unwrap();
    fixture.run().await.unwrap();
    assert_eq!(db.default_credentials().await.unwrap(), [email]);
}

#[tokio::test]
async fn odd_administrators_and_the_nil_workspace_are_planned_counted_and_set_aside() {
    let fixture = Fixture::with_every_fault().await;
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let odd = format!(
        "DROP INDEX admin_users_email_unique;
         INSERT INTO admin_users (id, email, password_hash) VALUES
            (w(21), 'JANE@example.com', '{hash}'), (w(22), 'cut@example.com', left('{hash}', 40)),
            (w(23), 'slow@example.com', overlay('{hash}' placing '31' from 5));
         INSERT INTO workspaces (id, slug, name) VALUES ('00000000-0000-0000-0000-000000000000', 'nil', 'Nil');
         INSERT INTO documents (id, workspace_id, title) VALUES (w(60), '00000000-0000-0000-0000-000000000000', 'of nil')"
    );
    fixture.there().await.batch_execute(&odd).await.unwrap();
    let plan = fixture.adoption().plan().await.unwrap();
    let planned = |table: &str, what: &str| {
        let one = plan.findings.iter().find(|one| one.table == table && one.what.contains(what));
        one.map(|one| (one.rows, one.becomes))
    };
    assert_eq!(planned("admin_users", "a password"), Some((3, AdoptionOutcome::SetAside)));
    assert_eq!(planned("admin_users", "the same email"), Some((1, AdoptionOutcome::SetAside)));
    assert_eq!(planned("workspaces", "nil"), Some((1, AdoptionOutcome::SetAside)));
    for round in 0..2 {
        let report = fixture.run().await.unwrap();
        let compared = report.compared.unwrap();
        let of = |table: &str| compared.iter().find(|one| one.table == table).map(|one| (one.same, one.set_aside));
        assert_eq!((of("admin_users"), of("workspaces")), (Some((2, 4)), Some((2, 1))), "round {round}");
    }
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let file = fixture.folder.path().join("aside.jsonl");
    fixture.adoption().finish(&file).await.unwrap();
    let lines = std::fs::read_to_string(file).unwrap();
    assert!(lines.contains("another row has its unique key") && lines.contains("of nil"), "{lines}");
    // A password that is none is a secret.
    assert!(!lines.contains("a password in the clear") && lines.contains("left out"), "{lines}");
}

#[tokio::test]
async fn secrets_of_rows_that_are_set_aside_are_sealed() {
    let fixture = Fixture::with_every_fault().await;
    let double = "ALTER TABLE webhook_subscriptions DROP CONSTRAINT webhook_subscriptions_workspace_id_url_key;
        INSERT INTO webhook_subscriptions (id, workspace_id, url, secret) VALUES (w(9), w(1), 'https://example.com/', 'whsec_twice')";
    fixture.there().await.batch_execute(double).await.unwrap();
    fixture.run().await.unwrap();
    let state = rows(&mut fixture.here().await, "SELECT old_row::text FROM workspace_db_adoption.set_aside").await;
    let all = format!("{state:?}");
    assert!(all.contains("sealed") && !all.contains("whsec_"), "{all}");
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let file = fixture.folder.path().join("aside.jsonl");
    fixture.adoption().finish(&file).await.unwrap();
    let lines = std::fs::read_to_string(file).unwrap();
    assert!(!lines.contains("whsec_"), "{lines}");
    let line = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["table"] == "webhook_subscriptions" && line["is_kept"] == false);
    let sealed = line.unwrap()["old_row"]["secret"]["sealed"].as_str().unwrap().to_owned();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, sealed).unwrap();
    let workspace = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let opened = workspace_db::sql_types::SealedSecret::from_bytes(&bytes).unwrap().open(&key(), workspace).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&opened), "whsec_twice");
}

/// On a server of its own: the transactions of other databases make rows look newer than they are.
#[tokio::test]
async fn rows_set_aside_for_their_own_sake_are_copied_once() {
    let server = TestDatabase::alone().await.unwrap();
    let old = platform_in(&server, "").await;
    let mut there = db::connect(&old).await.unwrap();
    insert_faults(&mut there).await;
    let new = TestDatabase::new().await.unwrap();
    let adoption = Adoption::new(&old, &new.url().unwrap(), Some(key()));
    adoption.run(&|_| ()).await.unwrap();
    let mut here = new.connect().await.unwrap();
    let written =
        "SELECT table_name, key, reason, is_relative, xmin::text FROM workspace_db_adoption.set_aside ORDER BY 1, 2, 3";
    let before = rows(&mut here, written).await;
    assert!(before.len() > 10, "{before:?}");
    adoption.run(&|_| ()).await.unwrap();
    let own = |rows: &[Value]| {
        let is_same_row =
            |one: &Value, other: &Value| ["table_name", "key"].iter().all(|name| one[name] == other[name]);
        let is_relative =
            |one: &Value| rows.iter().any(|other| is_same_row(one, other) && other["is_relative"] == true);
        rows.iter().filter(|one| !is_relative(one)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(own(&rows(&mut here, written).await), own(&before), "nothing changed, and rows were copied again");
    // A document that has a workspace now: what was set aside for its sake is looked at again, and nothing else.
    there.batch_execute("UPDATE documents SET external_id = 'no longer the same' WHERE id = w(5)").await.unwrap();
    adoption.run(&|_| ()).await.unwrap();
    let after = rows(&mut here, written).await;
    assert!(
        !after
            .iter()
            .any(|one| one["key"] == "00000000-0000-4000-8000-000000000005" && one["table_name"] == "documents")
    );
    assert!(own(&before).len() > 5 && own(&before).iter().all(|one| after.contains(one)), "{after:?}");
}

#[tokio::test]
async fn unknown_columns_go_into_metadata_or_aside_by_choice() {
    for choice in [UnknownColumns::Metadata, UnknownColumns::SetAside] {
        let fixture = Fixture::with_every_fault().await;
        let more = "ALTER TABLE documents ADD COLUMN \"Reviewer's\" text, ADD COLUMN pages integer;
            UPDATE documents SET \"Reviewer's\" = 'Ann', metadata = '{\"pages\": \"own\"}', pages = 3 WHERE id = w(1);
            ALTER TABLE feedback ADD COLUMN mood text; UPDATE feedback SET mood = 'good' WHERE id = w(1)";
        fixture.there().await.batch_execute(more).await.unwrap();
        let refused = fixture.run().await.unwrap_err();
        assert!(refused.to_string().contains("documents.Reviewer's"), "{refused}");
        let adoption = fixture.adoption().unknown_columns(choice);
        let report = adoption.run(&|_| ()).await.unwrap();
        let compared = report.compared.unwrap();
        let changed = |table: &str| compared.iter().find(|one| one.table == table).unwrap().changed;
        assert_eq!(changed("feedback"), 1);
        let of = rows(&mut fixture.here().await, "SELECT metadata FROM documents WHERE title = 'Fine'").await;
        let expected = match choice {
            UnknownColumns::Metadata => serde_json::json!({ "Reviewer's": "Ann", "pages": "own" }),
            _ => serde_json::json!({ "pages": "own" }),
        };
        assert_eq!(of[0]["metadata"], expected, "{choice:?}");
        adoption.switch(false, &|_| ()).await.unwrap();
        let file = fixture.folder.path().join("aside.jsonl");
        adoption.finish(&file).await.unwrap();
        let lines = std::fs::read_to_string(file).unwrap();
        assert!(lines.contains("has no place for its mood"), "{lines}");
        // The metadata has a key of that name already, so the column's value is not lost without a word.
        assert!(lines.contains("has no place for its Reviewer's, pages"), "{lines}");
    }
}

#[tokio::test]
async fn the_plan_ends_with_a_code_that_says_if_an_adoption_is_possible() {
    let fixture = Fixture::with_every_fault().await;
    let shell = Shell::for_database(&fixture.new)
        .with("WORKSPACE_DB_ADOPT_FROM", fixture.old.url().unwrap().expose())
        .with("WORKSPACE_DB_SECRET_KEY", SECRET_KEY);
    assert_eq!(shell.run(&["adopt", "--plan"]).code, 0);
    fixture.there().await.batch_execute("ALTER TABLE feedback ADD COLUMN \"mood\u{1b}[31m\" text").await.unwrap();
    let said = shell.run(&["adopt", "--plan", "--json"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.out.contains("mood") && said.err.contains("--unknown-columns"), "{}{}", said.out, said.err);
    assert_eq!(shell.run(&["adopt", "--plan", "--unknown-columns", "set-aside"]).code, 0);
    fixture.there().await.batch_execute("DROP TABLE jobs").await.unwrap();
    assert_eq!(shell.run(&["adopt", "--plan"]).code, 2);
}

/// A parent that is refused takes its rows with it in the new database alone, where deletions cascade.
#[tokio::test]
async fn rows_that_went_with_a_refused_or_moved_parent_come_back() {
    let fixture = Fixture::with_every_fault().await;
    fixture.run().await.unwrap();
    let mut there = fixture.there().await;
    let before = rows(&mut fixture.here().await, "SELECT id FROM document_chunks ORDER BY id").await;
    let same = "ALTER TABLE workspaces DROP CONSTRAINT workspaces_slug_key; UPDATE workspaces SET slug = 'one'";
    there.batch_execute(same).await.unwrap();
    let report = fixture.run().await.unwrap();
    let compared = report.compared.expect("the workspace's rows are set aside with it");
    assert_eq!(
        compared.iter().find(|one| one.table == "workspaces").map(|one| (one.same, one.set_aside)),
        Some((1, 1))
    );
    assert_eq!(count(&mut fixture.here().await, "documents").await, 2);
    there.batch_execute("UPDATE workspaces SET slug = 'Odd Slug!' WHERE id = w(2)").await.unwrap();
    fixture.run().await.unwrap().compared.expect("the workspace's rows are back");
    assert_eq!(rows(&mut fixture.here().await, "SELECT id FROM document_chunks ORDER BY id").await, before);
    // A conversation that moves to another workspace, and leaves its messages where they are.
    there.batch_execute("UPDATE conversations SET workspace_id = w(2) WHERE id = w(1)").await.unwrap();
    let compared = fixture.run().await.unwrap().compared.expect("its messages are set aside");
    assert_eq!(compared.iter().find(|one| one.table == "messages").map(|one| one.set_aside), Some(2));
    // Whatever was lost in the new database alone is copied again.
    fixture
        .here()
        .await
        .batch_execute("DELETE FROM documents; DELETE FROM conversations; UPDATE workspaces SET name = 'x'")
        .await
        .unwrap();
    fixture.run().await.unwrap().compared.expect("repaired");
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    assert_eq!(count(&mut fixture.here().await, "document_chunks").await, 2);
}

#[tokio::test]
async fn passages_that_exchange_their_places_are_all_kept() {
    let fixture = Fixture::with_every_fault().await;
    let many = "INSERT INTO document_chunks (id, workspace_id, document_id, chunk_index, content, vector)
        SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, w(2), w(4), n, 'c' || n, v(5)
        FROM generate_series(10, 4500) AS n";
    let mut there = fixture.there().await;
    there.batch_execute(many).await.unwrap();
    fixture.run().await.unwrap();
    let shift = "UPDATE document_chunks SET chunk_index = -chunk_index - 1 WHERE chunk_index >= 10;
        UPDATE document_chunks SET chunk_index = -chunk_index WHERE chunk_index < 0";
    there.batch_execute(shift).await.unwrap();
    let compared = fixture.run().await.unwrap().compared.unwrap();
    let chunks = compared.iter().find(|one| one.table == "document_chunks").unwrap();
    assert_eq!((chunks.same, chunks.set_aside), (4_493, 4));
}

#[tokio::test]
async fn json_that_no_program_reads_is_set_aside_and_stops_nothing() {
    let fixture = Fixture::with_every_fault().await;
    let odd = "ALTER TABLE messages ALTER metadata DROP DEFAULT, ALTER metadata TYPE json;
        UPDATE messages SET metadata = '{\"a\": \"\\u0000\"}' WHERE id = w(1);
        UPDATE workspace_settings SET metadata = '{\"n\": 1e400}';
        UPDATE webhook_subscriptions SET headers = '{\"n\": 1e400}'";
    fixture.there().await.batch_execute(odd).await.unwrap();
    let compared = fixture.run().await.unwrap().compared.unwrap();
    let of =
        |table: &str| compared.iter().find(|one| one.table == table).map(|one| (one.same, one.changed, one.set_aside));
    assert_eq!((of("messages"), of("webhook_subscriptions")), (Some((1, 0, 2)), Some((0, 2, 0))));
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let file = fixture.folder.path().join("aside.jsonl");
    fixture.adoption().finish(&file).await.unwrap();
    let lines = std::fs::read_to_string(file).unwrap();
    assert!(
        lines.contains("its metadata does not fit into jsonb") && lines.contains("1e400") || lines.contains("1000000"),
        "{lines}"
    );
    assert!(!lines.contains("whsec_"), "{lines}");
}
