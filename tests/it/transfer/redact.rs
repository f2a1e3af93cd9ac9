//! The texts of one person: redacted, then erased, in every place that the catalog has.

use diesel::dsl::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use workspace_db::conversations::{AnswerFacts, AnswerStart, AnswerTimes, MessageInput, begin_answer, for_visitor};
use workspace_db::tenancy::WorkspaceScope;
use workspace_db::transfer::{erase_person, redact_person};

use super::{Fixture, administer, key};

const CANARY: &str = "canary-7f3e \"of\" Jané\nwithin";

/// Columns with words of the program, and the two with the person's id: everything else is a place for the canary.
const NO_PLACES: [&str; 14] = [
    "analytics_events.event_type",
    "analytics_events.source",
    "analytics_events.user_identifier",
    "conversations.external_user_id",
    "jobs.job_type",
    "jobs.leased_by",
    "jobs.queue",
    "message_sources.content_hash",
    "message_sources.method",
    "messages.language",
    "model_calls.model",
    "model_calls.price_version",
    "model_calls.stop_reason",
    // No job has a result that isn't completed: `plant` gives one its own.
    "jobs.result",
];

#[derive(diesel::QueryableByName)]
struct Place {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    type_name: String,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Jane and Joe in both workspaces, each with a row in every table that has rows of a person, and jobs that mention Jane.
async fn people() -> Fixture {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    for workspace in [fixture.a.workspace, fixture.b.workspace] {
        conn.batch_execute(&format!(
            "DO $$ DECLARE who text; talk uuid; words uuid; BEGIN
                FOREACH who IN ARRAY ARRAY['jane', 'joe'] LOOP
                    INSERT INTO conversations (workspace_id, external_user_id) VALUES ('{workspace}', who) RETURNING id INTO talk;
                    INSERT INTO messages (workspace_id, conversation_id, role, content, client_id, language) VALUES
                        ('{workspace}', talk, 'user', who, who || '-1', 'en'), ('{workspace}', talk, 'user', who, who || '-2', 'en');
                    SELECT id INTO words FROM messages WHERE conversation_id = talk LIMIT 1;
                    INSERT INTO message_deltas (workspace_id, message_id, position, content) VALUES ('{workspace}', words, 0, who);
                    INSERT INTO message_sources (workspace_id, message_id, rank, chunk_id, document_id, title, external_id, content_hash, shown_text, score, method)
                        VALUES ('{workspace}', words, 1, gen_random_uuid(), gen_random_uuid(), who, who, repeat('0', 64), who, 1, 'x');
                    INSERT INTO model_calls (workspace_id, message_id, model) VALUES ('{workspace}', words, 'x');
                    INSERT INTO feedback (workspace_id, message_id, score, label, comment, better_answer) VALUES ('{workspace}', words, 1, who, who, who);
                    INSERT INTO analytics_events (workspace_id, conversation_id, message_id, event_type, user_identifier)
                        VALUES ('{workspace}', talk, NULL, 'seen', NULL), ('{workspace}', NULL, words, 'read', NULL), ('{workspace}', NULL, NULL, 'met', who);
                    INSERT INTO jobs (workspace_id, job_type, payload, status, completed_at, unique_key, uniqueness, result) VALUES
                        ('{workspace}', 'by id', jsonb_build_object('who', who), 'completed', now(), 'key of ' || who, 'kept', '{{}}'),
                        ('{workspace}', 'by conversation', jsonb_build_object('id', upper(talk::text)), 'completed', now(), NULL, NULL, '[1]'),
                        ('{workspace}', 'by name', jsonb_build_object('to', 'Mail for ' || who || '@EXAMPLE.com'), 'completed', now(), NULL, NULL, NULL);
                    INSERT INTO jobs (workspace_id, job_type, payload, status, failed_at, last_error, errors, attempts)
                        VALUES ('{workspace}', 'by message', '{{}}', 'failed', now(), 'no answer to ' || words, jsonb_build_array(who), 1);
                END LOOP;
                INSERT INTO jobs (workspace_id, job_type, payload) VALUES ('{workspace}', 'of nobody', '{{\"who\": \"janet\"}}');
            END $$"
        ))
        .await
        .unwrap();
    }
    fixture
}

/// Puts the canary into every column of a text in Jane's rows in workspace a, and returns the number of the columns.
async fn plant(fixture: &Fixture, conn: &mut AsyncPgConnection) -> usize {
    let workspace = fixture.a.workspace;
    let talks =
        format!("SELECT id FROM conversations WHERE workspace_id = '{workspace}' AND external_user_id = 'jane'");
    let messages = format!("SELECT id FROM messages WHERE conversation_id IN ({talks})");
    let places: Vec<Place> = sql_query(
        "SELECT c.relname::text AS table, a.attname::text AS column, format_type(a.atttypid, NULL) AS type_name
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
            AND (c.relname IN ('conversations', 'jobs', 'analytics_events')
                OR EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = c.oid
                    AND f.confrelid IN ('conversations'::regclass, 'messages'::regclass)))
        ORDER BY 1, 2",
    )
    .load(conn)
    .await
    .unwrap();
    let places: Vec<Place> = places
        .into_iter()
        .filter(|place| !NO_PLACES.contains(&format!("{}.{}", place.table, place.column).as_str()))
        .collect();
    for Place { table, column, type_name } in &places {
        let mine = match table.as_str() {
            "conversations" => format!("id IN ({talks})"),
            "messages" => format!("conversation_id IN ({talks})"),
            "analytics_events" => {
                format!(
                    "conversation_id IN ({talks}) OR message_id IN ({messages}) OR workspace_id = '{workspace}' AND user_identifier = 'jane'"
                )
            }
            "jobs" => format!(
                "workspace_id = '{workspace}' AND created_at IS NOT NULL AND job_type LIKE 'by %' AND (payload::text || errors::text || coalesce(last_error, '')) NOT LIKE '%joe%' AND (payload ->> 'id' IS NULL OR lower(payload ->> 'id')::uuid IN ({talks})) AND (last_error IS NULL OR last_error LIKE ANY (SELECT '%' || id || '%' FROM messages WHERE conversation_id IN ({talks})))"
            ),
            _ => format!("message_id IN ({messages})"),
        };
        // Beside what is there, by which a job is known to be Jane's.
        let planted = match type_name.as_str() {
            "jsonb" => format!(
                "CASE jsonb_typeof({column}) WHEN 'array' THEN {column} || jsonb_build_array($1::text) ELSE {column} || jsonb_build_object('canary', $1::text) END"
            ),
            _ if column == "client_id" || column == "unique_key" => format!("{column} || $1::text"),
            _ => format!("coalesce({column}, '') || $1::text"),
        };
        let planted =
            if table == "jobs" { format!("CASE WHEN {column} IS NOT NULL THEN {planted} END") } else { planted };
        let update = format!("UPDATE {table} SET {column} = {planted} WHERE {mine}");
        let rows = sql_query(&update).bind::<Text, _>(CANARY).execute(conn).await;
        assert!(rows.as_ref().is_ok_and(|rows| *rows > 0), "{update}: {rows:?}");
    }
    let result = "UPDATE jobs SET result = jsonb_build_array($1::text) WHERE status = 'completed' AND payload::text LIKE '%canary%'";
    sql_query(result).bind::<Text, _>(CANARY).execute(conn).await.unwrap();
    places.len() + 1
}

