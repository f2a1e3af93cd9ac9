//! Workspaces and their settings.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use workspace_db::auth::{self, ClientInfo, SettingsInput};
use workspace_db::config::{Config, Retention};
use workspace_db::models::{NewWorkspace, NewWorkspaceSettings, WorkspaceChanges};
use workspace_db::retention::{RetentionReport, expire};
use workspace_db::schema::{admin_tokens, admin_users, analytics_events, audit_log, conversations, jobs, workspaces};
use workspace_db::sql_types::{AdminRole, ConversationStatus, JobStatus};
use workspace_db::tenancy::{Database, PlatformScope};

use super::{Fixture, password};

#[tokio::test]
async fn a_workspace_is_made_with_settings_and_its_first_administrator_or_not_at_all() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let new = NewWorkspace::new("acme".parse().unwrap(), "Acme".parse().unwrap());
    let settings = NewWorkspaceSettings { tone: Some("dry".parse().unwrap()), ..Default::default() };
    let jane = "jane@example.com".parse().unwrap();
    let made = auth::create_workspace(&fixture.db, &platform, &new, &settings, Some(&jane)).await.unwrap();
    let invited = made.first_admin.unwrap();
    let (session, _) = auth::join(&fixture.db, &invited.token, &password(), &ClientInfo::default()).await.unwrap();
    let scope = session.administer(made.workspace.id, &fixture.db).await.unwrap();
    assert_eq!(auth::settings(&fixture.db, &scope).await.unwrap().tone, "dry");

    let other = NewWorkspace { id: workspace_db::id::WorkspaceId::generate(), ..new.clone() };
    let mallory = "mallory@example.com".parse().unwrap();
    let actions = fixture.audit_actions().await;
    let taken = auth::create_workspace(&fixture.db, &platform, &other, &settings, Some(&mallory)).await.unwrap_err();
    assert!(taken.is_conflict() && taken.field() == Some("slug"), "{taken}");
    let bad = NewWorkspace {
        confidence_threshold: Some(2.0),
        ..NewWorkspace::new("c".parse().unwrap(), "C".parse().unwrap())
    };
    let refused = auth::create_workspace(&fixture.db, &platform, &bad, &settings, Some(&mallory)).await.unwrap_err();
    assert!(refused.is_invalid_input() && refused.field() == Some("confidence_threshold"), "{refused}");
    let platform_itself = NewWorkspace { id: workspace_db::id::WorkspaceId::PLATFORM, ..new.clone() };
    let platform_itself = NewWorkspace { slug: "nil".parse().unwrap(), ..platform_itself };
    let refused = auth::create_workspace(&fixture.db, &platform, &platform_itself, &settings, None).await.unwrap_err();
    assert!(refused.is_invalid_input(), "{refused}");
    let endless = NewWorkspaceSettings { event_retention_days: Some(i32::MAX), ..Default::default() };
    let refused = auth::create_workspace(&fixture.db, &platform, &other, &endless, None).await.unwrap_err();
    assert_eq!(refused.field(), Some("event_retention_days"));
    assert_eq!(fixture.audit_actions().await, actions);
    let nobody: i64 = admin_users::table
        .filter(admin_users::email.eq("mallory@example.com"))
        .count()
        .get_result(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(nobody, 0);
}

#[tokio::test]
async fn settings_stand_over_the_workspace_and_that_over_the_platform() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let platform = Retention { audit_days: Some(365), job_days: Some(30), ..Default::default() };
    let db = Database::open(&Config { retention: platform, ..fixture.database.config().unwrap() }).await.unwrap();
    let owner_there = auth::session(&db, &fixture.enter("root@example.com").await.1, None).await.unwrap();
    let scope = owner_there.administer(fixture.a.workspace, &db).await.unwrap();
    diesel::sql_query("DELETE FROM workspace_settings").execute(&mut fixture.conn).await.unwrap();
    let bare = auth::settings(&db, &scope).await.unwrap();
    assert_eq!((bare.tone.as_str(), bare.temperature, bare.fallback_language.as_str()), ("professional", 0.7, "en"));
    assert_eq!(bare.retention, platform);
    let changes = WorkspaceChanges { default_language: Some("nl".parse().unwrap()), ..Default::default() };
    auth::change_workspace(&db, &scope, &changes).await.unwrap();
    assert_eq!(auth::settings(&db, &scope).await.unwrap().fallback_language.as_str(), "nl");
    let input = json!({
        "tone": "warm", "primary_color": "#FF8800", "temperature": 1.2, "fallback_language": "de", "languages": ["pt-BR", "nl"],
        "job_retention_days": 7, "audit_retention_days": 1, "logo_url": "https://example.com/logo.svg", "banner_url": "data:image/png;base64,iVBORw0KGgo=", "metadata": { "plan": "pro" },
    });
    let input: SettingsInput = serde_json::from_value(input).unwrap();
    auth::change_settings(&db, &scope, &input.checked().unwrap()).await.unwrap();
    let now = auth::settings(&db, &scope).await.unwrap();
    assert_eq!((now.tone.as_str(), now.temperature, now.fallback_language.as_str()), ("warm", 1.2, "de"));
    let languages: Vec<&str> = now.languages.iter().map(workspace_db::sql_types::LanguageTag::as_str).collect();
    assert_eq!(languages, ["nl", "pt-BR"], "the default comes first, and once");
    assert_eq!((now.primary_color.as_deref(), now.metadata), (Some("#ff8800"), json!({ "plan": "pro" })));
    assert_eq!(now.retention, Retention { job_days: Some(7), ..platform }, "a workspace forgets what was done in it");
    let input: SettingsInput = serde_json::from_value(json!({ "tone": null, "job_retention_days": null })).unwrap();
    auth::change_settings(&db, &scope, &input.checked().unwrap()).await.unwrap();
    let reset = auth::settings(&db, &scope).await.unwrap();
    assert_eq!((reset.tone.as_str(), reset.retention, reset.temperature), ("professional", platform, 1.2));
    drop(owner);
}

