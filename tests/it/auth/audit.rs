//! The log itself: what it tells, and that nobody rewrites it.

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use serde_json::json;
use workspace_db::auth::{self, AuditFilter, ClientInfo, SettingsInput};
use workspace_db::db;
use workspace_db::id::WorkspaceId;
use workspace_db::models::AuditEntry;
use workspace_db::schema::audit_log;
use workspace_db::sql_types::{AdminRole, AuditActor};
use workspace_db::tenancy::{InWorkspace, Keyset, PlatformScope, WorkspaceScope};

use super::{Fixture, PASSWORD, from, password};

#[tokio::test]
async fn an_entry_tells_who_what_which_from_where_before_and_after() {
    let mut fixture = Fixture::new().await;
    let (session, _) = auth::log_in(&fixture.db, "root@example.com", &password(), &from("203.0.113.7")).await.unwrap();
    let scope = session.administer(fixture.a.workspace, &fixture.db).await.unwrap();
    auth::publish(&fixture.db, &scope).await.unwrap();
    let entry: AuditEntry =
        AuditEntry::query().filter(audit_log::action.eq("workspace.publish")).first(&mut fixture.conn).await.unwrap();
    assert_eq!((entry.actor, entry.admin_user_id), (AuditActor::Administrator, Some(fixture.root)));
    assert_eq!((entry.address.as_deref(), entry.reason), (Some("203.0.113.7"), None));
    assert_eq!((entry.object_table.as_str(), entry.object_id), ("workspaces", Some(*fixture.a.workspace.as_uuid())));
    let (before, after) = (entry.before.unwrap(), entry.after.unwrap());
    assert_eq!((&before["is_published"], &after["is_published"]), (&json!(false), &json!(true)));
    assert!(before.get("slug").is_none(), "what did not change is left out: {before}");

    // What a workspace's members read of it is their own.
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let own: Vec<AuditEntry> = audit_log::table.in_workspace(&scope).load(&mut ws).await.unwrap();
    assert!(own.len() == 2 && own.iter().all(|entry| entry.workspace_id == fixture.a.workspace), "{own:?}");
    let platform = session.platform(&fixture.db).await.unwrap();
    let of_platform = AuditFilter { workspace: Some(WorkspaceId::PLATFORM), ..Default::default() };
    let actions = auth::audit_log(&fixture.db, &platform, &of_platform, 10).await.unwrap();
    assert_eq!(actions.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["session.begin"]);
    let by_root =
        AuditFilter { admin: Some(fixture.root), action: Some("workspace.publish".to_owned()), ..Default::default() };
    assert_eq!(auth::audit_log(&fixture.db, &platform, &by_root, 10).await.unwrap().len(), 1);
    let page = AuditFilter { before: Some(actions[0].page_key()), ..Default::default() };
    assert!(
        auth::audit_log(&fixture.db, &platform, &page, 10)
            .await
            .unwrap()
            .iter()
            .all(|entry| entry.actor == AuditActor::Operator)
    );
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let owner = fixture.administer().await;
    let (jane, secret) =
        auth::create_admin(&fixture.db, &platform, &super::new_admin("jane@example.com", AdminRole::Admin))
            .await
            .unwrap();
    let (_, token) = auth::create_admin_token(&fixture.db, &platform, jane.id, &"x".parse().unwrap(), 1).await.unwrap();
    let access = workspace_db::sql_types::ServiceAccess::Write;
    let (_, service) = auth::create_service_token(&fixture.db, &owner, &"x".parse().unwrap(), access, 1).await.unwrap();
    let invited =
        auth::invite(&fixture.db, &owner, &"joe@example.com".parse().unwrap(), AdminRole::Admin).await.unwrap();
    auth::set_password(&fixture.db, &secret, &password(), &ClientInfo::default()).await.unwrap();
    let key = workspace_db::sql_types::SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    let sealed = workspace_db::sql_types::SealedSecret::seal(&key, fixture.a.workspace, &"whsec_1".into()).unwrap();
    let input: SettingsInput = serde_json::from_value(json!({ "tone": "dry" })).unwrap();
    let changes = workspace_db::models::WorkspaceSettingsChanges {
        webhook_secret: Some(Some(sealed)),
        ..input.checked().unwrap()
    };
    auth::change_settings(&fixture.db, &owner, &changes).await.unwrap();
    let all = AuditEntry::query().load(&mut fixture.conn).await.unwrap();
    let text = serde_json::to_string(&all).unwrap();
    assert!(text.contains("settings.change") && text.contains("member.invite"));
    assert_eq!(text.matches("secret").count(), text.matches("\"webhook_secret\":\"changed\"").count());
    for hidden in
        [token.expose(), service.expose(), secret.expose(), invited.token.expose(), PASSWORD, "argon2", "hash\":"]
    {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}

#[tokio::test]
async fn an_entry_is_written_with_the_deed_or_neither_is() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute("REVOKE INSERT ON audit_log FROM workspace_platform").await.unwrap();
    assert!(auth::publish(&fixture.db, &owner).await.unwrap_err().is_database_failure());
    assert!(fixture.db.published("a").await.unwrap_err().is_not_found(), "it was done and not recorded");
    let email = "x@example.com".parse().unwrap();
    assert!(auth::invite(&fixture.db, &owner, &email, AdminRole::Admin).await.is_err());
    assert!(auth::log_in(&fixture.db, "root@example.com", &password(), &ClientInfo::default()).await.is_err());
    let members = auth::members(&fixture.db, &owner).await.unwrap();
    assert!(members.iter().all(|member| member.email != "x@example.com"));
    assert_eq!(fixture.audit_actions().await, ["session.begin"]);
}

