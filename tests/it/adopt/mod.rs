//! The old platform's database, taken over.

mod in_place;
mod kill;
mod rows;
mod second_form;
mod source;
mod switch;

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::db;
use workspace_db::schema::{webhook_subscriptions, workspace_settings};
use workspace_db::sql_types::{SealedSecret, SecretKey};
use workspace_db_adopt::{Adoption, AdoptionOutcome, AdoptionReport};
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;

pub(super) const SECRET_KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
const PASSWORD: &str = "an old password";

fn key() -> SecretKey {
    SecretKey::from_base64(SECRET_KEY).unwrap()
}

/// The old platform, and an empty database of the new one.
struct Fixture {
    old: TestDatabase,
    new: TestDatabase,
    folder: Folder,
}

impl Fixture {
    async fn empty() -> Self {
        let old = TestDatabase::unmigrated().await.unwrap();
        let mut conn = db::connect(&old.url().unwrap()).await.unwrap();
        conn.batch_execute(include_str!("platform.sql")).await.unwrap();
        Self { old, new: TestDatabase::new().await.unwrap(), folder: Folder::new() }
    }

    async fn with_every_fault() -> Self {
        let fixture = Self::empty().await;
        insert_faults(&mut fixture.there().await).await;
        fixture
    }

    fn adoption(&self) -> Adoption {
        Adoption::new(&self.old.url().unwrap(), &self.new.url().unwrap(), Some(key()))
    }

    async fn run(&self) -> workspace_db::Result<AdoptionReport> {
        self.adoption().run(&|_| ()).await
    }

    async fn there(&self) -> AsyncPgConnection {
        db::connect(&self.old.url().unwrap()).await.unwrap()
    }

    async fn here(&self) -> AsyncPgConnection {
        self.new.connect().await.unwrap()
    }
}

async fn insert_faults(there: &mut AsyncPgConnection) {
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let faults = include_str!("faults.sql").replace(":'hash'", &format!("'{hash}'"));
    there.batch_execute(&faults).await.unwrap();
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

/// The rows of a query, each as JSON.
async fn rows(conn: &mut AsyncPgConnection, query: &str) -> Vec<Value> {
    conn.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    let query = diesel::sql_query(format!("SELECT to_jsonb(q)::text AS row FROM ({query}) AS q"));
    let rows: Vec<Row> = diesel_async::RunQueryDsl::load(query, conn).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.row).unwrap()).collect()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn count(conn: &mut AsyncPgConnection, table: &str) -> i64 {
    let query = diesel::sql_query(format!("SELECT count(*) AS count FROM {table}"));
    diesel_async::RunQueryDsl::get_result::<Count>(query, conn).await.unwrap().count
}

