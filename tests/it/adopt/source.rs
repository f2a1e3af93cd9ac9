//! Sources that are none, and targets that are full.

use diesel_async::SimpleAsyncConnection as _;
use secrecy::SecretString;
use workspace_db::db::{self, roles};
use workspace_db_adopt::Adoption;
use workspace_db_testing::{TestDatabase, seed};

use super::{Fixture, key};

#[tokio::test]
async fn another_database_is_refused_with_what_it_lacks() {
    let (other, new) = (TestDatabase::unmigrated().await.unwrap(), TestDatabase::new().await.unwrap());
    let adoption = Adoption::new(&other.url().unwrap(), &new.url().unwrap(), Some(key()));
    let plan = adoption.plan().await.unwrap();
    assert_eq!(plan.differences.missing.len(), 13);
    let error = adoption.run(&|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("missing: table admin_users"), "{error}");
    // One of ours is none either.
    let ours = Adoption::new(&new.url().unwrap(), &new.url().unwrap(), Some(key()));
    let missing = ours.plan().await.unwrap().differences.missing;
    assert!(missing.contains(&"column workspace_settings.default_language".to_owned()), "{missing:?}");
}

#[tokio::test]
async fn half_of_the_platform_is_told_object_by_object() {
    let fixture = Fixture::empty().await;
    fixture
        .there()
        .await
        .batch_execute(
            "DROP TABLE jobs; ALTER TABLE documents DROP COLUMN summary; ALTER TABLE messages DROP confidence, ADD confidence text;
             ALTER TABLE feedback ADD COLUMN mood text",
        )
        .await
        .unwrap();
    let differences = fixture.adoption().plan().await.unwrap().differences;
    assert_eq!(
        differences.missing,
        [
            "column documents.summary",
            "column messages.confidence is text instead of float8, float4, numeric, int2, int4, int8",
            "table jobs"
        ]
    );
    assert_eq!(differences.unknown, ["column feedback.mood"]);
}

#[tokio::test]
async fn what_nothing_takes_over_is_refused() {
    let fixture = Fixture::empty().await;
    fixture.there().await.batch_execute("ALTER TABLE feedback ADD COLUMN mood text").await.unwrap();
    let error = fixture.run().await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("feedback.mood"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_in_use_is_refused() {
    let fixture = Fixture::empty().await;
    seed(&mut fixture.here().await, "a").await.unwrap();
    let error = fixture.run().await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("already has workspaces or administrators"), "{error}");
}

#[tokio::test]
async fn secrets_need_their_key() {
    let fixture = Fixture::with_every_fault().await;
    let adoption = Adoption::new(&fixture.old.url().unwrap(), &fixture.new.url().unwrap(), None);
    let error = adoption.run(&|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("WORKSPACE_DB_SECRET_KEY"), "{error}");
}

/// A login that may read and nothing else: somebody must say that the writers are stopped.
#[tokio::test]
async fn a_login_that_only_reads_will_do() {
    let fixture = Fixture::with_every_fault().await;
    let mut superuser = db::connect(&fixture.old.superuser_url().unwrap()).await.unwrap();
    let name = format!("reads_{}", uuid::Uuid::now_v7().simple());
    superuser
        .batch_execute(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'reads'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
        ))
        .await
        .unwrap();
    let url = fixture.old.url().unwrap().with_login(&name, &SecretString::from("reads"));
    let adoption = Adoption::new(&url, &fixture.new.url().unwrap(), Some(key()));
    adoption.run(&|_| ()).await.unwrap();
    let error = adoption.switch(false, &|_| ()).await.unwrap_err();
    assert!(error.is_missing_prerequisite() && error.to_string().contains("--writers-are-stopped"), "{error}");
    adoption.switch(true, &|_| ()).await.unwrap();
    superuser.batch_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
    let _ = roles::APP_ROLE;
}