#[derive(QueryableByName)]
struct DeletedRows {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    rows: i64,
}

#[tokio::test]
async fn nobody_changes_or_removes_an_entry_but_retention_and_that_after_a_day() {
    let fixture = Fixture::new().await;
    let database = &fixture.database;
    let logins = [database.app_url().unwrap(), database.platform_url().unwrap(), database.url().unwrap()];
    for (login, deletes) in logins.iter().zip([false, false, true]) {
        let mut conn = db::connect(login).await.unwrap();
        let workspace = fixture.a.workspace;
        let begin = format!("BEGIN; SET LOCAL app.workspace_id = '{workspace}'");
        for statement in [
            "UPDATE audit_log SET action = 'nothing.happened'",
            "UPDATE audit_log SET occurred_at = now() - interval '2 days'",
            "DELETE FROM audit_log",
            "INSERT INTO audit_log (workspace_id, action, actor, object_table) SELECT workspace_id, 'a.b', 'operator', '' FROM audit_log",
        ] {
            conn.batch_execute(&begin).await.unwrap();
            let done = diesel::sql_query(statement).execute(&mut conn).await;
            conn.batch_execute("ROLLBACK").await.unwrap();
            // The tables' owner has every privilege, and no policy that shows a row to change, or a young one to remove.
            let is_platforms_insert = statement.starts_with("INSERT") && login.to_string().contains("platform");
            match done {
                Ok(rows) => {
                    assert!(rows == 0 && deletes || is_platforms_insert, "{statement} as {login} changed {rows}");
                }
                Err(error) => assert!(!is_platforms_insert, "{error}"),
            }
        }
    }
    // Not even retention takes what is younger than a day, whatever it is told.
    let mut conn = database.connect().await.unwrap();
    let all = format!(
        "SELECT workspace_db_expire_audit_log('{}', now() + interval '1 year', 10) AS rows",
        fixture.a.workspace
    );
    assert_eq!(diesel::sql_query(&all).get_result::<DeletedRows>(&mut conn).await.unwrap().rows, 0);
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute("UPDATE audit_log SET occurred_at = now() - interval '25 hours'").await.unwrap();
    let mut app = db::connect(&database.app_url().unwrap()).await.unwrap();
    assert!(diesel::sql_query(&all).execute(&mut app).await.unwrap_err().to_string().contains("permission denied"));
    assert_eq!(diesel::sql_query(&all).get_result::<DeletedRows>(&mut conn).await.unwrap().rows, 1);
}

#[tokio::test]
async fn a_scope_of_another_database_does_nothing() {
    let fixture = Fixture::new().await;
    let elsewhere = fixture.database.open(1).await.unwrap();
    let owner = fixture.administer().await;
    let platform = fixture.platform().await;
    assert!(auth::publish(&elsewhere, &owner).await.unwrap_err().is_invalid_input());
    assert!(auth::workspaces(&elsewhere, &platform).await.unwrap_err().is_invalid_input());
    // One that was vouched for fits every database, and says so.
    let vouched = WorkspaceScope::unchecked_administer(fixture.a.workspace, "a test");
    auth::publish(&elsewhere, &vouched).await.unwrap();
    let operator = PlatformScope::unchecked("a test looks");
    let published = AuditFilter { action: Some("workspace.publish".to_owned()), ..Default::default() };
    let actions = auth::audit_log(&elsewhere, &operator, &published, 5).await.unwrap();
    assert_eq!(actions[0].reason.as_deref(), Some("a test"));
}