#[tokio::test]
async fn the_plan_counts_every_fault_and_writes_nothing() {
    let fixture = Fixture::with_every_fault().await;
    let plan = fixture.adoption().plan().await.unwrap();
    assert_eq!(plan.differences.missing, Vec::<String>::new());
    assert_eq!(plan.rows["document_chunks"], 6);
    let found: BTreeMap<(&str, &str), (u64, AdoptionOutcome)> = plan
        .findings
        .iter()
        .map(|one| ((one.table, one.what.split([',', ':']).next().unwrap()), (one.rows, one.becomes)))
        .collect();
    let expected = [
        (("workspace_settings", "default_language"), (1, AdoptionOutcome::Kept)),
        (("workspace_settings", "a webhook secret in plain text"), (1, AdoptionOutcome::Changed)),
        (("workspace_settings", "webhook_events that are not a plain list of texts"), (1, AdoptionOutcome::Changed)),
        (("webhook_subscriptions", "events that are not a plain list of texts"), (1, AdoptionOutcome::Changed)),
        (("workspace_admins", "not joined yet"), (1, AdoptionOutcome::Kept)),
        (("admin_users", "a password that is not a bcrypt or argon2id hash"), (1, AdoptionOutcome::SetAside)),
        (("documents", "a datasource of another workspace"), (1, AdoptionOutcome::Changed)),
        (("documents", "the same external id as another document of the datasource"), (1, AdoptionOutcome::SetAside)),
        (("documents", "an unknown status"), (1, AdoptionOutcome::SetAside)),
        (("document_chunks", "a document of another workspace"), (1, AdoptionOutcome::SetAside)),
        (("document_chunks", "a vector that does not have 1536 dimensions"), (2, AdoptionOutcome::SetAside)),
        (("messages", "a conversation of another workspace"), (1, AdoptionOutcome::SetAside)),
        (("feedback", "a message of another workspace"), (2, AdoptionOutcome::SetAside)),
        (("analytics_events", "a conversation or a message of another workspace"), (2, AdoptionOutcome::Changed)),
        (("webhook_subscriptions", "a secret in plain text"), (1, AdoptionOutcome::Changed)),
        (("jobs", "no workspace"), (1, AdoptionOutcome::SetAside)),
        (("jobs", "running"), (1, AdoptionOutcome::Changed)),
        (("jobs", "ended without a time or a reason"), (3, AdoptionOutcome::Changed)),
        (("jobs", "a kind that is empty or has more than 100 characters"), (1, AdoptionOutcome::SetAside)),
    ];
    assert_eq!(found, expected.into_iter().collect());
    assert_eq!(count(&mut fixture.here().await, "workspaces").await, 0);
}

#[tokio::test]
async fn every_fact_is_here_or_set_aside_with_the_reason() {
    let fixture = Fixture::with_every_fault().await;
    let report = fixture.run().await.unwrap();
    let compared = report.compared.unwrap();
    let told: BTreeMap<&str, (u64, u64, u64)> =
        compared.iter().map(|one| (one.table, (one.same, one.changed, one.set_aside))).collect();
    let expected = [
        ("admin_users", (2, 0, 1)),
        ("workspaces", (2, 0, 0)),
        ("workspace_settings", (1, 1, 0)),
        ("workspace_admins", (2, 0, 1)),
        ("datasources", (2, 0, 0)),
        ("documents", (3, 1, 2)),
        ("document_chunks", (2, 0, 4)),
        ("conversations", (2, 0, 0)),
        ("messages", (2, 0, 1)),
        ("feedback", (1, 0, 2)),
        ("analytics_events", (1, 2, 0)),
        ("webhook_subscriptions", (1, 1, 0)),
        ("jobs", (2, 3, 2)),
    ];
    assert_eq!(told, expected.into_iter().collect());
    // To the value, where nothing was to be changed.
    let (mut there, mut here) = (fixture.there().await, fixture.here().await);
    for query in [
        "SELECT id, email, password_hash, first_name, last_name, role::text, status::text, last_login_at, created_at, updated_at
         FROM admin_users WHERE email <> 'plain@example.com' ORDER BY id",
        "SELECT id, slug, name, description, default_language::text, is_active, is_published, confidence_threshold::float8,
         created_at, updated_at FROM workspaces ORDER BY id",
        "SELECT id, document_id, chunk_index, content, token_count, embedding_model, vector::text, created_at
         FROM document_chunks WHERE right(id::text, 1) IN ('1', '5') ORDER BY id",
        "SELECT * FROM (SELECT id, external_user_id, status::text, closed_at, metadata FROM conversations) AS c ORDER BY id",
    ] {
        assert_eq!(rows(&mut here, query).await, rows(&mut there, query).await, "{query}");
    }
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let aside = fixture.folder.path().join("aside.jsonl");
    let set_aside = fixture.adoption().finish(&aside).await.unwrap();
    let lines = std::fs::read_to_string(&aside).unwrap();
    let reasons: Vec<(String, bool, String)> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("table"), line["is_kept"].as_bool().unwrap(), text("reason"))
        })
        .collect();
    assert_eq!(reasons.len() as u64, set_aside.set_aside);
    let says = |table: &str, is_kept: bool, reason: &str| {
        assert!(
            reasons.iter().any(|(t, k, r)| t == table && *k == is_kept && r.contains(reason)),
            "{table}: {reason}: {reasons:#?}"
        );
    };
    says("jobs", false, "it has no workspace");
    says("documents", false, "another row has its unique key");
    says("documents", true, "its datasource belongs to another workspace");
    says("document_chunks", false, "its document belongs to another workspace");
    says("document_chunks", false, "its vector does not have 1536 dimensions");
    says("document_chunks", false, "its vector is too short or too long");
    says("workspace_settings", true, "its default_language differs");
    says("workspace_settings", true, "its confidence_threshold differs");
    assert!(lines.contains("of a tenant"), "the old row is there as a whole");
    assert_eq!(count(&mut there, "jobs").await, 7, "the old tables stay as they are");
}

