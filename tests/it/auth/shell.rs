//! The same from a shell.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::config::Environment;
use workspace_db::db::migrations::Migrator;
use workspace_db_testing::TestDatabase;

use super::{PASSWORD, password};
use crate::cli::Shell;

/// What `admin set-password` says to two lines.
fn set_password(shell: &Shell, secret: &str, password: &str) -> (i32, String) {
    let mut command = shell.command(&["admin", "set-password"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{secret}\n{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn the_first_administrator_is_made_with_a_secret_and_manages_the_others() {
    let database = TestDatabase::new().await.unwrap();
    let shell = Shell::for_database(&database);
    let made = shell.json(&["admin", "create", "Jane@example.com", "--superadmin", "--first-name", "Jane"]);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("wdb_password_") && made["admin"]["email"] == "jane@example.com");
    assert!(made["admin"].get("password_hash").is_none());
    let (code, said) = set_password(&shell, secret, "short");
    assert!(code == 2 && said.contains("password: must have at least 12 characters"), "{said}");
    assert_eq!(set_password(&shell, secret, PASSWORD).0, 0);
    let (code, said) = set_password(&shell, secret, PASSWORD);
    assert!(code == 9 && said.contains("not valid"), "{said}");
    let db = database.open(2).await.unwrap();
    let (session, _) = auth::log_in(&db, "jane@example.com", &password(), &ClientInfo::default()).await.unwrap();
    assert!(session.platform(&db).await.is_ok());

    assert!(shell.fails(&["admin", "create", "JANE@example.com"], 7).contains("jane@example.com already exists"));
    assert!(shell.fails(&["admin", "create", "jane"], 2).contains("not an email address"));
    assert!(shell.fails(&["admin", "disable", "jane@example.com"], 7).contains("last superadmin"));
    assert!(shell.fails(&["admin", "disable", "nobody@example.com"], 3).contains("admin list"));
    shell.succeed(&["admin", "create", "joe@example.com"]);
    assert_eq!(shell.json(&["admin", "disable", "JOE@example.com"])["status"], "disabled");
    assert_eq!(shell.json(&["admin", "enable", "joe@example.com"])["status"], "active");
    assert_eq!(shell.json(&["admin", "role", "joe@example.com", "superadmin"])["role"], "superadmin");
    let again = shell.json(&["admin", "reset-password", "joe@example.com"]);
    assert_eq!(set_password(&shell, again["secret"].as_str().unwrap(), PASSWORD).0, 0);
    let all = shell.json(&["admin", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert!(shell.succeed(&["admin", "list"]).contains("superadmin  jane@example.com  active"));

    let token = shell.json(&["admin", "token", "create", "joe@example.com", "nightly import", "--days", "7"]);
    let program = auth::session(&db, &token["token"].as_str().unwrap().parse().unwrap(), None).await.unwrap();
    assert_eq!(program.email(), "joe@example.com");
    let listed = shell.json(&["admin", "token", "list", "joe@example.com"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "the session of set-password is nobody's any more: {listed}");
    let id = token["row"]["id"].as_str().unwrap();
    shell.succeed(&["admin", "token", "revoke", "joe@example.com", id]);
    assert!(auth::session(&db, &token["token"].as_str().unwrap().parse().unwrap(), None).await.is_err());
    assert!(shell.fails(&["admin", "token", "revoke", "joe@example.com", id], 3).contains("no valid token"));
    shell.fails(&["admin", "token", "create", "joe@example.com", "x", "--days", "0"], 2);
}

#[tokio::test]
async fn a_workspace_is_made_shown_published_and_archived() {
    let database = TestDatabase::new().await.unwrap();
    let shell = Shell::for_database(&database);
    let made = shell.json(&[
        "workspace",
        "create",
        "acme",
        "--name",
        "Acme",
        "--language",
        "nl",
        "--admin",
        "jane@example.com",
    ]);
    assert_eq!(
        (&made["workspace"]["slug"], &made["workspace"]["default_language"]),
        (&Value::from("acme"), &Value::from("nl"))
    );
    let db = database.open(2).await.unwrap();
    let invitation = made["invitation"].as_str().unwrap().parse().unwrap();
    auth::join(&db, &invitation, &password(), &ClientInfo::default()).await.unwrap();
    assert!(shell.fails(&["workspace", "create", "acme"], 7).contains("the slug \"acme\" already exists"));
    assert!(shell.fails(&["workspace", "create", "Acme"], 2).contains("not a valid slug"));
    let shown = shell.json(&["workspace", "show", "acme"]);
    assert_eq!(
        (&shown["settings"]["tone"], &shown["settings"]["fallback_language"]),
        (&Value::from("professional"), &Value::from("nl"))
    );
    assert!(shell.succeed(&["workspace", "show", "acme"]).contains("temperature           0.7"));
    assert!(db.published("acme").await.is_err());
    shell.succeed(&["workspace", "publish", "acme"]);
    assert!(db.published("acme").await.is_ok());
    shell.succeed(&["workspace", "unpublish", "acme"]);
    shell.succeed(&["workspace", "archive", "acme"]);
    assert!(shell.succeed(&["workspace", "list"]).starts_with("archived"));
    std::fs::write(shell.path("rows.jsonl"), "").unwrap();
    for entering in [
        &["ingest", "rows.jsonl", "-w", "acme"][..],
        &["ingest", "rows.jsonl", "-w", "acme", "--create-workspace"],
        &["ingest", "--jsonl", "rows.jsonl", "-w", "acme"],
        &["import", "--jsonl", "rows.jsonl", "-w", "acme"],
        &["search", "anything", "-w", "acme"],
        &["reembed", "-w", "acme", "--status"],
    ] {
        let error = shell.fails(entering, 3);
        assert!(error.contains("archived") && error.contains("workspace restore acme"), "{entering:?}: {error}");
    }
    shell.succeed(&["workspace", "restore", "acme"]);
    assert!(shell.fails(&["workspace", "publish", "nowhere"], 3).contains("some workspaces are acme"));

    let actions = shell.json(&["audit", "--workspace", "acme"]);
    let actions: Vec<_> = actions.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let newest_first = [
        "workspace.restore",
        "workspace.archive",
        "workspace.unpublish",
        "workspace.publish",
        "member.join",
        "member.invite",
        "workspace.create",
    ];
    assert_eq!(actions, newest_first);
    assert!(shell.succeed(&["audit", "-n", "1"]).contains("by the operator at the shell"));
    assert_eq!(shell.json(&["audit", "--platform", "--action", "admin.create"]).as_array().unwrap().len(), 1);
    let nothing = shell.json(&["retention"]);
    assert_eq!(nothing["jobs"], 0);
}

#[tokio::test]
async fn in_production_the_documented_password_is_refused_and_can_be_mended() {
    let database = TestDatabase::unmigrated().await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    let shell = Shell::for_database(&database).with("WORKSPACE_DB_ENV", "production");
    let refused = shell.fails(&["workspace", "list"], 5);
    assert!(refused.contains("documented password") && refused.contains("admin reset-password"), "{refused}");
    let reset = shell.json(&["admin", "reset-password", "admin@example.com"]);
    assert_eq!(set_password(&shell, reset["secret"].as_str().unwrap(), PASSWORD).0, 0);
    assert!(shell.succeed(&["workspace", "list"]).contains("acme"));
}
