//! Rows of another system.

use std::io::Cursor;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diesel::prelude::*;
use rstest::rstest;
use serde_json::json;
use workspace_db::Result;
use workspace_db::schema::{conversations, document_chunks, documents, feedback, messages};
use workspace_db::sql_types::{ConversationStatus, DIMENSIONS, Embedding};
use workspace_db::tenancy::WorkspaceScope;
use workspace_db::transfer::{RowImportReport, import_rows};
use workspace_db_testing::TestDatabase;

use super::Fixture;
use crate::cli::Shell;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/moving_in");

async fn bring(fixture: &Fixture, lines: &str) -> Result<RowImportReport> {
    let scope = WorkspaceScope::unchecked(fixture.a.workspace, "a test");
    import_rows(&fixture.db, &scope, Cursor::new(lines.to_owned()), &|_| ()).await
}

#[tokio::test]
async fn the_help_desk_of_the_example_moves_in() {
    let database = TestDatabase::new().await.unwrap();
    let shell = Shell::for_database(&database);
    // Python brings SQLite with it.
    let make = "import sqlite3, sys; sqlite3.connect(sys.argv[2]).executescript(open(sys.argv[1]).read())";
    let (sql, desk) = (format!("{EXAMPLE}/helpdesk.sql"), shell.path("helpdesk.db"));
    assert!(Command::new("python3").args(["-c", make, &sql]).arg(&desk).status().unwrap().success());
    for round in 0..2 {
        let mut script = Command::new("python3");
        script.arg(format!("{EXAMPLE}/to_jsonl.py")).arg(&desk).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let import = ["import", "--jsonl", "-", "--workspace", "helpdesk", "--create-workspace", "--json"];
        let output = shell.command(&import).stdin(script.stdout.take().unwrap()).output().unwrap();
        assert!(script.wait().unwrap().success());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let counts = json!({ "conversations": 2, "datasources": 1, "documents": 2, "feedback": 1, "messages": 3 });
        assert_eq!(said[["written", "found"][round]], counts, "{said}");
    }
    let mut conn = database.connect().await.unwrap();
    let talks = conversations::table
        .inner_join(messages::table.on(messages::conversation_id.eq(conversations::id)))
        .left_join(feedback::table.on(feedback::message_id.eq(messages::id)))
        .order(messages::created_at)
        .select((
            conversations::external_user_id,
            conversations::status,
            messages::content,
            feedback::score.nullable(),
        ));
    let talks: Vec<(Option<String>, ConversationStatus, String, Option<i16>)> =
        diesel_async::RunQueryDsl::load(talks, &mut conn).await.unwrap();
    let (jane, joe) = (Some("jane@example.com".to_owned()), Some("joe@example.com".to_owned()));
    assert_eq!(
        talks,
        [
            (jane.clone(), ConversationStatus::Resolved, "When do you open?".to_owned(), None),
            (jane, ConversationStatus::Resolved, "At nine.".to_owned(), Some(1)),
            (joe, ConversationStatus::Open, "It's broken, and \"nothing\" helps.".to_owned(), None),
        ]
    );
}

