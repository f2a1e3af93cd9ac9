//! Every check of the doctor: a database on which it passes, and one on which it does not.

mod fix;
mod maintenance;
mod serve;

use std::collections::BTreeSet;

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::config::{Config, Environment};
use workspace_db::db::connect;
use workspace_db::db::migrations::Migrator;
use workspace_db::doctor::{CHECKS, CheckStatus, Doctor, Finding, Thresholds};
use workspace_db_testing::{TestDatabase, seed};

use crate::skipped;
use crate::tenancy::pgbouncer::PgBouncer;

/// As in production, with the owner's login beside the others.
fn config(database: &TestDatabase) -> Config {
    Config { database_url: Some(database.url().unwrap()), ..database.config().unwrap() }
}

fn doctor(database: &TestDatabase) -> Doctor {
    Doctor::new(&config(database)).unwrap()
}

async fn seeded() -> TestDatabase {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    for slug in ["a", "b"] {
        seed(&mut conn, slug).await.unwrap();
    }
    database
}

async fn as_superuser(database: &TestDatabase, sql: &str) {
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute(sql).await.expect(sql);
}

fn finding<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    findings.iter().find(|one| one.check == check).expect(check)
}

/// Asserts that a check came out so, and says so.
fn assert_found(findings: &[Finding], check: &str, status: CheckStatus, word: &str) {
    let finding = finding(findings, check);
    assert_eq!(finding.status, status, "{finding:#?}");
    assert!(finding.problems.iter().any(|one| one.contains(word)), "nothing says {word:?} in {finding:#?}");
    assert_eq!(finding.remedy.is_some(), status > CheckStatus::Skipped, "{finding:#?}");
}

#[tokio::test]
async fn every_check_passes_on_a_sound_database() {
    let database = seeded().await;
    let findings = doctor(&database).run_checks().await.unwrap();
    let not: Vec<_> = findings.iter().filter(|one| one.status != CheckStatus::Pass).collect();
    assert!(not.is_empty(), "{not:#?}");
    assert_eq!(findings.len(), CHECKS.len());
}

