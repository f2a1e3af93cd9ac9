//! Within the database of the old platform.

use diesel_async::SimpleAsyncConnection as _;
use secrecy::SecretString;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::config::{Config, Environment};
use workspace_db::db::catalog::Catalog;
use workspace_db::tenancy::Database;
use workspace_db_adopt::Adoption;

use super::{PASSWORD, Scene, count, key, rows};

#[tokio::test]
async fn the_new_tables_take_the_place_of_the_old_ones_which_are_kept_until_the_end() {
    let scene = Scene::with_every_fault().await;
    let url = scene.old.url().unwrap();
    let adoption = Adoption::in_place(&url, Some(key()));
    let mut old = scene.there().await;
    let before = rows(&mut old, "SELECT * FROM documents ORDER BY id").await;
    let report = adoption.run(&|_| ()).await.unwrap();
    assert!(report.compared.is_some());
    // The old application goes on.
    assert_eq!(rows(&mut old, "SELECT * FROM documents ORDER BY id").await, before);
    old.batch_execute("UPDATE documents SET title = 'late' WHERE id = w(1)").await.unwrap();
    // Somebody reads: the old tables can't be put aside, and nothing has happened.
    let mut reader = scene.there().await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM jobs").await.unwrap();
    let error = adoption.switch(false, &|_| ()).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("readers did not release"), "{error}");
    reader.batch_execute("COMMIT").await.unwrap();
    adoption.switch(false, &|_| ()).await.unwrap();
    assert_eq!(count(&mut old, "workspace_db_before.documents").await, 6);
    let mut owner = workspace_db::db::connect(&url).await.unwrap();
    owner.batch_execute("SET ROLE workspace_platform").await.unwrap();
    assert_eq!(count(&mut owner, "documents WHERE title = 'late'").await, 1);
    owner.batch_execute("RESET ROLE").await.unwrap();
    // Object by object what the migrations make, at the place where they make it.
    let drift = Catalog::expected().drift(&Catalog::read(&url).await.unwrap());
    assert_eq!(format!("{drift:?}"), "[]");
    let config = Config { database_url: Some(url), environment: Environment::Development, ..Config::default() };
    let db = Database::open(&config).await.unwrap();
    let (session, _) =
        auth::log_in(&db, "jane@example.com", &SecretString::from(PASSWORD), &ClientInfo::default()).await.unwrap();
    assert!(session.platform(&db).await.is_ok());
    let again = adoption.run(&|_| ()).await.unwrap_err();
    assert!(again.is_conflict() && again.to_string().contains("--finish"), "{again}");
    let aside = scene.folder.path().join("aside.jsonl");
    adoption.finish(&aside).await.unwrap();
    let left = "pg_namespace WHERE nspname LIKE 'workspace_db%'";
    assert_eq!(count(&mut owner, left).await, 0);
}