#[tokio::test]
async fn what_is_left_out_has_its_default_and_a_vector_may_be_a_list() {
    let fixture = Fixture::new().await;
    let vector: Vec<f32> = (0..1536_u16).map(|n| f32::from(n) / 7.0 - 1.0).collect();
    let lines = [
        json!({ "table": "documents", "id": "d/1", "title": "T", "slug": null }),
        json!({ "table": "document_chunks", "id": 1, "document_id": "d/1", "chunk_index": 0, "content": "c", "vector": vector }),
        json!({ "table": "webhook_subscriptions", "id": "w", "url": "https://example.com/", "events": ["a"] }),
    ];
    // Empty lines are none.
    let lines = lines.map(|line| line.to_string()).join("\n\n");
    let others = fixture.rows(fixture.b.workspace).await;
    let rows = bring(&fixture, &lines).await.unwrap();
    assert_eq!(rows.written.values().sum::<u64>(), 3);
    let mut conn = fixture.database.connect().await.unwrap();
    let found = documents::table.filter(documents::title.eq("T")).select((
        documents::workspace_id,
        documents::slug,
        documents::metadata,
        documents::is_published,
    ));
    let found: (workspace_db::id::WorkspaceId, Option<String>, serde_json::Value, bool) =
        diesel_async::RunQueryDsl::get_result(found, &mut conn).await.unwrap();
    assert_eq!(found, (fixture.a.workspace, None, json!({}), true));
    assert_eq!(fixture.rows(fixture.b.workspace).await, others);
    // Another workspace's rows of the same ids are others.
    let scope = WorkspaceScope::unchecked(fixture.b.workspace, "a test");
    let rows = import_rows(&fixture.db, &scope, Cursor::new(lines), &|_| ()).await.unwrap();
    assert_eq!(rows.written.values().sum::<u64>(), 3);
}

/// A passage's vector of 384 dimensions takes the place that `Embedding::placed` gives it.
#[tokio::test]
async fn a_vector_of_another_model_is_placed_and_one_of_other_dimensions_refused() {
    let fixture = Fixture::new().await;
    let vector = |dimensions: u16| (0..dimensions).map(|n| (f32::from(n) + 0.5).sin()).collect::<Vec<f32>>();
    let document = json!({ "table": "documents", "id": "d", "title": "T" });
    let chunk = |id: u16, dimensions: u16| {
        json!({ "table": "document_chunks", "id": id, "document_id": "d", "chunk_index": id, "content": "c",
                "embedding_model": "all-minilm", "vector": vector(dimensions) })
    };
    let together = format!("{document}\n{}\n{}", chunk(1, 384), chunk(2, 768));
    let error = bring(&fixture, &together).await.unwrap_err().to_string();
    assert!(
        error.contains("line 3, document_chunks: a vector of the model \"all-minilm\" has 768 dimensions"),
        "{error}"
    );
    bring(&fixture, &format!("{document}\n{}", chunk(1, 384))).await.unwrap();
    let mut conn = fixture.database.connect().await.unwrap();
    let stored = document_chunks::table.filter(document_chunks::embedding_model.eq("all-minilm"));
    let stored = stored.select(document_chunks::vector);
    let stored: Embedding = diesel_async::RunQueryDsl::get_result(stored, &mut conn).await.unwrap();
    assert_eq!(stored.as_slice(), Embedding::<DIMENSIONS>::placed(vector(384)).unwrap().as_slice());
    // Those of an earlier run count too.
    let error = bring(&fixture, &chunk(3, 768).to_string()).await.unwrap_err().to_string();
    assert!(error.contains("line 1, document_chunks: a vector of the model") && error.contains("have 384"), "{error}");
    // A vector that has all dimensions of the column is one of 1536, whatever is stored.
    let error = bring(&fixture, &chunk(3, 1536).to_string()).await.unwrap_err().to_string();
    assert!(error.contains("has 1536 dimensions, but others of this model have 384"), "{error}");
    let both = [1536, 512].map(|dimensions| {
        json!({ "table": "document_chunks", "id": dimensions, "document_id": "d", "chunk_index": dimensions,
                "content": "c", "embedding_model": "large", "vector": vector(dimensions) })
        .to_string()
    });
    let error = bring(&fixture, &both.join("\n")).await.unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("has 512 dimensions"), "{error}");
    let base64 = json!({ "table": "document_chunks", "id": 4, "document_id": "d", "chunk_index": 4, "content": "c",
        "embedding_model": "all-minilm", "vector": BASE64.encode(vector(384).iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>()) });
    assert_eq!(bring(&fixture, &base64.to_string()).await.unwrap().written["document_chunks"], 1);
}

