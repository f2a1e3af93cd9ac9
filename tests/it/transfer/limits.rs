//! Values at the limit of every CHECK, out and in again on every way.

use std::collections::BTreeSet;
use std::process::Command;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use workspace_db::tenancy::TENANT_TABLES;
use workspace_db_testing::TestDatabase;

use super::{Fixture, imported, rows};

/// A CHECK: its name, assignments at the lower and the upper limit, and assignments beyond.
type Limit = (&'static str, [&'static str; 2], &'static [&'static str]);

/// Limits of the columns of each table, but for times and the form of JSON and lists.
const LIMITS: &[(&str, &[Limit])] = &[
    (
        "workspaces",
        &[
            (
                "workspaces_confidence_threshold_check",
                ["confidence_threshold = 0", "confidence_threshold = 1"],
                &[
                    "confidence_threshold = -5e-324",
                    "confidence_threshold = 1.0000000000000002",
                    "confidence_threshold = 'NaN'",
                ],
            ),
            (
                "workspaces_default_language_check",
                ["default_language = 'en'", "default_language = 'abcdefgh-' || repeat('12345678-', 1000) || 'x'"],
                &["default_language = ''", "default_language = 'x'", "default_language = 'en_US'"],
            ),
            ("workspaces_id_check", ["id = id", "id = id"], &[]),
        ],
    ),
    (
        "workspace_settings",
        &[
            (
                "workspace_settings_fallback_language_check",
                ["fallback_language = NULL", "fallback_language = 'pt-BR'"],
                &["fallback_language = 'e'"],
            ),
            (
                "workspace_settings_languages_check",
                ["languages = '{}'", "languages = array_fill('pt-BR'::text, ARRAY[100])"],
                &[
                    "languages = array_fill('nl'::text, ARRAY[101])",
                    "languages = ARRAY['nl', NULL]",
                    "languages = '{nl,en_US}'",
                ],
            ),
            (
                "workspace_settings_retention_check",
                [
                    "audit_retention_days = 1, conversation_retention_days = 1, event_retention_days = 1, job_retention_days = 1",
                    "audit_retention_days = 36500, conversation_retention_days = 36500, event_retention_days = 36500, job_retention_days = 36500",
                ],
                &[
                    "audit_retention_days = 0",
                    "conversation_retention_days = 36501",
                    "event_retention_days = -1",
                    "job_retention_days = 36501",
                ],
            ),
            (
                "workspace_settings_temperature_check",
                ["temperature = 0", "temperature = 2"],
                &["temperature = 2.0000000000000004", "temperature = -1e-300"],
            ),
            (
                "workspace_settings_webhook_events_check",
                ["webhook_events = '{}'", "webhook_events = ARRAY['', repeat('x', 100000)]"],
                &["webhook_events = ARRAY[NULL::text]"],
            ),
            (
                "workspace_settings_webhook_secret_check",
                [
                    "webhook_secret = '\\x01' || decode(repeat('ff', 48), 'hex')",
                    "webhook_secret = '\\x01' || decode(repeat('00', 100000), 'hex')",
                ],
                &[
                    "webhook_secret = '\\x01' || decode(repeat('ff', 47), 'hex')",
                    "webhook_secret = '\\x02' || decode(repeat('ff', 48), 'hex')",
                ],
            ),
        ],
    ),
    (
        "workspace_admins",
        &[(
            "workspace_admins_invitation_check",
            [
                "invitation_hash = NULL, invitation_expires_at = NULL",
                "invitation_hash = NULL, invitation_expires_at = NULL",
            ],
            &[
                "invitation_hash = decode(repeat('00', 31), 'hex'), invitation_expires_at = now(), joined_at = NULL",
                "invitation_hash = NULL, invitation_expires_at = now()",
            ],
        )],
    ),
    (
        "document_chunks",
        &[
            (
                "document_chunks_language_check",
                ["language = NULL", "language = 'abcdefgh-12345678'"],
                &["language = 'a'"],
            ),
            (
                "document_chunks_token_count_check",
                ["token_count = 0", "token_count = 2147483647"],
                &["token_count = -1"],
            ),
            (
                "document_chunks_vector_check",
                [
                    "vector = (array_fill(0::real, ARRAY[1535]) || 1.1e-15::real)::vector",
                    "vector = (array_fill(0::real, ARRAY[1535]) || 9.9e14::real)::vector",
                ],
                &[
                    "vector = array_fill(0::real, ARRAY[1536])::vector",
                    "vector = (array_fill(0::real, ARRAY[1535]) || 1.1e15::real)::vector",
                ],
            ),
        ],
    ),
    (
        "chunk_reembeddings",
        &[(
            "chunk_reembeddings_vector_check",
            [
                "vector = (array_fill(0::real, ARRAY[1535]) || 1.1e-15::real)::vector",
                "vector = (array_fill(0::real, ARRAY[1535]) || 9.9e14::real)::vector",
            ],
            &["vector = array_fill(0::real, ARRAY[1536])::vector"],
        )],
    ),
    (
        "conversations",
        &[
            (
                "conversations_hand_over_seq_check",
                ["hand_over_seq = 0", "hand_over_seq = 9223372036854775807"],
                &["hand_over_seq = -1"],
            ),
            ("conversations_last_seq_check", ["last_seq = 0", "last_seq = 9223372036854775807"], &["last_seq = -1"]),
        ],
    ),
    (
        "messages",
        &[
            (
                "messages_by_human_check",
                ["by_human = false", "by_human = true, role = 'assistant'"],
                &["by_human = true, role = 'user'"],
            ),
            (
                "messages_client_id_check",
                ["client_id = 'x'", "client_id = repeat('é', 500)"],
                &["client_id = ''", "client_id = repeat('é', 501)"],
            ),
            (
                "messages_language_check",
                ["language = 'en'", "language = 'zh-Hant-TW'"],
                &["language = ''", "language = 'e'", "language = 'pt_BR'"],
            ),
            ("messages_parent_id_check", ["parent_id = NULL", "parent_id = NULL"], &["parent_id = id"]),
            ("messages_seq_check", ["seq = 1", "seq = 9223372036854775807"], &["seq = 0"]),
            (
                "messages_confidence_check",
                ["confidence = 0", "confidence = 1"],
                &["confidence = -5e-324", "confidence = 1.0000000000000002"],
            ),
            (
                "messages_review_threshold_check",
                ["review_threshold = 0", "review_threshold = 1"],
                &["review_threshold = -5e-324", "review_threshold = 1.0000000000000002"],
            ),
            (
                "messages_state_check",
                [
                    "state = 'withheld', lease_token = NULL, lease_expires_at = NULL",
                    "state = 'pending', lease_token = id, lease_expires_at = '2100-01-01'",
                ],
                &[
                    "state = 'streaming', lease_token = NULL",
                    "state = 'complete', lease_token = id, lease_expires_at = '2100-01-01'",
                    "state = 'pending', lease_token = id, lease_expires_at = NULL",
                ],
            ),
            ("messages_tokens_check", ["tokens = 0", "tokens = 2147483647"], &["tokens = -1"]),
        ],
    ),
    (
        "message_deltas",
        &[("message_deltas_position_check", ["position = 0", "position = 9223372036854775807"], &["position = -1"])],
    ),
    (
        "message_sources",
        &[
            ("message_sources_citation_check", ["citation = 1", "citation = 2147483647"], &["citation = 0"]),
            (
                "message_sources_content_hash_check",
                ["content_hash = repeat('0', 64)", "content_hash = repeat('f', 64)"],
                &["content_hash = repeat('F', 64)", "content_hash = repeat('f', 65)", "content_hash = ''"],
            ),
            (
                "message_sources_method_check",
                ["method = 'x'", "method = repeat('é', 100)"],
                &["method = ''", "method = repeat('é', 101)"],
            ),
            ("message_sources_rank_check", ["rank = 1", "rank = 2147483647"], &["rank = 0"]),
            (
                "message_sources_score_check",
                ["score = -1.7976931348623157e308", "score = 1.7976931348623157e308"],
                &["score = '-infinity'", "score = 'infinity'", "score = 'NaN'"],
            ),
        ],
    ),
    (
        "model_calls",
        &[
            (
                "model_calls_cached_tokens_check",
                ["cached_tokens = 0", "cached_tokens = 2147483647"],
                &["cached_tokens = -1", "cached_tokens = 2, input_tokens = 1"],
            ),
            (
                "model_calls_cost_usd_check",
                ["cost_usd = 0", "cost_usd = 1e30 + 1e-30"],
                &[
                    "cost_usd = -1e-30, price_version = 'x'",
                    "cost_usd = 'infinity', price_version = 'x'",
                    "cost_usd = 'NaN', price_version = 'x'",
                    "cost_usd = 1, price_version = NULL",
                ],
            ),
            (
                "model_calls_first_token_ms_check",
                ["first_token_ms = 0", "first_token_ms = 2147483647"],
                &["first_token_ms = -1"],
            ),
            (
                "model_calls_input_tokens_check",
                ["input_tokens = 0", "input_tokens = 2147483647"],
                &["input_tokens = -1, cached_tokens = NULL"],
            ),
            ("model_calls_latency_ms_check", ["latency_ms = 0", "latency_ms = 2147483647"], &["latency_ms = -1"]),
            (
                "model_calls_model_check",
                ["model = 'x'", "model = repeat('é', 200)"],
                &["model = ''", "model = repeat('é', 201)"],
            ),
            (
                "model_calls_output_tokens_check",
                ["output_tokens = 0", "output_tokens = 2147483647"],
                &["output_tokens = -1"],
            ),
            ("model_calls_parent_id_check", ["parent_id = NULL", "parent_id = NULL"], &["parent_id = id"]),
            (
                "model_calls_price_version_check",
                ["price_version = 'x'", "price_version = repeat('é', 200)"],
                &["price_version = ''", "price_version = repeat('é', 201)"],
            ),
            (
                "model_calls_reasoning_tokens_check",
                ["reasoning_tokens = 0", "reasoning_tokens = 2147483647"],
                &["reasoning_tokens = -1", "reasoning_tokens = 2, output_tokens = 1"],
            ),
            (
                "model_calls_stop_reason_check",
                ["stop_reason = 'x'", "stop_reason = repeat('é', 200)"],
                &["stop_reason = ''", "stop_reason = repeat('é', 201)"],
            ),
        ],
    ),
    ("feedback", &[("feedback_score_check", ["score = -1", "score = 1"], &["score = -2", "score = 2"])]),
    (
        "webhook_subscriptions",
        &[
            (
                "webhook_subscriptions_events_check",
                ["events = '{}'", "events = ARRAY['', repeat('x', 100000)]"],
                &["events = ARRAY[NULL::text]"],
            ),
            (
                "webhook_subscriptions_secret_check",
                [
                    "secret = '\\x01' || decode(repeat('ff', 48), 'hex')",
                    "secret = '\\x01' || decode(repeat('00', 100000), 'hex')",
                ],
                &[
                    "secret = '\\x01' || decode(repeat('ff', 47), 'hex')",
                    "secret = '\\x00' || decode(repeat('ff', 48), 'hex')",
                ],
            ),
        ],
    ),
    (
        "job_schedules",
        &[
            (
                "job_schedules_limits_check",
                ["priority = 0, max_attempts = 1", "priority = 2147483647, max_attempts = 1000"],
                &["priority = -1", "max_attempts = 0", "max_attempts = 1001"],
            ),
            (
                "job_schedules_names_check",
                [
                    "name = 'n', queue = 'q', job_type = 't'",
                    "name = repeat('ü', 100), queue = repeat('ü', 100), job_type = repeat('ü', 100)",
                ],
                &["name = ''", "queue = repeat('q', 101)", "job_type = repeat('t', 101)"],
            ),
            (
                "job_schedules_payload_check",
                ["payload = '{}'", "payload = jsonb_build_array(repeat('a', 1048572))"],
                &["payload = jsonb_build_array(repeat('a', 1048573))"],
            ),
        ],
    ),
    (
        "jobs",
        &[
            (
                "jobs_attempts_check",
                ["max_attempts = 1, attempts = 0", "max_attempts = 1000, attempts = 1000"],
                &["max_attempts = 0", "max_attempts = 1001", "attempts = -1", "attempts = max_attempts + 1"],
            ),
            (
                "jobs_names_check",
                ["queue = 'q', job_type = 't'", "queue = repeat('ü', 100), job_type = repeat('ü', 100)"],
                &["queue = ''", "job_type = repeat('t', 101)"],
            ),
            (
                "jobs_payload_check",
                ["payload = '{}'", "payload = jsonb_build_array(repeat('a', 1048572))"],
                &["payload = jsonb_build_array(repeat('a', 1048573))"],
            ),
            ("jobs_priority_check", ["priority = 0", "priority = 2147483647"], &["priority = -1"]),
            (
                "jobs_state_check",
                ["status = 'queued'", "status = 'cancelled', cancelled_at = now()"],
                &["status = 'completed'", "status = 'failed', cancelled_at = NULL, failed_at = NULL, attempts = 0"],
            ),
            (
                "jobs_unique_check",
                ["unique_key = 'k', uniqueness = 'queued'", "unique_key = repeat('k', 500), uniqueness = 'kept'"],
                &[
                    "unique_key = NULL, uniqueness = 'kept'",
                    "unique_key = '', uniqueness = 'kept'",
                    "unique_key = repeat('k', 501), uniqueness = 'kept'",
                ],
            ),
        ],
    ),
];