/// Rows of all tables that contain the canary, in any form.
async fn canaries(conn: &mut AsyncPgConnection) -> Vec<String> {
    let tables: Vec<Place> = sql_query(
        "SELECT relname::text AS table, '' AS column, '' AS type_name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )
    .load(conn)
    .await
    .unwrap();
    let mut all = Vec::new();
    for Place { table, .. } in tables {
        let rows = format!(
            "SELECT row::text AS table, '' AS column, '' AS type_name FROM {table} AS row WHERE row::text LIKE '%canary-7f3e%'"
        );
        let rows: Vec<Place> = sql_query(rows).load(conn).await.unwrap();
        all.extend(rows.into_iter().map(|row| format!("{table}: {}", row.table)));
    }
    all
}

#[tokio::test]
async fn a_persons_texts_are_redacted_in_every_place_and_then_erased() {
    let fixture = people().await;
    let mut conn = fixture.database.connect().await.unwrap();
    let before_planting = fixture.rows(fixture.a.workspace).await;
    let places = plant(&fixture, &mut conn).await;
    println!("{places} places");
    assert!(places >= 18, "{places}");
    assert!(canaries(&mut conn).await.len() >= 13);
    let of_b = fixture.rows(fixture.b.workspace).await;
    let scope = administer(fixture.a.workspace);
    let report = redact_person(&fixture.db, &scope, "jane", &["jane@example.com", " "]).await.unwrap();
    assert_eq!(canaries(&mut conn).await, [] as [String; 0]);
    assert_eq!((report.rows["messages"], report.rows["conversations"], report.rows["jobs"]), (2, 1, 4), "{report:?}");
    assert_eq!(report.unchanged_tables, Vec::<String>::new());
    let after = fixture.rows(fixture.a.workspace).await;
    for (table, rows) in &before_planting {
        let audited = i64::from(table == "audit_log");
        assert_eq!(after[table].count, rows.count + audited, "{table}");
    }
    let joes = "SELECT count(*) AS count FROM messages WHERE content = 'joe'";
    assert_eq!(sql_query(joes).get_result::<Count>(&mut conn).await.unwrap().count, 4);
    let joes = "SELECT count(*) AS count FROM jobs WHERE (payload::text || errors::text || coalesce(unique_key, '')) LIKE '%joe%'";
    assert_eq!(sql_query(joes).get_result::<Count>(&mut conn).await.unwrap().count, 6);
    let nobodys = "SELECT count(*) AS count FROM jobs WHERE payload::text LIKE '%janet%'";
    assert_eq!(sql_query(nobodys).get_result::<Count>(&mut conn).await.unwrap().count, 2);
    assert_eq!(fixture.rows(fixture.b.workspace).await, of_b);
    // Again changes nothing more, and the rows can still be found by the person's id.
    redact_person(&fixture.db, &scope, "jane", &[]).await.unwrap();
    let receipt = erase_person(&fixture.db, &scope, "jane", &key(), &|_| ()).await.unwrap();
    let receipt = receipt.verified(&key().public()).unwrap();
    assert_eq!((receipt.tables["messages"].before, receipt.tables["messages"].left), (2, 0));
    assert_eq!(canaries(&mut conn).await, [] as [String; 0]);
}

#[tokio::test]
async fn an_erasure_alone_leaves_no_text_in_jobs() {
    let fixture = people().await;
    let mut conn = fixture.database.connect().await.unwrap();
    plant(&fixture, &mut conn).await;
    // Only a name that the caller knows leads to this one.
    sql_query("DELETE FROM jobs WHERE job_type = 'by name'").execute(&mut conn).await.unwrap();
    erase_person(&fixture.db, &administer(fixture.a.workspace), "jane", &key(), &|_| ()).await.unwrap();
    assert_eq!(canaries(&mut conn).await, [] as [String; 0]);
}

#[tokio::test]
async fn work_that_is_to_be_done_is_not_redacted_beneath_its_worker() {
    let fixture = people().await;
    let mut conn = fixture.database.connect().await.unwrap();
    plant(&fixture, &mut conn).await;
    let planted = canaries(&mut conn).await.len();
    let scope = administer(fixture.a.workspace);
    let workspace = fixture.a.workspace;
    for (work, cleanup) in [
        (
            format!(
                "INSERT INTO jobs (workspace_id, job_type, payload) VALUES ('{workspace}', 'mail', '{{\"to\": \"jane\"}}')"
            ),
            "DELETE FROM jobs WHERE job_type = 'mail'",
        ),
        (
            format!(
                "INSERT INTO job_schedules (workspace_id, name, cron, job_type, payload, next_at) VALUES ('{workspace}', 'daily', '0 3 * * *', 'mail', '{{\"to\": \"jane\"}}', now() + interval '1 day')"
            ),
            "DELETE FROM job_schedules WHERE name = 'daily'",
        ),
    ] {
        sql_query(&work).execute(&mut conn).await.unwrap();
        let error = redact_person(&fixture.db, &scope, "jane", &[]).await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains("mention the person"), "{error:?}");
        let error = erase_person(&fixture.db, &scope, "jane", &key(), &|_| ()).await.unwrap_err();
        assert!(error.is_conflict(), "{error:?}");
        assert_eq!(canaries(&mut conn).await.len(), planted, "nothing is half done");
        sql_query(cleanup).execute(&mut conn).await.unwrap();
    }
    let writing = WorkspaceScope::unchecked(workspace, "a test");
    let mut ws = fixture.db.workspace(&writing).await.unwrap();
    let talk = for_visitor(&mut ws, "jane").await.unwrap().id;
    let start =
        begin_answer(&fixture.db, &writing, talk, &MessageInput::answer(), AnswerTimes::default()).await.unwrap();
    let AnswerStart::New(mut writer) = start else { unreachable!("a new answer") };
    let error = redact_person(&fixture.db, &scope, "jane", &[]).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("being made"), "{error:?}");
    assert_eq!(canaries(&mut conn).await.len(), planted);
    writer.push("Done.").await.unwrap();
    writer.complete(&AnswerFacts::default()).await.unwrap();
    redact_person(&fixture.db, &scope, "jane", &["jane@example.com"]).await.unwrap();
    assert_eq!(canaries(&mut conn).await, [] as [String; 0]);
}