#[rstest]
#[case::no_table(r#"{"id": 1}"#, "line 3, it has no valid table name")]
#[case::no_json("nonsense", "line 3, it has no valid table name")]
#[case::an_unknown_table(r#"{"table": "papers", "id": 1}"#, "no content table \"papers\"; use one of")]
#[case::what_administrates(r#"{"table": "workspace_admins", "id": 1}"#, "no content table \"workspace_admins\"")]
#[case::the_audit_log(r#"{"table": "audit_log", "id": 1}"#, "no content table \"audit_log\"")]
#[case::no_id(r#"{"table": "conversations", "title": "x"}"#, "line 3, conversations: it has no id")]
#[case::an_unknown_column(
    r#"{"table": "conversations", "id": 1, "titel": "x"}"#,
    "line 3, conversations: conversations has no column \"titel\""
)]
#[case::another_workspace(r#"{"table": "conversations", "id": 1, "workspace_id": "x"}"#, "no column \"workspace_id\"")]
#[case::a_nul(
    r#"{"table": "conversations", "id": 1, "title": "\u0000"}"#,
    "line 3, conversations: title: PostgreSQL can't store NUL"
)]
#[case::a_time_without_an_offset(
    r#"{"table": "conversations", "id": 1, "created_at": "2026-01-01"}"#,
    "line 3, conversations: created_at: expected a time"
)]
#[case::a_parent_that_is_not_there(
    r#"{"table": "messages", "id": 1, "conversation_id": "nobody", "role": "user", "content": ""}"#,
    "line 3, messages: "
)]
#[case::an_unknown_label(r#"{"table": "conversations", "id": 1, "status": "shut"}"#, "line 3, conversations: status: ")]
#[case::a_number_for_a_time(
    r#"{"table": "conversations", "id": 1, "created_at": 1700000000}"#,
    "line 3, conversations: created_at: expected a time in RFC 3339 format, not the number 1700000000"
)]
#[case::a_vector_that_is_too_short(
    r#"{"table": "document_chunks", "id": 1, "document_id": 1, "chunk_index": 0, "content": "c", "vector": [1, 2, 3]}"#,
    "line 3, document_chunks: "
)]
#[case::a_number_beyond_a_double(
    r#"{"table": "messages", "id": 1, "conversation_id": 1, "role": "user", "content": "", "confidence": 1e400}"#,
    "line 3, messages: confidence: expected a number that fits"
)]
#[case::a_value_out_of_bounds(
    r#"{"table": "webhook_subscriptions", "id": 1, "url": "https://example.com/", "events": [null]}"#,
    "line 3, webhook_subscriptions: "
)]
#[tokio::test]
async fn a_line_that_can_not_be_is_named(#[case] line: &str, #[case] says: &str) {
    let fixture = Fixture::new().await;
    let before = fixture.rows(fixture.a.workspace).await;
    let error = bring(
        &fixture,
        &format!("{{\"table\": \"datasources\", \"id\": 1, \"name\": \"n\", \"type\": \"api\"}}\n\n{line}\n"),
    )
    .await
    .unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(says), "{error}");
    let after = fixture.rows(fixture.a.workspace).await;
    assert_eq!(after["conversations"], before["conversations"]);
    assert_eq!(after["messages"], before["messages"]);
}

#[tokio::test]
async fn a_parent_of_another_workspace_is_not_there() {
    let fixture = Fixture::new().await;
    let line = json!({ "table": "messages", "id": 1, "conversation_id": fixture.b.conversation, "role": "user", "content": "" });
    let error = bring(&fixture, &line.to_string()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("does not exist in this workspace"), "{error}");
}

