//! Every public function that changes who may do what leaves an entry in the audit log. The list is compared with the
//! sources, so that a new function is either done here or said to read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;
use workspace_db::auth::{self, AuditFilter, ClientInfo, SettingsInput};
use workspace_db::models::{AdminUserChanges, NewWorkspace, NewWorkspaceSettings, WorkspaceChanges};
use workspace_db::retention::expire;
use workspace_db::sql_types::{AdminRole, ServiceAccess};

use super::{Fixture, new_admin, password};

/// What only reads. A session's and a service's use is marked in its own row, which tells no more than that.
const READS: &[&str] = &[
    "administer",
    "admins",
    "audit_log",
    "members",
    "platform",
    "service",
    "service_tokens",
    "session",
    "settings",
    "throttle",
    "tokens",
    "list_admin_tokens",
    "workspace",
    "workspaces",
];

/// Where public functions are besides `auth` and `retention`, and why none of them is an administrator's deed.
const ELSEWHERE: &[(&str, &str)] = &[
    ("adopt", "fills an empty database, as its owner"),
    ("embedded", "a server of one's own"),
    ("ingest", "content of a workspace, by who may write it"),
    ("static_embeddings", "no database"),
    ("studio", "what it changes is in the log, see tests/it/studio"),
    ("testing", "databases of tests"),
    ("conversations", "content of a workspace, by who may write it"),
    ("db", "migrations and logins are made as the owner, who is no administrator, before there is a log"),
    ("doctor", "reads; what it mends is done as the owner, who is no administrator"),
    ("embeddings", "reads"),
    ("indexes", "indexes say nothing and give nothing"),
    (
        "jobs",
        "work of a workspace, by who may write there; what an operator does to a queue is in the log, see tests/it/jobs",
    ),
    ("load", "content of a workspace, by who may write it"),
    ("models", "content of a workspace, by who may write it"),
    ("reembed", "content of a workspace, by who may write it"),
    ("search", "reads"),
    ("transfer", "rows of a workspace as a whole; each is in the log, see tests/it/transfer"),
    (
        "tenancy",
        "gives scopes and connections, which change nothing by themselves; the ways out are loud and log their reason",
    ),
];

fn async_functions(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(async_functions(&path));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let functions = source.split("pub async fn ").skip(1);
        found.extend(
            functions.map(|rest| rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap()].to_owned()),
        );
    }
    found
}

#[test]
fn every_module_with_public_functions_is_accounted_for() {
    let mut seen = 0;
    let modules = fs::read_dir(crate::repository().join("src")).unwrap().map(|entry| entry.unwrap().path());
    let crates = fs::read_dir(crate::repository().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    for path in modules.chain(crates) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !path.is_dir() || ["auth", "retention"].contains(&name.as_str()) {
            continue;
        }
        let sources = if path.join("src").is_dir() { path.join("src") } else { path };
        if async_functions(&sources).is_empty() {
            continue;
        }
        seen += 1;
        assert!(ELSEWHERE.iter().any(|(known, _)| *known == name), "does {name} change who may do what? Say so here");
    }
    assert!(seen > 5, "only {seen} modules were found: the test looks in the wrong place");
}