#[tokio::test]
async fn an_administrator_logs_in_with_the_old_password_and_secrets_are_sealed() {
    let fixture = Fixture::with_every_fault().await;
    fixture.run().await.unwrap();
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let db = fixture.new.open(2).await.unwrap();
    let password = SecretString::from(PASSWORD);
    let (session, _) = auth::log_in(&db, "jane@example.com", &password, &ClientInfo::default()).await.unwrap();
    let one = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let scope = session.workspace(one, &db).await.unwrap();
    assert_eq!(scope.workspace(), one);
    let mut conn = fixture.here().await;
    let secrets: Vec<Option<SealedSecret>> = diesel_async::RunQueryDsl::load(
        webhook_subscriptions::table.select(webhook_subscriptions::secret).order(webhook_subscriptions::id),
        &mut conn,
    )
    .await
    .unwrap();
    assert_eq!(secrets[0].as_ref().unwrap().open(&key(), one).unwrap().expose_secret(), "whsec_1");
    assert!(secrets[1].is_none());
    let of_settings: Option<SealedSecret> = diesel_async::RunQueryDsl::get_result(
        workspace_settings::table.find(one).select(workspace_settings::webhook_secret),
        &mut conn,
    )
    .await
    .unwrap();
    assert_eq!(of_settings.unwrap().open(&key(), one).unwrap().expose_secret(), "whsec_settings");
}

#[tokio::test]
async fn what_programs_cant_read_is_here_as_a_text_and_kept_aside_as_it_was() {
    let fixture = Fixture::with_every_fault().await;
    let deep = "[".repeat(150) + &"]".repeat(150);
    let poison = format!(
        "UPDATE conversations SET metadata = '{deep}', closed_at = 'infinity', created_at = '-infinity';
         UPDATE documents SET metadata = '{{\"n\": 1e400}}';
         UPDATE webhook_subscriptions SET events = '{{{{a,b}},{{c,NULL}}}}'"
    );
    fixture.there().await.batch_execute(&poison).await.unwrap();
    let report = fixture.run().await.unwrap();
    let compared = report.compared.unwrap();
    let of = |table: &str| compared.iter().find(|one| one.table == table).map(|one| (one.same, one.changed));
    assert_eq!(of("conversations"), Some((0, 2)));
    let mut here = fixture.here().await;
    let here =
        rows(&mut here, "SELECT metadata, closed_at::text, created_at::text FROM conversations ORDER BY id").await;
    assert_eq!(here[0]["metadata"]["unreadable"], deep);
    let times = (here[0]["closed_at"].as_str().unwrap(), here[0]["created_at"].as_str().unwrap());
    assert_eq!(times, ("9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00"));
    fixture.adoption().switch(false, &|_| ()).await.unwrap();
    let aside = fixture.folder.path().join("aside.jsonl");
    fixture.adoption().finish(&aside).await.unwrap();
    let aside = std::fs::read_to_string(aside).unwrap();
    for words in [deep.as_str(), "\"infinity\"", "its metadata", "its closed_at", "its created_at"] {
        assert!(aside.contains(words), "nothing of {words} in {aside}");
    }
}