/// Tables that an archive has in another way: an import adds to the log, and brings no tokens.
const OTHERS: &[&str] = &["audit_log", "service_tokens"];

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

async fn names(conn: &mut AsyncPgConnection, query: &str) -> BTreeSet<String> {
    let query = format!("SELECT name::text FROM ({query}) AS q (name)");
    let names: Vec<Name> = RunQueryDsl::load(diesel::sql_query(query), conn).await.unwrap();
    names.into_iter().map(|one| one.name).collect()
}

fn tables() -> impl Iterator<Item = &'static str> {
    TENANT_TABLES.iter().copied().chain(["workspaces"]).filter(|table| !OTHERS.contains(table))
}

#[tokio::test]
async fn every_check_has_its_limits_here() {
    let database = TestDatabase::new().await.unwrap();
    let tables: Vec<String> = tables().map(|table| format!("'{table}'::regclass")).collect();
    let checks = format!(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conname NOT LIKE '%\\_readable' AND conrelid IN ({})",
        tables.join(", ")
    );
    let listed = LIMITS.iter().flat_map(|(_, limits)| limits.iter().map(|limit| limit.0.to_owned())).collect();
    assert_eq!(names(&mut database.connect().await.unwrap(), &checks).await, listed);
}

#[tokio::test]
async fn values_beyond_a_limit_are_refused_by_its_name() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    for (table, limits) in LIMITS {
        for (name, _, beyond) in *limits {
            for assignment in *beyond {
                let error = conn.batch_execute(&format!("UPDATE {table} SET {assignment}")).await.unwrap_err();
                assert!(error.to_string().contains(name), "{table} SET {assignment}: {error}");
            }
        }
    }
}