/// Jobs of workspace a that mention the person, as the redaction finds them.
async fn redacted(fixture: &Fixture, person: &str, mentions: &[&str], payload: &str, column: &str) -> bool {
    let mut conn = fixture.database.connect().await.unwrap();
    let workspace = fixture.a.workspace;
    let (id, last_error, unique_key) = match column {
        "payload" => (payload, "failed", None),
        "last_error" => ("{}", payload, None),
        _ => ("{}", "failed", Some(payload)),
    };
    let insert = "INSERT INTO jobs (workspace_id, job_type, payload, status, failed_at, last_error, attempts, unique_key, uniqueness)
        VALUES ($1::uuid, 'tried', $2::jsonb, 'failed', now(), $3, 1, $4, CASE WHEN $4 IS NOT NULL THEN 'kept'::job_uniqueness END)";
    sql_query(insert)
        .bind::<diesel::sql_types::Uuid, _>(*workspace.as_uuid())
        .bind::<Text, _>(id)
        .bind::<Text, _>(last_error)
        .bind::<diesel::sql_types::Nullable<Text>, _>(unique_key)
        .execute(&mut conn)
        .await
        .unwrap();
    redact_person(&fixture.db, &administer(workspace), person, mentions).await.unwrap();
    let left = "SELECT count(*) AS count FROM jobs WHERE job_type = 'tried' AND last_error <> '[redacted]'";
    let left = sql_query(left).get_result::<Count>(&mut conn).await.unwrap().count;
    sql_query("DELETE FROM jobs WHERE job_type = 'tried'").execute(&mut conn).await.unwrap();
    left == 0
}