#[tokio::test]
async fn an_archived_workspace_is_entered_by_nobody_until_it_is_restored() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    auth::publish(&fixture.db, &owner).await.unwrap();
    auth::archive(&fixture.db, &owner).await.unwrap();
    let root = fixture.log_in("root@example.com").await;
    assert!(root.workspace(fixture.a.workspace, &fixture.db).await.unwrap_err().is_not_found());
    assert!(fixture.db.published("a").await.unwrap_err().is_not_found());
    assert!(auth::archive(&fixture.db, &owner).await.unwrap_err().is_not_found());
    let platform = fixture.platform().await;
    auth::restore(&fixture.db, &platform, fixture.a.workspace).await.unwrap();
    assert!(fixture.db.published("a").await.is_ok());
    let owner = fixture.administer().await;
    let changes = WorkspaceChanges { slug: Some("b".parse().unwrap()), ..Default::default() };
    let taken = auth::change_workspace(&fixture.db, &owner, &changes).await.unwrap_err();
    assert!(taken.is_conflict() && taken.field() == Some("slug"), "{taken}");
    let actions = fixture.audit_actions().await;
    assert_eq!(
        actions.iter().filter(|action| action.starts_with("workspace")).collect::<Vec<_>>(),
        ["workspace.publish", "workspace.archive", "workspace.restore"]
    );
}

#[tokio::test]
async fn what_was_kept_for_long_enough_goes_and_nothing_else() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let input = json!({
        "audit_retention_days": 10, "conversation_retention_days": 10, "event_retention_days": 10, "job_retention_days": 10,
    });
    let input: SettingsInput = serde_json::from_value(input).unwrap();
    auth::change_settings(&fixture.db, &owner, &input.checked().unwrap()).await.unwrap();
    // In both workspaces the same is old; b keeps it for ever.
    let old = chrono::Utc::now() - chrono::TimeDelta::days(11);
    diesel::update(conversations::table)
        .set((conversations::closed_at.eq(old), conversations::status.eq(ConversationStatus::Closed)))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    diesel::update(analytics_events::table)
        .set(analytics_events::occurred_at.eq(old))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    diesel::update(jobs::table)
        .set((jobs::status.eq(JobStatus::Completed), jobs::completed_at.eq(old)))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let mut superuser = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    diesel::sql_query("UPDATE audit_log SET occurred_at = now() - interval '7 days' WHERE reason = 'seeded'")
        .execute(&mut superuser)
        .await
        .unwrap();
    let ended = chrono::Utc::now() - chrono::TimeDelta::days(91);
    super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Admin).await;
    let jane = fixture.log_in("jane@example.com").await;
    diesel::update(admin_tokens::table.find(jane.token()))
        .set(admin_tokens::revoked_at.eq(ended))
        .execute(&mut fixture.conn)
        .await
        .unwrap();

    let nightly = PlatformScope::unchecked("a test");
    // Of the audit log a keeps ten days, and b the platform's five.
    let platform = Retention { audit_days: Some(5), ..Default::default() };
    let db = Database::open(&Config { retention: platform, ..fixture.database.config().unwrap() }).await.unwrap();
    let expired = expire(&db, &nightly).await.unwrap();
    let one_of_each = RetentionReport { audit_log: 1, conversations: 1, analytics_events: 1, jobs: 1, tokens: 1 };
    assert_eq!(expired, one_of_each);
    assert_eq!(expire(&db, &nightly).await.unwrap(), RetentionReport::default());
    let left: Vec<workspace_db::id::WorkspaceId> = audit_log::table
        .filter(audit_log::reason.eq("seeded"))
        .select(audit_log::workspace_id)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(left, [fixture.a.workspace]);
    let open: Vec<workspace_db::id::WorkspaceId> =
        jobs::table.select(jobs::workspace_id).load(&mut fixture.conn).await.unwrap();
    assert_eq!(open, [fixture.b.workspace]);
    let actions = fixture.audit_actions().await;
    assert_eq!(
        actions.iter().filter(|action| *action == "retention.expire").count(),
        6,
        "one for each table, the buckets of logins among them"
    );
    let slugs: i64 = workspaces::table.count().get_result(&mut fixture.conn).await.unwrap();
    assert_eq!(slugs, 2);
}