/// Sets all times of the workspace's rows, and all JSON, to the limit of what programs read.
async fn set_readable_limits(conn: &mut AsyncPgConnection, scope: &str, is_upper: bool) {
    let (time, json) = if is_upper {
        ("9999-12-31 23:59:59.999999+00", format!("{{\"a\": {}{}}}", "[".repeat(126), "]".repeat(126)))
    } else {
        ("0001-01-01 00:00:00+00", "{\"a\": -1.7976931348623157e308}".to_owned())
    };
    for table in tables() {
        // Arguments of jobs and schedules are at their own limit.
        let columns = format!(
            "SELECT attname || ' ' || atttypid::regtype::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0
             AND attgenerated = '' AND atttypid IN ('timestamptz'::regtype, 'jsonb'::regtype) AND attname <> 'payload'
             AND attname NOT IN ('errors', 'result', 'invitation_expires_at')"
        );
        for column in names(conn, &columns).await {
            let (name, kind) = column.split_once(' ').unwrap();
            let value = if kind == "jsonb" { &json } else { time };
            let key = if table == "workspaces" { "id" } else { "workspace_id" };
            let set = format!("UPDATE {table} SET {name} = '{value}' WHERE {name} IS NOT NULL AND {key} = '{scope}'");
            let done = conn.batch_execute(&set).await;
            assert!(done.is_ok(), "{set}: {done:?}");
            let beyond = if kind == "jsonb" { "1e309" } else { "infinity" };
            let error = conn.batch_execute(&format!("UPDATE {table} SET {name} = '{beyond}'")).await.unwrap_err();
            assert!(error.to_string().contains("_readable"), "{table}.{name}: {error}");
        }
    }
}

