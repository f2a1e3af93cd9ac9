//! Values that PostgreSQL holds and programs can't read: none comes in, and one that is there stops nobody else.

use std::io::Cursor;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use workspace_db::db::connect;
use workspace_db::doctor::{CheckStatus, Doctor};
use workspace_db::embeddings::FeatureHashing;
use workspace_db::jobs::{self, JobKind, NewJob, NewSchedule, Outcome, RunningJob, Worker, enqueue, schedule};
use workspace_db::models::{Document, NewDocument};
use workspace_db::retention::expire;
use workspace_db::schema::documents;
use workspace_db::tenancy::{Database, InWorkspace as _, PlatformScope, WorkspaceScope};
use workspace_db::transfer::import_rows;
use workspace_db_ingest::{IngestOptions, ingest};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

use crate::cli::Shell;
use crate::folder::Folder;

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// JSON that PostgreSQL takes and `serde_json` does not read.
fn unreadable_json() -> Vec<String> {
    let objects = format!("{}1{}", r#"{"a":"#.repeat(128), "}".repeat(128));
    let numbers = ["1e400", "-1e400", r#"{"n": 1e400}"#, r#"[{"a": [1, 2, -1e309]}]"#, "1.7976931348623159e308"];
    let wrapped = format!(r#"{{"deep": {}}}"#, nested(127));
    [nested(128), nested(200), nested(2000), objects, wrapped].into_iter().chain(numbers.map(str::to_owned)).collect()
}

/// JSON at the bounds, which it reads.
fn readable_json() -> Vec<String> {
    let objects = format!("{}1{}", r#"{"a":"#.repeat(127), "}".repeat(127));
    let numbers = ["1e308", "-1.7976931348623157e308", "1e-400", "123456789012345678901234567890", "null", "{}"];
    [nested(127), objects].into_iter().chain(numbers.map(str::to_owned)).collect()
}

const UNREADABLE_TIMES: [&str; 6] =
    ["infinity", "-infinity", "294276-12-31", "10000-01-01 00:00:00+00", "0001-12-31 23:59:59+00 BC", "4713-01-01 BC"];
const READABLE_TIMES: [&str; 3] = ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "1969-12-31"];

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

async fn columns(conn: &mut AsyncPgConnection) -> Vec<Column> {
    diesel::sql_query(
        "SELECT c.relname::text AS \"table\", a.attname::text AS name, format_type(a.atttypid, NULL) AS kind
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_\\_%'
           AND format_type(a.atttypid, NULL) IN ('jsonb', 'timestamp with time zone', 'text[]')",
    )
    .load(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn no_column_of_any_table_takes_one() {
    let database = TestDatabase::new().await.unwrap();
    seed(&mut database.connect().await.unwrap(), "a").await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let seen = "INSERT INTO admin_tokens (admin_user_id, kind, name, token_hash, expires_at)
            SELECT id, 'api', 'x', sha256('x'), now() + interval '1 day' FROM admin_users LIMIT 1;
        INSERT INTO login_throttles (key, free_at) VALUES (sha256('x'), now());
        INSERT INTO job_queues (name) VALUES ('x');
        ALTER TABLE audit_log DISABLE TRIGGER USER";
    superuser.batch_execute(seen).await.unwrap();
    let columns = columns(&mut superuser).await;
    assert!(columns.len() > 70, "{}", columns.len());
    for Column { table, name, kind } in columns {
        let values: Vec<String> = match kind.as_str() {
            "jsonb" => unreadable_json(),
            "text[]" => vec!["{{a,b},{c,d}}".to_owned()],
            _ => UNREADABLE_TIMES.map(str::to_owned).into(),
        };
        for value in values {
            let update = format!("UPDATE {table} SET {name} = '{value}'::{kind}");
            let error = diesel::sql_query(&update).execute(&mut superuser).await;
            let shown = &update[..update.len().min(120)];
            let error = workspace_db::Error::from(error.expect_err(shown));
            // A CHECK of the table's own looks for elements that are null, and PostgreSQL does so in plain lists alone.
            if kind != "text[]" {
                assert!(error.is_invalid_input(), "{shown}: {error}");
                assert!(error.to_string().contains(&table), "{shown}: {error}");
            }
        }
    }
    for value in readable_json() {
        superuser.batch_execute(&format!("UPDATE documents SET metadata = '{value}'")).await.expect(&value);
    }
    for value in READABLE_TIMES {
        superuser.batch_execute(&format!("UPDATE documents SET created_at = '{value}'")).await.expect(value);
    }
    let documents: Vec<Document> = Document::query().load(&mut superuser).await.unwrap();
    assert_eq!(documents.len(), 1);
}

fn scope(of: &SeededWorkspace) -> WorkspaceScope {
    WorkspaceScope::unchecked(of.workspace, "a test")
}

/// Two workspaces whose tables take everything, as before the migration that refuses what can't be read.
struct Fixture {
    database: TestDatabase,
    db: Database,
    superuser: AsyncPgConnection,
    a: SeededWorkspace,
    b: SeededWorkspace,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let (a, b) = (seed(&mut conn, "a").await.unwrap(), seed(&mut conn, "b").await.unwrap());
        let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
        let open = "DO $$ DECLARE k record; BEGIN
            FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE conname LIKE '%\\_readable' LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.t, k.conname);
            END LOOP; END $$; DELETE FROM jobs; DELETE FROM job_schedules";
        superuser.batch_execute(open).await.unwrap();
        Self { db: database.open(8).await.unwrap(), database, superuser, a, b }
    }

    async fn sql(&mut self, statement: &str) {
        self.superuser.batch_execute(statement).await.expect(statement);
    }

    async fn text(&mut self, query: &str) -> String {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        diesel::sql_query(query).get_result::<Row>(&mut self.superuser).await.expect(query).text
    }
}

#[derive(Serialize, Deserialize)]
struct Count {
    n: u32,
}

impl JobKind for Count {
    const NAME: &'static str = "count";
}

/// What breaks one column of a job, that is due before all others.
#[rstest]
#[case::deep_arguments(format!("payload = '{}'", nested(128)))]
#[case::a_number_beyond_a_double("payload = '{\"n\": 1e400}'".to_owned())]
#[case::deep_errors(format!("errors = '{}'", nested(200)))]
#[case::due_since_ever("scheduled_at = '-infinity'".to_owned())]
#[case::made_in_the_end("created_at = 'infinity'".to_owned())]
#[case::made_in_a_far_year("created_at = '294000-01-01'".to_owned())]
#[tokio::test]
async fn a_job_that_cant_be_read_is_dead_and_the_others_run(#[case] broken: String) {
    let mut fixture = Fixture::new().await;
    // More than one claim takes, so that no readable one is in the first.
    for n in 0..20 {
        let job = NewJob::new(Count { n }).priority(0);
        enqueue(&mut fixture.db.workspace(&scope(&fixture.a)).await.unwrap(), job).await.unwrap();
    }
    fixture.sql(&format!("UPDATE jobs SET {broken}")).await;
    for of in [fixture.a, fixture.b] {
        let mut ws = fixture.db.workspace(&scope(&of)).await.unwrap();
        enqueue(&mut ws, NewJob::new(Count { n: 1 })).await.unwrap();
    }
    let done = async |_: RunningJob<Count>| Ok::<_, workspace_db::Error>(Outcome::Done);
    let worker = Worker::new(&fixture.db).handle(done).poll(Duration::from_millis(20)).concurrency("default", 2);
    tokio::time::timeout(Duration::from_secs(30), worker.drain()).await.expect("the queue stood still").unwrap();
    let statuses = "SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) AS text
        FROM (SELECT status, count(*) AS n FROM jobs GROUP BY status) s";
    assert_eq!(fixture.text(statuses).await, "completed 2, failed 20");
    let why = fixture.text("SELECT min(last_error) AS text FROM jobs WHERE status = 'failed'").await;
    let column = broken.split(' ').next().unwrap();
    assert!(why.contains(&format!("column {column}")), "{why}");

    let shell = Shell::for_database(&fixture.database);
    let listed = shell.run(&["jobs", "list"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert_eq!(listed.out.lines().count(), 22, "{}", listed.out);
    let id = fixture.text("SELECT min(id::text) AS text FROM jobs WHERE status = 'failed'").await;
    assert!(listed.out.contains(&id), "{}", listed.out);
    let shown = shell.run(&["jobs", "show", &id]);
    assert_eq!((shown.code, shown.out.contains("unreadable")), (0, true), "{} {}", shown.out, shown.err);
    for action in ["retry", "cancel"] {
        let said = shell.run(&["jobs", action, &id]);
        assert_eq!(said.code, 0, "{action}: {}", said.err);
    }
    let listed = shell.run(&["jobs", "list", "--json", "--status", "cancelled"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed[0]["id"], json!(id));
    // What is started again gets a time to start.
    let why = listed[0]["unreadable"].as_str().unwrap_or("column scheduled_at");
    assert!(why.contains(&format!("column {column}")), "{listed}");
    jobs::stats(&fixture.db, &PlatformScope::unchecked("a test")).await.unwrap();
}

#[rstest]
#[case::deep_arguments(format!("payload = '{}'", nested(128)))]
#[case::a_number_beyond_a_double("payload = '1e400'".to_owned())]
#[case::due_since_ever("next_at = '-infinity'".to_owned())]
#[case::made_in_the_end("created_at = 'infinity'".to_owned())]
#[tokio::test]
async fn a_schedule_that_cant_be_read_stays_due_and_the_others_fire(#[case] broken: String) {
    let mut fixture = Fixture::new().await;
    for of in [fixture.a, fixture.b] {
        let mut ws = fixture.db.workspace(&scope(&of)).await.unwrap();
        schedule(&mut ws, NewSchedule::new("each minute", "* * * * *", Count { n: 1 })).await.unwrap();
    }
    fixture.sql("UPDATE job_schedules SET next_at = now() - interval '10 s'").await;
    fixture.sql(&format!("UPDATE job_schedules SET {broken} WHERE workspace_id = '{}'", fixture.a.workspace)).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let done = async |_: RunningJob<Count>| Ok::<_, workspace_db::Error>(Outcome::Done);
    let worker = Worker::new(&fixture.db).handle(done).poll(Duration::from_millis(20));
    let running = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));
    let fired = format!("SELECT EXISTS (SELECT FROM jobs WHERE workspace_id = '{}') AS met", fixture.b.workspace);
    crate::until(&mut fixture.superuser, &fired).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    let of_a = format!("SELECT count(*)::text AS text FROM jobs WHERE workspace_id = '{}'", fixture.a.workspace);
    assert_eq!(fixture.text(&of_a).await, "0");
    assert_eq!(fixture.text("SELECT count(*)::text AS text FROM job_schedules WHERE next_at <= now()").await, "1");
}

#[rstest]
#[case::deep_metadata(format!("metadata = metadata || '{{\"a\": {}}}'", nested(200)), "metadata")]
#[case::a_number_beyond_a_double("metadata = metadata || '{\"n\": 1e400}'".to_owned(), "metadata")]
#[case::changed_in_the_end("updated_at = 'infinity'".to_owned(), "updated_at")]
#[case::made_in_a_far_year("created_at = '290000-01-01'".to_owned(), "created_at")]
#[tokio::test]
async fn a_document_that_cant_be_read_stops_neither_its_folder_nor_a_list(
    #[case] broken: String,
    #[case] column: &str,
) {
    let mut fixture = Fixture::new().await;
    let folder = Folder::new();
    for name in ["bad.txt", "good.txt"] {
        folder.write(name, format!("The first text of {name}."));
    }
    let scope = scope(&fixture.a);
    let options = IngestOptions::new([folder.path().to_owned()]);
    ingest(&fixture.db, &scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
    fixture.sql(&format!("UPDATE documents SET {broken} WHERE external_id = 'bad.txt'")).await;
    folder.write("new.txt", "One more.");
    folder.write("bad.txt", "Another text of it.");
    let report = ingest(&fixture.db, &scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!((report.added, report.replaced, report.unchanged), (1, 1, 1));
    let shell = Shell::for_database(&fixture.database);
    let said = shell.run(&["ingest", &folder.path().display().to_string(), "--workspace", "a"]);
    assert_eq!(said.code, 0, "{}", said.err);

    // What a run replaces has a new time of change; the rest is as it was.
    fixture.sql(&format!("UPDATE documents SET {broken} WHERE external_id = 'bad.txt'")).await;
    let bad = fixture.text("SELECT id::text AS text FROM documents WHERE external_id = 'bad.txt'").await;
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let error = documents::table.in_workspace(&scope).load::<Document>(&mut ws).await.unwrap_err();
    assert!(error.is_unreadable(), "{error}");
    for part in [&bad, &fixture.a.workspace.to_string(), column] {
        assert!(error.to_string().contains(part), "nothing says {part} in {error}");
    }
    let each = documents::table.in_workspace(&scope).load_each::<Document>(&mut ws).await.unwrap();
    let (read, not): (Vec<_>, Vec<_>) = each.into_iter().partition(Result::is_ok);
    assert_eq!((read.len(), not.len()), (3, 1));
    let not = not.into_iter().next().unwrap().unwrap_err();
    assert_eq!((not.id().unwrap().to_string(), not.workspace()), (bad.clone(), Some(*fixture.a.workspace.as_uuid())));
    assert!(not.why().contains(column), "{not}");
    let raw = fixture.db.across_workspaces("a test", async |conn| conn.load_each::<Document>(Document::query()).await);
    assert_eq!(raw.await.unwrap().iter().filter(|row| row.is_ok()).count(), 4);

    for command in [
        &["search", "text", "--workspace", "a"][..],
        &["search", "text", "--workspace", "a", "--by", "words"],
        &["workspace", "export", "a", "--to", &shell.path("a.tar").display().to_string()],
        &["audit"],
        &["retention"],
    ] {
        let said = shell.run(command);
        assert_eq!(said.code, 0, "{command:?}: {}", said.err);
    }
    let config = workspace_db::config::Config {
        database_url: Some(fixture.database.url().unwrap()),
        ..fixture.database.config().unwrap()
    };
    let findings = Doctor::new(&config).unwrap().run_checks().await.unwrap();
    let found = findings.iter().find(|one| one.check == "unreadable_values").unwrap();
    assert_eq!(found.status, CheckStatus::Fail);
    assert!(found.problems.iter().any(|one| one.contains(&bad) && one.contains(column)), "{found:?}");
}

#[tokio::test]
async fn lists_and_retention_go_on_without_a_workspace_that_cant_be_read() {
    let mut fixture = Fixture::new().await;
    fixture.sql("UPDATE workspaces SET updated_at = 'infinity' WHERE slug = 'b'").await;
    let operator = PlatformScope::unchecked("a test");
    let all = workspace_db::auth::workspaces(&fixture.db, &operator).await.unwrap();
    assert!(all.iter().any(|one| one.slug == "a") && all.iter().all(|one| one.slug != "b"), "{all:?}");
    expire(&fixture.db, &operator).await.unwrap();
    let said = Shell::for_database(&fixture.database).run(&["workspace", "list"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains(&fixture.b.workspace.to_string()) && said.err.contains("updated_at"), "{}", said.err);
}

#[tokio::test]
async fn a_line_with_one_is_refused_by_name_and_may_be_left_out() {
    let database = TestDatabase::new().await.unwrap();
    let a = seed(&mut database.connect().await.unwrap(), "a").await.unwrap();
    let db = database.open(4).await.unwrap();
    let scope = WorkspaceScope::unchecked(a.workspace, "a test");
    let mut lines: Vec<(String, &str)> = unreadable_json()
        .into_iter()
        .map(|value| (format!(r#"{{"table": "documents", "id": "2", "title": "t", "metadata": {value}}}"#), "metadata"))
        .collect();
    for time in
        ["\"+294276-12-31T00:00:00Z\"", "\"-0001-01-01T00:00:00Z\"", "9223372036854775807", "-9223372036854775808"]
    {
        lines.push((
            format!(r#"{{"table": "documents", "id": "2", "title": "t", "created_at": {time}}}"#),
            "created_at",
        ));
    }
    for (line, column) in lines {
        let good = r#"{"table": "documents", "id": "1", "title": "good"}"#;
        let both = format!("{good}\n{line}\n");
        let error = import_rows(&db, &scope, Cursor::new(both), &|_| ()).await.expect_err(&line);
        assert!(error.is_invalid_input(), "{line}: {error}");
        assert!(error.to_string().contains("line 2") && error.to_string().contains(column), "{line}: {error}");
    }
}

#[tokio::test]
async fn rows_that_are_there_become_readable_and_lose_no_json() {
    let mut fixture = Fixture::new().await;
    let (db, a) = (&fixture.db, &fixture.a);
    let mut conn = db.workspace(&scope(a)).await.unwrap();
    let new = NewJob::new(Count { n: 1 });
    enqueue(&mut conn, new).await.unwrap();
    drop(conn);
    let (document, a) = (a.document, scope(a));
    let deep = nested(150);
    let poison = format!(
        "UPDATE documents SET metadata = '{{\"deep\": {deep}}}', created_at = '-infinity', updated_at = 'infinity';
         UPDATE jobs SET payload = '{{\"n\": 1e400}}', errors = '[1e400]', scheduled_at = 'infinity'"
    );
    fixture.sql(&poison).await;
    let mut owner = connect(&fixture.database.url().unwrap()).await.unwrap();
    for table in ["documents", "jobs"] {
        let rules = format!(
            "SELECT workspace_db_refuse_unreadable('{table}'); SELECT workspace_db_set_unreadable_aside('{table}')"
        );
        owner.batch_execute(&rules).await.unwrap();
    }
    let mut conn = fixture.database.connect().await.unwrap();
    let document: Document = Document::query().filter(documents::id.eq(document)).first(&mut conn).await.unwrap();
    assert_eq!(document.metadata, json!({ "unreadable": format!("{{\"deep\": {deep}}}") }));
    assert_eq!(document.created_at.to_string(), "0001-01-01 00:00:00 UTC");
    assert_eq!(document.updated_at.to_string(), "9999-12-31 23:59:59.999999 UTC");
    let job = workspace_db::models::Job::query().first(&mut conn).await.unwrap();
    let huge = format!("1{}", "0".repeat(400));
    assert_eq!(job.payload, json!({ "unreadable": format!("{{\"n\": {huge}}}") }));
    assert_eq!(job.errors, json!([format!("[{huge}]")]));
    crate::until(&mut conn, "SELECT count(*) = 0 AS met FROM pg_constraint WHERE NOT convalidated").await;
    let new = NewDocument::new("x");
    documents::table.in_workspace(&a).insert(&new).execute(&mut fixture.db.workspace(&a).await.unwrap()).await.unwrap();
}

/// PostgreSQL cuts a name after 63 bytes, and these two columns differ only behind that.
#[tokio::test]
async fn columns_of_long_names_refuse_too() {
    let database = TestDatabase::new().await.unwrap();
    let mut owner = connect(&database.url().unwrap()).await.unwrap();
    let (table, column) = ("t".repeat(30), "\u{e4}".repeat(29));
    let make = format!(
        "CREATE TABLE {table} (\"{column}_a\" jsonb, \"{column}_b\" jsonb);
         SELECT workspace_db_refuse_unreadable('{table}'); SELECT workspace_db_refuse_unreadable('{table}')"
    );
    owner.batch_execute(&make).await.unwrap();
    for column in ["a", "b"].map(|end| format!("{column}_{end}")) {
        let error =
            owner.batch_execute(&format!("INSERT INTO {table} (\"{column}\") VALUES ('1e400')")).await.unwrap_err();
        assert!(error.to_string().contains("_readable"), "{error}");
    }
    crate::until(&mut owner, "SELECT count(*) = 0 AS met FROM pg_constraint WHERE NOT convalidated").await;
}