#[tokio::test]
async fn every_deed_is_told() {
    let mut fixture = Fixture::new().await;
    let client = ClientInfo::default();
    let mut done = BTreeSet::new();
    let mut since_then = fixture.audit_actions().await.len();
    // Does it, and sees that the log has the action, which the next deed does not get for its own.
    macro_rules! audited {
        ($name:literal tells $action:literal: $deed:expr) => {{
            let result = $deed.await.unwrap();
            let now = fixture.audit_actions().await;
            let since = &now[since_then..];
            assert!(since.iter().any(|action| action == $action), "{} recorded {since:?}", $name);
            since_then = now.len();
            done.insert($name.to_owned());
            result
        }};
    }
    let db = fixture.db.clone();
    let (root, _) =
        audited!("log_in" tells "session.begin": auth::log_in(&db, "root@example.com", &password(), &client));
    let platform = root.platform(&db).await.unwrap();
    let owner = root.administer(fixture.a.workspace, &db).await.unwrap();

    let new = new_admin("jane@example.com", AdminRole::Admin);
    let (jane, secret) = audited!("create_admin" tells "admin.create": auth::create_admin(&db, &platform, &new));
    let hash = bcrypt::hash(super::PASSWORD, 4).unwrap().parse().unwrap();
    let moved = new_admin("moved@example.com", AdminRole::Admin);
    audited!("create_admin_with_hash" tells "admin.create": auth::create_admin_with_hash(&db, &platform, &moved, hash));
    audited!("set_password" tells "password.set": auth::set_password(&db, &secret, &password(), &client));
    let better = "a better one than that".into();
    audited!("change_password" tells "password.change": auth::change_password(&db, "jane@example.com", &password(), &better, &client));
    audited!("reset_password" tells "password.reset": auth::reset_password(&db, &platform, jane.id));
    audited!("change_role" tells "admin.change_role": auth::change_role(&db, &platform, jane.id, AdminRole::Superadmin));
    let changes = AdminUserChanges { first_name: Some(Some("Jane".parse().unwrap())), ..Default::default() };
    audited!("change_details" tells "admin.change_details": auth::change_details(&db, &platform, jane.id, &changes));
    let name = "import".parse().unwrap();
    let (row, _) = audited!("create_admin_token" tells "token.create": auth::create_admin_token(&db, &platform, jane.id, &name, 1));
    audited!("revoke_admin_token" tells "token.revoke": auth::revoke_admin_token(&db, &platform, jane.id, row.id));
    audited!("disable" tells "admin.disable": auth::disable(&db, &platform, jane.id));
    audited!("enable" tells "admin.enable": auth::enable(&db, &platform, jane.id));
    let (row, _) = audited!("create_token" tells "token.create": root.create_token(&db, &name, 1));
    audited!("revoke" tells "token.revoke": root.revoke(&db, row.id));

    let access = ServiceAccess::Read;
    let (row, _) = audited!("create_service_token" tells "service_token.create": auth::create_service_token(&db, &owner, &name, access, 1));
    audited!("revoke_service_token" tells "service_token.revoke": auth::revoke_service_token(&db, &owner, row.id));
    let joe = "joe@example.com".parse().unwrap();
    let invited = audited!("invite" tells "member.invite": auth::invite(&db, &owner, &joe, AdminRole::Admin));
    audited!("join" tells "member.join": auth::join(&db, &invited.token, &password(), &client));
    let invited = auth::invite(&db, &owner, &"jane@example.com".parse().unwrap(), AdminRole::Admin).await.unwrap();
    let (jane, _) = auth::log_in(&db, "jane@example.com", &better, &client).await.unwrap();
    audited!("accept" tells "member.join": jane.accept(&db, &invited.token));
    let member = invited.membership.id;
    audited!("change_member_role" tells "member.change_role": auth::change_member_role(&db, &owner, member, AdminRole::Superadmin));
    audited!("remove_member" tells "member.remove": auth::remove_member(&db, &owner, member));

    let new = NewWorkspace::new("c".parse().unwrap(), "C".parse().unwrap());
    let settings = NewWorkspaceSettings::default();
    audited!("create_workspace" tells "workspace.create": auth::create_workspace(&db, &platform, &new, &settings, None));
    let changes = WorkspaceChanges { name: Some("Ay".parse().unwrap()), ..Default::default() };
    audited!("change_workspace" tells "workspace.change": auth::change_workspace(&db, &owner, &changes));
    let input: SettingsInput = serde_json::from_value(json!({ "event_retention_days": 1 })).unwrap();
    let changes = input.checked().unwrap();
    audited!("change_settings" tells "settings.change": auth::change_settings(&db, &owner, &changes));
    audited!("publish" tells "workspace.publish": auth::publish(&db, &owner));
    audited!("unpublish" tells "workspace.unpublish": auth::unpublish(&db, &owner));
    let old = "UPDATE analytics_events SET occurred_at = now() - interval '2 days'";
    diesel_async::RunQueryDsl::execute(diesel::sql_query(old), &mut fixture.conn).await.unwrap();
    audited!("expire" tells "retention.expire": expire(&db, &platform));
    audited!("archive" tells "workspace.archive": auth::archive(&db, &owner));
    audited!("restore" tells "workspace.restore": auth::restore(&db, &platform, fixture.a.workspace));
    let change = auth::AuditedChange {
        workspace: fixture.a.workspace,
        action: "invoice.cancel",
        table: "invoices".to_owned(),
        row: None,
        before: serde_json::json!({ "status": "open" }),
        after: serde_json::json!({ "status": "cancelled" }),
    };
    audited!("record_change" tells "invoice.cancel": auth::record_change(&db, &platform, change));
    audited!("log_out" tells "token.revoke": root.log_out(&db));

    let src = crate::repository().join("src");
    let mut public = async_functions(&src.join("auth"));
    public.extend(async_functions(&src.join("retention")));
    let reads: BTreeSet<String> = READS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        public.difference(&done).cloned().collect::<BTreeSet<_>>(),
        reads,
        "what is neither done here nor reads"
    );
    assert!(done.len() > 25 && since_then > done.len());
}

#[tokio::test]
async fn what_reads_leaves_nothing() {
    let mut fixture = Fixture::new().await;
    let (root, token) = fixture.enter("root@example.com").await;
    let db = fixture.db.clone();
    let actions = fixture.audit_actions().await;
    let platform = root.platform(&db).await.unwrap();
    let owner = root.administer(fixture.a.workspace, &db).await.unwrap();
    root.workspace(fixture.a.workspace, &db).await.unwrap();
    auth::session(&db, &token, None).await.unwrap();
    auth::admins(&db, &platform).await.unwrap();
    auth::workspaces(&db, &platform).await.unwrap();
    auth::members(&db, &owner).await.unwrap();
    auth::service_tokens(&db, &owner).await.unwrap();
    auth::settings(&db, &owner).await.unwrap();
    let limit = auth::RateLimit { burst: 1, window: std::time::Duration::from_secs(60) };
    auth::throttle(&db, &owner, "chat", limit).await.unwrap();
    root.tokens(&db).await.unwrap();
    auth::list_admin_tokens(&db, &platform, fixture.root).await.unwrap();
    auth::audit_log(&db, &platform, &AuditFilter::default(), 10).await.unwrap();
    assert_eq!(fixture.audit_actions().await, actions);
}