#[tokio::test]
async fn a_job_mentions_a_person_by_values_and_words_and_not_by_parts_of_words() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    for person in ["4217", "jane", "user-100", "Jane@Example.com", "o\"brien-1234", "completed", "user", "a%_.*(["] {
        sql_query("INSERT INTO conversations (workspace_id, external_user_id) VALUES ($1::uuid, $2)")
            .bind::<diesel::sql_types::Uuid, _>(*fixture.a.workspace.as_uuid())
            .bind::<Text, _>(person)
            .execute(&mut conn)
            .await
            .unwrap();
    }
    sql_query("INSERT INTO analytics_events (workspace_id, event_type, user_identifier) VALUES ($1::uuid, 'seen', 'only-events')")
        .bind::<diesel::sql_types::Uuid, _>(*fixture.a.workspace.as_uuid())
        .execute(&mut conn)
        .await
        .unwrap();
    let none: &[&str] = &[];
    for (person, mentions, column, said, is_redacted) in [
        ("4217", none, "payload", r#"{"user_id": 4217}"#, true),
        ("4217", none, "payload", r#"{"user_id": 42170}"#, false),
        ("4217", none, "last_error", "after 4217 attempts", false),
        ("jane", none, "payload", r#"{"a": [{"b": "JANE"}]}"#, true),
        ("jane", none, "payload", r#"{"body": "{\"to\":\"jane\"}"}"#, true),
        ("jane", none, "payload", r#"{"to": "janet"}"#, false),
        ("jane", none, "unique_key", "welcome:jane", true),
        ("jane", none, "unique_key", "jane", true),
        ("jane", none, "unique_key", "welcome:janet", false),
        ("user", none, "payload", r#"{"user": "joe"}"#, false),
        ("user-100", none, "payload", r#"{"by_visitor": {"USER-100": 3}}"#, true),
        ("user-100", none, "payload", r#"{"by_visitor": {"user-1001": 3}}"#, false),
        ("u:42", none, "unique_key", "welcome:u:42", true),
        ("u:42", none, "unique_key", "welcome:u:421", false),
        ("only-events", none, "last_error", "no mail for only-events", true),
        ("nobody-at-all", none, "last_error", "no mail for nobody-at-all", false),
        ("nobody", &["Jane Doe", " jane@x.org "], "last_error", r#"invalid body "Hello\nJane Doe, hi""#, true),
        ("nobody", &["jane@x.org "], "payload", r#"{"to": ["-jane@x.org"]}"#, true),
        ("nobody", &["jane@x.org"], "payload", r#"{"to": ["mary-jane@x.org"]}"#, false),
        ("user-100", none, "payload", r#"{"text": "mail to user-1001 failed"}"#, false),
        ("user-100", none, "payload", r#"{"text": "mail to user-100, again"}"#, true),
        ("user-100", none, "last_error", "user-100: no address", true),
        ("completed", none, "last_error", "not completedly done", false),
        ("Jane@Example.com", none, "last_error", "550 jane@example.com unknown", true),
        ("Jane@Example.com", none, "last_error", "550 mary.jane@example.com.au unknown", false),
        ("o\"brien-1234", none, "last_error", "no o\"brien-1234 here", true),
        ("a%_.*([", none, "payload", r#"{"id": "a%_.*(["}"#, true),
        ("a%_.*([", none, "payload", r#"{"id": "abc.d(["}"#, false),
        ("nobody", &["Ann"], "payload", r#"{"channel": "planned"}"#, false),
        ("nobody", &["Ann"], "payload", r#"{"text": "line\nann (she)"}"#, true),
        ("nobody", &["a+b@x.org"], "payload", r#"{"text": "<A+B@x.org>"}"#, true),
    ] {
        let found = redacted(&fixture, person, mentions, said, column).await;
        assert_eq!(found, is_redacted, "{person} {mentions:?} in {column} {said}");
    }
    // The ids of rows, in any form.
    let mut ws = fixture.db.workspace(&WorkspaceScope::unchecked(fixture.a.workspace, "a test")).await.unwrap();
    let talk = for_visitor(&mut ws, "jane").await.unwrap().id;
    drop(ws);
    for said in [format!("{talk}"), format!("{talk}").to_uppercase(), talk.as_uuid().simple().to_string()] {
        let payload = serde_json::json!({ "text": format!("see {said}.") }).to_string();
        assert!(redacted(&fixture, "jane", &[], &payload, "payload").await, "{said}");
        assert!(!redacted(&fixture, "user", &[], &payload, "payload").await, "{said}");
    }
    let nul = redact_person(&fixture.db, &administer(fixture.a.workspace), "jane", &["a\0"]).await.unwrap_err();
    assert_eq!(nul.field(), Some("mentions"), "{nul:?}");
    for person in ["", "a\0"] {
        let scope = administer(fixture.a.workspace);
        let error = redact_person(&fixture.db, &scope, person, &[]).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some("external_user_id"), "{error:?}");
        let error = erase_person(&fixture.db, &scope, person, &key(), &|_| ()).await.unwrap_err();
        assert!(error.is_invalid_input(), "{error:?}");
    }
}

#[tokio::test]
async fn other_types_of_text_are_redacted_and_tables_of_others_are_named() {
    let fixture = people().await;
    let mut conn = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    conn.batch_execute(
        "ALTER TABLE messages ADD nickname varchar(6) DEFAULT 'canary', ADD facts json DEFAULT '{\"a\": \"canary-7f3e\"}', ADD names varchar[] DEFAULT '{canary-7f3e}';
        CREATE SCHEMA notes; CREATE TABLE notes.of_messages (workspace_id uuid, message_id uuid,
            FOREIGN KEY (workspace_id, message_id) REFERENCES messages ON DELETE SET NULL);
        GRANT ALL ON messages TO workspace_platform",
    )
    .await
    .unwrap();
    let report = redact_person(&fixture.db, &administer(fixture.a.workspace), "jane", &[]).await.unwrap();
    assert_eq!(report.unchanged_tables, ["notes.of_messages"]);
    let left = "SELECT count(*) AS count FROM messages m JOIN conversations c ON c.id = m.conversation_id AND c.external_user_id = 'jane'
        WHERE m::text LIKE '%canary%' AND m.workspace_id = (SELECT id FROM workspaces WHERE slug = 'a')";
    assert_eq!(sql_query(left).get_result::<Count>(&mut conn).await.unwrap().count, 0);
    let all = "SELECT count(*) AS count FROM messages WHERE nickname = '[redac'";
    assert_eq!(sql_query(all).get_result::<Count>(&mut conn).await.unwrap().count, 2);
    let changed =
        "SELECT count(*) AS count FROM conversations WHERE external_user_id = 'jane' AND updated_at > created_at";
    assert_eq!(sql_query(changed).get_result::<Count>(&mut conn).await.unwrap().count, 1);
}
