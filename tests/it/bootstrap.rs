//! The first administrator and the first workspace: there once, and not where they are not wanted.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use secrecy::SecretString;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::migrations::{Migrator, RevertCount};
use workspace_db::models::{AdminUser, Datasource, Workspace, WorkspaceAdmin, WorkspaceSettings};
use workspace_db::schema::{admin_users, datasources, workspace_admins, workspaces};
use workspace_db::sql_types::{AdminRole, AdminStatus, DatasourceSyncStatus, DatasourceType};
use workspace_db_testing::TestDatabase;

/// Reverts the bootstrap, and the migrations after it.
async fn revert_bootstrap(url: &DatabaseUrl) {
    let all = Migrator::new(url, Environment::Development).status().await.unwrap();
    let kept = all.iter().position(|one| one.name.ends_with("_insert_bootstrap_data")).unwrap();
    let beyond = u32::try_from(all.len() - kept).unwrap();
    let reverted = Migrator::new(url, Environment::Development).revert(RevertCount::Last(beyond)).await.unwrap();
    assert!(reverted.last().unwrap().ends_with("_insert_bootstrap_data"), "{reverted:?}");
}

#[tokio::test]
async fn a_new_database_has_the_contracts_bootstrap_rows() {
    let database = TestDatabase::unmigrated().await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    let mut conn = database.connect().await.unwrap();

    let admin = AdminUser::query().filter(admin_users::email.eq("admin@example.com")).first(&mut conn).await.unwrap();
    assert_eq!((admin.role, admin.status), (AdminRole::Superadmin, AdminStatus::Active));
    assert!(admin.must_change_password);
    assert!(admin.password_hash.verifies(&SecretString::from("ChangeMe123!")));
    assert!(!admin.password_hash.verifies(&SecretString::from("changeme123!")));

    let acme = Workspace::find_by_slug(&mut conn, "acme").await.unwrap();
    assert_eq!(acme.name, "Acme Demo Workspace");
    let settings = WorkspaceSettings::query().first(&mut conn).await.unwrap();
    assert_eq!(settings.workspace_id, acme.id);
    let source = Datasource::query().filter(datasources::workspace_id.eq(acme.id)).first(&mut conn).await.unwrap();
    assert_eq!(source.name, "Getting Started");
    assert_eq!((source.type_, source.sync_status), (DatasourceType::Manual, DatasourceSyncStatus::Completed));
    let member =
        WorkspaceAdmin::query().filter(workspace_admins::workspace_id.eq(acme.id)).first(&mut conn).await.unwrap();
    assert_eq!(member.admin_user_id, admin.id);
}

async fn rows(conn: &mut AsyncPgConnection) -> (i64, i64) {
    let admins = admin_users::table.select(count_star()).first(conn).await.unwrap();
    let spaces = workspaces::table.select(count_star()).first(conn).await.unwrap();
    (admins, spaces)
}

#[tokio::test]
async fn nothing_is_inserted_where_the_session_switches_it_off() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = format!("{}?options=-c%20workspace_db.bootstrap%3Doff", database.url().unwrap().expose());
    Migrator::new(&url.parse().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(rows(&mut database.connect().await.unwrap()).await, (0, 0));
}

#[tokio::test]
async fn nothing_is_inserted_where_the_database_switches_it_off() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let statement =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET workspace_db.bootstrap = off', current_database()); END $$";
    superuser.batch_execute(statement).await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(rows(&mut database.connect().await.unwrap()).await, (0, 0));
}

#[tokio::test]
async fn nothing_is_inserted_where_administrators_exist() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    Migrator::new(&url, Environment::Production).run(|_| ()).await.unwrap();
    revert_bootstrap(&url).await;
    let mut conn = database.connect().await.unwrap();
    // Not by the model, which may be of a later schema.
    let me = "INSERT INTO admin_users (email, password_hash) VALUES ('me@example.com', '$argon2id$')";
    conn.batch_execute(me).await.unwrap();
    Migrator::new(&url, Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(rows(&mut database.connect().await.unwrap()).await, (1, 0));
}

#[tokio::test]
async fn production_has_no_bootstrap_administrator() {
    let database = TestDatabase::unmigrated().await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Production).run(|_| ()).await.unwrap();
    assert_eq!(rows(&mut database.connect().await.unwrap()).await, (0, 0));
}

#[tokio::test]
async fn a_workspace_that_has_the_slug_already_stays_as_it_is() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    Migrator::new(&url, Environment::Production).run(|_| ()).await.unwrap();
    revert_bootstrap(&url).await;
    let mut conn = database.connect().await.unwrap();
    conn.batch_execute("INSERT INTO workspaces (slug, name) VALUES ('acme', 'The real Acme')").await.unwrap();
    Migrator::new(&url, Environment::Development).run(|_| ()).await.unwrap();
    assert_eq!(Workspace::find_by_slug(&mut conn, "acme").await.unwrap().name, "The real Acme");
    let sources: i64 = datasources::table.select(count_star()).first(&mut conn).await.unwrap();
    assert_eq!(sources, 0);
    // And taking the bootstrap back does not take that workspace away.
    revert_bootstrap(&url).await;
    assert_eq!(Workspace::find_by_slug(&mut conn, "acme").await.unwrap().name, "The real Acme");
}