/// One row of a table gets the values, so that no unique key is in the way.
async fn set_limits(conn: &mut AsyncPgConnection, scope: &str, is_upper: bool) {
    set_readable_limits(conn, scope, is_upper).await;
    for (table, limits) in LIMITS {
        let key = if *table == "workspaces" { "id" } else { "workspace_id" };
        let assignments: Vec<&str> = limits.iter().map(|(_, limit, _)| limit[usize::from(is_upper)]).collect();
        let set = format!(
            "UPDATE {table} SET {} WHERE ctid = (SELECT min(ctid) FROM {table} WHERE {key} = '{scope}')",
            assignments.join(", ")
        );
        let query = diesel::sql_query(&set);
        assert_eq!(RunQueryDsl::execute(query, conn).await, Ok(1), "{set}");
    }
}

#[tokio::test]
async fn values_at_the_limits_survive_an_archive_and_a_dump() {
    for is_upper in [false, true] {
        let fixture = Fixture::new().await;
        let mut conn = fixture.database.connect().await.unwrap();
        set_limits(&mut conn, &fixture.a.workspace.to_string(), is_upper).await;
        let before = fixture.rows(fixture.a.workspace).await;

        let (dump, restored) = (fixture.path("all.dump"), TestDatabase::unmigrated().await.unwrap());
        let target = restored.superuser_url().unwrap().libpq_environment();
        let to =
            target.iter().find(|(name, _)| *name == "PGDATABASE").map(|(_, name)| format!("--dbname={name}")).unwrap();
        let run = |program: &str, arguments: &[&str], of: &TestDatabase| {
            let output = Command::new(of.install().program(program))
                .args(arguments)
                .arg(&dump)
                .envs(of.superuser_url().unwrap().libpq_environment())
                .output()
                .unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("pg_dump", &["--format=custom", "--file"], &fixture.database);
        run("pg_restore", &["--exit-on-error", "--clean", "--if-exists", &to], &restored);
        let mut there = restored.connect().await.unwrap();
        assert_eq!(rows(&mut there, fixture.a.workspace).await, before, "is_upper: {is_upper}");

        fixture.export("a.tar").await.unwrap();
        fixture.erase().await.unwrap();
        fixture.import("a.tar").await.unwrap();
        assert_eq!(fixture.rows(fixture.a.workspace).await, imported(before), "is_upper: {is_upper}");
    }
}