/// All mistakes of a file are told in one run, and those of the database with the line too.
#[tokio::test]
async fn a_hundred_mistakes_are_told_at_once_and_nothing_is_written() {
    let fixture = Fixture::new().await;
    let before = fixture.rows(fixture.a.workspace).await;
    let mut lines = vec![json!({ "table": "conversations", "id": "c" }).to_string()];
    for n in 0..12_000 {
        let parent = if n % 1_000 == 500 { "nobody" } else { "c" };
        let role = if n % 1_000 == 700 { "robot" } else { "user" };
        let at = if n % 1_000 == 900 { "yesterday" } else { "2026-01-01T00:00:00Z" };
        lines.push(
            json!({ "table": "messages", "id": n, "conversation_id": parent, "role": role, "content": "m", "created_at": at })
                .to_string(),
        );
    }
    let error = bring(&fixture, &lines.join("\n")).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    let said = error.to_string();
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(told.len(), 36, "{said}");
    for part in [
        "line 502, messages: ",
        "line 702, messages: role: ",
        "line 902, messages: created_at: expected a time",
        "line 11502, messages: ",
        "line 11902, messages: created_at",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("nothing was written"), "{said}");
    assert_eq!(fixture.rows(fixture.a.workspace).await, before);
    // With the first batch in order, it stays, and that is said.
    for (n, line) in lines.iter_mut().enumerate().take(6_000) {
        *line = json!({ "table": "conversations", "id": format!("other {n}") }).to_string();
    }
    lines.insert(0, json!({ "table": "conversations", "id": "c" }).to_string());
    let said = bring(&fixture, &lines.join("\n")).await.unwrap_err().to_string();
    assert!(said.contains("the rows of the lines 1 to 5000 were written and stay"), "{said}");
    let lines: Vec<String> = (0..200).map(|n| json!({ "table": "messages", "id": n }).to_string()).collect();
    let said = bring(&fixture, &lines.join("\n")).await.unwrap_err().to_string();
    assert_eq!(said.lines().filter(|line| line.starts_with("line ")).count(), 100, "{said}");
    assert!(said.contains("there may be more"), "{said}");
}

/// A parent with a mistake is told before its children, which refer to a row that does not exist.
#[tokio::test]
async fn children_do_not_hide_the_mistake_of_their_parent() {
    let fixture = Fixture::new().await;
    let mut lines = vec![json!({ "table": "conversations", "id": "c", "status": "snoozed" }).to_string()];
    for n in 0..300 {
        lines.push(
            json!({ "table": "messages", "id": n, "conversation_id": "c", "role": "user", "content": "m" }).to_string(),
        );
    }
    lines.push(json!({ "table": "conversations", "id": "d", "status": "gone" }).to_string());
    let said = bring(&fixture, &lines.join("\n")).await.unwrap_err().to_string();
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(told.len(), 100, "{said}");
    assert!(
        told[0].starts_with("line 1, conversations: status") && told[1].starts_with("line 302, conversations"),
        "{said}"
    );
    assert!(
        told[2].starts_with("line 2, messages: ") && said.contains("and 202 more rows that refer to rows"),
        "{said}"
    );
}

#[tokio::test]
async fn two_lines_of_one_id_that_differ_are_a_mistake() {
    let fixture = Fixture::new().await;
    let line = |title: &str| json!({ "table": "conversations", "id": "twice", "title": title }).to_string();
    // The same line again is none.
    let rows = bring(&fixture, &[line("a"), line("a")].join("\n")).await.unwrap();
    assert_eq!((rows.written["conversations"], rows.found["conversations"]), (1, 1));
    // A row of an earlier run stays as it is.
    let rows = bring(&fixture, &line("b")).await.unwrap();
    assert_eq!((rows.written["conversations"], rows.found["conversations"]), (0, 1));
    let another = |title: &str| json!({ "table": "conversations", "id": "again", "title": title }).to_string();
    let between: Vec<String> =
        (0..5_001).map(|n| json!({ "table": "conversations", "id": format!("between {n}") }).to_string()).collect();
    for lines in [vec![another("a"), another("b")], [vec![another("a")], between, vec![another("b")]].concat()] {
        let error = bring(&fixture, &lines.join("\n")).await.unwrap_err();
        let last = format!("line {}, conversations: another line has the same id", lines.len());
        assert!(error.is_invalid_input() && error.to_string().contains(&last), "{error}");
    }
}