/// One way to break each check that a statement can break; the others have tests of their own, by the names below.
const BROKEN: &[(&str, CheckStatus, &str, &str)] = &[
    ("extensions", CheckStatus::Fail, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'", "0.7.4"),
    (
        "texts",
        CheckStatus::Warn,
        "UPDATE pg_database SET datctype = 'C', datcollate = 'C', datcollversion = NULL WHERE datname = current_database()",
        "no capital letters beyond ASCII",
    ),
    (
        "texts",
        CheckStatus::Fail,
        "UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1') WHERE datname = current_database()",
        "the encoding of the database is LATIN1",
    ),
    (
        "registry",
        CheckStatus::Fail,
        "CREATE TABLE tags (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id))",
        "tags: has a workspace_id",
    ),
    (
        "policies",
        CheckStatus::Fail,
        "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
        "documents: does not have row-level security",
    ),
    ("grants", CheckStatus::Fail, "GRANT SELECT ON documents TO PUBLIC", "table documents (SELECT to everyone)"),
    (
        "default_privileges",
        CheckStatus::Fail,
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO workspace_app",
        "has default privileges",
    ),
    (
        "keys",
        CheckStatus::Fail,
        "CREATE UNIQUE INDEX hash_key ON documents (content_hash)",
        "hash_key: is a key without",
    ),
    (
        "views",
        CheckStatus::Fail,
        "CREATE VIEW recent AS SELECT * FROM documents",
        "recent: is a view that runs with its owner's privileges",
    ),
    (
        "functions",
        CheckStatus::Fail,
        "CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT title FROM documents'",
        "titles(): is a SECURITY DEFINER function",
    ),
    (
        "migrations",
        CheckStatus::Fail,
        "DELETE FROM __diesel_schema_migrations WHERE version = '20261124002000'",
        "2026-11-24-002000_create_job_functions is pending",
    ),
    (
        "migrations",
        CheckStatus::Fail,
        "UPDATE __diesel_schema_migrations SET checksum = 'x' WHERE version = '20261124002000'",
        "is edited",
    ),
    ("migrations", CheckStatus::Warn, "UPDATE __diesel_schema_migrations SET checksum = NULL", "is unrecorded"),
    (
        "migrations",
        CheckStatus::Warn,
        "INSERT INTO __diesel_schema_migrations VALUES ('29990101000000')",
        "29990101000000 is unknown",
    ),
    (
        "drift",
        CheckStatus::Warn,
        "CREATE INDEX by_hand ON documents (title)",
        "index documents.by_hand is not from a migration",
    ),
    ("comments", CheckStatus::Warn, "CREATE TABLE notes (id uuid PRIMARY KEY)", "notes.id"),
    (
        "invalid_indexes",
        CheckStatus::Fail,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'documents_content_hash_idx'::regclass",
        "documents_content_hash_idx on documents is not valid",
    ),
    (
        "unreadable_values",
        CheckStatus::Warn,
        "ALTER TABLE messages DROP CONSTRAINT messages_metadata_readable",
        "messages.metadata has no CHECK",
    ),
    (
        "unreadable_values",
        CheckStatus::Fail,
        "ALTER TABLE workspaces DROP CONSTRAINT workspaces_updated_at_readable; UPDATE workspaces SET updated_at = 'infinity'",
        "workspaces.updated_at has values",
    ),
    (
        "missing_indexes",
        CheckStatus::Warn,
        "DROP INDEX analytics_events_message_id_idx",
        "analytics_events_message_id_fkey on analytics_events (workspace_id, message_id)",
    ),
    (
        "vector_columns",
        CheckStatus::Warn,
        "CREATE TABLE images (workspace_id uuid, id uuid, look vector(3), PRIMARY KEY (workspace_id, id))",
        "images.look has no generated column",
    ),
    (
        "vector_indexes",
        CheckStatus::Warn,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$",
        "set ",
    ),
    (
        "stuck_jobs",
        CheckStatus::Warn,
        "UPDATE jobs SET scheduled_at = now() - interval '1 hour'",
        "2 jobs of the queue default are due",
    ),
    (
        "dead_rows",
        CheckStatus::Warn,
        "ALTER TABLE documents SET (autovacuum_enabled = false)",
        "documents has autovacuum disabled",
    ),
];

#[tokio::test]
async fn what_a_statement_can_break_is_found() {
    let whole = seeded().await;
    for (check, status, sql, word) in BROKEN {
        let database = whole.copy().await.unwrap();
        as_superuser(&database, sql).await;
        assert_found(&doctor(&database).run_checks().await.unwrap(), check, *status, word);
    }
}

/// A check that nothing makes fail tells nobody anything.
#[test]
fn every_check_has_a_test_in_which_it_does_not_pass() {
    let elsewhere = [
        // Unit tests of `doctor::server`: there is no old server here.
        "version",
        "vulnerabilities",
        // Below, and in `wear`.
        "logins",
        "credentials",
        "pooler",
        "roles",
        "unused_indexes",
        "recall",
        "wraparound",
        "long_transactions",
        "idle_transactions",
    ];
    let tested: BTreeSet<&str> = BROKEN.iter().map(|(check, ..)| *check).chain(elsewhere).collect();
    assert_eq!(tested, CHECKS.iter().map(|check| check.name).collect());
}

/// What can't be asked is no pass.
#[tokio::test]
async fn what_can_not_be_asked_is_skipped_with_the_reason() {
    let database = seeded().await;
    as_superuser(&database, "DROP TABLE jobs, job_queues CASCADE").await;
    let findings = doctor(&database).run_checks().await.unwrap();
    assert_found(&findings, "stuck_jobs", CheckStatus::Skipped, "\"jobs\" does not exist");
    assert_found(&findings, "registry", CheckStatus::Fail, "jobs: is registered, but there is no table of this name");
    let unmigrated = TestDatabase::unmigrated().await.unwrap();
    let findings = doctor(&unmigrated).run_checks().await.unwrap();
    assert_found(&findings, "migrations", CheckStatus::Fail, "create_documents is pending");
    assert_found(&findings, "drift", CheckStatus::Skipped, "migrate first");
    assert_found(&findings, "credentials", CheckStatus::Skipped, "can't be opened");
}

#[rstest]
#[case::the_owner(|database: &TestDatabase| Config { database_app_url: None, ..config(database) }, CheckStatus::Fail, "DATABASE_APP_URL is not set")]
#[case::the_owner_on_a_laptop(|database: &TestDatabase| Config { database_app_url: None, environment: Environment::Development, ..config(database) }, CheckStatus::Warn, "DATABASE_APP_URL is not set")]
#[case::a_superuser(|database: &TestDatabase| Config { database_app_url: Some(database.superuser_url().unwrap()), ..config(database) }, CheckStatus::Fail, "is a superuser")]
#[case::the_platform(|database: &TestDatabase| Config { database_app_url: Some(database.platform_url().unwrap()), ..config(database) }, CheckStatus::Fail, "can become workspace_platform, which sees every workspace")]
#[case::the_application_as_the_platform(|database: &TestDatabase| Config { database_platform_url: Some(database.app_url().unwrap()), ..config(database) }, CheckStatus::Fail, "is not a member of workspace_platform")]
#[tokio::test]
async fn a_login_that_may_more_or_less_than_it_should_is_found(
    #[case] wrong: fn(&TestDatabase) -> Config,
    #[case] status: CheckStatus,
    #[case] word: &str,
) {
    let database = seeded().await;
    let findings = Doctor::new(&wrong(&database)).unwrap().run_checks().await.unwrap();
    assert_found(&findings, "logins", status, word);
}

#[tokio::test]
async fn the_bootstraps_password_is_found() {
    let database = TestDatabase::unmigrated().await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    let findings = doctor(&database).run_checks().await.unwrap();
    assert_found(&findings, "credentials", CheckStatus::Fail, "admin@example.com");
}

#[tokio::test]
async fn powers_of_the_group_roles_are_found() {
    let database = TestDatabase::alone().await.unwrap();
    as_superuser(&database, "ALTER ROLE workspace_app BYPASSRLS").await;
    assert_found(
        &doctor(&database).run_checks().await.unwrap(),
        "roles",
        CheckStatus::Fail,
        "workspace_app: has attributes",
    );
}

#[tokio::test]
async fn what_a_pooler_refuses_is_found() {
    let database = seeded().await;
    let url = format!("{}?options=-c%20work_mem%3D1MB", database.app_url().unwrap().expose()).parse().unwrap();
    let with_options = Config { database_app_url: Some(url), ..config(&database) };
    let findings = Doctor::new(&with_options).unwrap().run_checks().await.unwrap();
    assert_found(&findings, "pooler", CheckStatus::Warn, "DATABASE_APP_URL sets options=");
    match PgBouncer::before(&database) {
        Err(why) => skipped(&format!("the doctor before PgBouncer: {why}")),
        Ok(bouncer) => {
            // The platform's login stands for an owner's who has put a pooler before the server.
            let url = bouncer.config(&database).database_platform_url;
            let pooled = Config { database_url: url, ..config(&database) };
            let findings = Doctor::new(&pooled).unwrap().run_checks().await.unwrap();
            assert_found(&findings, "pooler", CheckStatus::Fail, "DATABASE_URL points to a pooler");
        }
    }
}

/// The same recall, and a gate that nothing reaches.
#[tokio::test]
async fn recall_below_its_gate_is_found() {
    let database = seeded().await;
    let chunks = "INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector, embedding_model)
        SELECT d.workspace_id, d.id, n, 'x', (SELECT array_agg(random())::vector FROM generate_series(1, 1536) WHERE n > 0), 'seeded'
        FROM documents AS d, generate_series(1, 30) AS n";
    database.connect().await.unwrap().batch_execute(chunks).await.unwrap();
    let strict = Thresholds { recall: 1.01, ..Thresholds::default() };
    let findings = doctor(&database).with_thresholds(strict).run_checks().await.unwrap();
    assert_found(&findings, "recall", CheckStatus::Warn, "found 1 of the nearest passages of a");
    assert_eq!(finding(&doctor(&database).run_checks().await.unwrap(), "recall").status, CheckStatus::Pass);
    let none = Thresholds { questions: 0, ..Thresholds::default() };
    let findings = doctor(&database).with_thresholds(none).run_checks().await.unwrap();
    assert_found(&findings, "recall", CheckStatus::Skipped, "not requested");
}

/// Tables and migrations of one's own are none of the doctor's business once it knows of them.
#[tokio::test]
async fn what_is_registered_passes() {
    let database = seeded().await;
    as_superuser(&database, include_str!("../../../examples/add_a_table/up.sql")).await;
    assert_found(&doctor(&database).run_checks().await.unwrap(), "registry", CheckStatus::Fail, "document_tags");
    let findings = doctor(&database).with_tables(["document_tags"]).run_checks().await.unwrap();
    assert!(findings.iter().all(|one| one.status == CheckStatus::Pass), "{findings:#?}");
}
