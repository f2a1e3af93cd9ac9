//! Logging in, out, and what a login leaves.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::config::Environment;
use workspace_db::db::migrations::Migrator;
use workspace_db::schema::{admin_tokens, admin_users};
use workspace_db::sql_types::{AdminRole, AdminStatus};
use workspace_db::tenancy::Database;
use workspace_db_testing::TestDatabase;

use super::{Fixture, PASSWORD, from, new_admin, password};

#[tokio::test]
async fn a_login_gives_a_session_whose_token_is_nowhere_in_the_database() {
    let mut fixture = Fixture::new().await;
    let client = ClientInfo { name: Some("Firefox\non a laptop".to_owned()), ..from("203.0.113.7") };
    let (session, token) = auth::log_in(&fixture.db, " Root@Example.COM ", &password(), &client).await.unwrap();
    assert_eq!(
        (session.admin(), session.email(), session.role()),
        (fixture.root, "root@example.com", AdminRole::Superadmin)
    );
    assert!(token.expose().starts_with("wdb_session_") && token.expose().len() == "wdb_session_".len() + 43);
    let again = auth::session(&fixture.db, &token.expose().parse().unwrap(), None).await.unwrap();
    assert_eq!(again.token(), session.token());
    assert!(fixture.row(fixture.root).await.last_login_at.is_some());
    let listed = session.tokens(&fixture.db).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].address.as_deref()), ("Firefoxon a laptop", Some("203.0.113.7")));

    // A dump of everything has neither the token nor the password.
    let dump = std::process::Command::new(fixture.database.install().program("pg_dump"))
        .arg("--data-only")
        .envs(fixture.database.superuser_url().unwrap().libpq_environment())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&dump.stdout);
    assert!(text.contains("admin_tokens"), "{}", String::from_utf8_lossy(&dump.stderr));
    let secret = token.expose().trim_start_matches("wdb_session_");
    assert!(!text.contains(secret) && !text.contains(PASSWORD));
    assert!(!format!("{session:?} {token:?} {client:?}").contains(secret));
    assert_eq!(fixture.audit_actions().await, ["session.begin"]);
}

#[tokio::test]
async fn every_refusal_says_the_same() {
    let mut fixture = Fixture::new().await;
    let disabled = super::admin(&mut fixture.conn, "disabled@example.com", AdminRole::Admin).await;
    let platform = fixture.platform().await;
    auth::disable(&fixture.db, &platform, disabled).await.unwrap();
    let scope = fixture.administer().await;
    auth::invite(&fixture.db, &scope, &"invited@example.com".parse().unwrap(), AdminRole::Admin).await.unwrap();
    auth::create_admin(&fixture.db, &platform, &new_admin("new@example.com", AdminRole::Admin)).await.unwrap();
    let mut actions = Vec::new();
    for (email, tried) in [
        ("nobody@example.com", PASSWORD),
        ("root@example.com", "another password"),
        ("disabled@example.com", PASSWORD),
        ("invited@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
        ("' OR true --", PASSWORD),
        ("root@example.com\0", PASSWORD),
        (&"x".repeat(100_000), PASSWORD),
        ("root@example.com", &"x".repeat(2_000_000)),
        ("root@example.com", ""),
        ("", ""),
    ] {
        let error =
            auth::log_in(&fixture.db, email, &SecretString::from(tried), &ClientInfo::default()).await.unwrap_err();
        assert!(error.is_unauthenticated(), "{error}");
        actions.push(error.to_string());
    }
    actions.dedup();
    assert_eq!(actions.len(), 1, "{actions:?}");
}

#[tokio::test]
async fn the_bootstrap_password_is_good_for_a_change_alone() {
    let database = TestDatabase::unmigrated().await.unwrap();
    Migrator::new(&database.url().unwrap(), Environment::Development).run(|_| ()).await.unwrap();
    let production = database.config().unwrap();
    let refused = Database::open(&production).await.unwrap_err();
    assert!(refused.is_missing_prerequisite(), "{refused}");
    assert!(refused.to_string().contains("documented password"), "{refused}");

    let development = workspace_db::config::Config { environment: Environment::Development, ..production.clone() };
    let db = Database::open(&development).await.unwrap();
    let (email, documented) = ("admin@example.com", SecretString::from("ChangeMe123!"));
    let client = ClientInfo::default();
    let error = auth::log_in(&db, email, &documented, &client).await.unwrap_err();
    assert!(error.is_password_change_required(), "{error}");
    let wrong = auth::log_in(&db, email, &password(), &client).await.unwrap_err();
    assert!(wrong.is_unauthenticated(), "who does not know the password learns nothing: {wrong}");
    for refused in ["short", "ChangeMe123!", "changeme123!", "admin@example.com", "q1w2e3r4t5y6"] {
        let error = auth::change_password(&db, email, &documented, &refused.into(), &client).await.unwrap_err();
        assert_eq!(error.field(), Some("password"), "{refused}: {error}");
    }
    let (session, _) = auth::change_password(&db, email, &documented, &password(), &client).await.unwrap();
    assert!(session.platform(&db).await.is_ok());
    assert!(auth::log_in(&db, email, &documented, &client).await.unwrap_err().is_unauthenticated());
    assert!(auth::log_in(&db, email, &password(), &client).await.is_ok());
    assert!(Database::open(&production).await.is_ok());
}

#[tokio::test]
async fn a_changed_password_ends_every_session_and_token() {
    let mut fixture = Fixture::new().await;
    let (session, token) = fixture.enter("root@example.com").await;
    let (_, api) = session.create_token(&fixture.db, &"import".parse().unwrap(), 30).await.unwrap();
    let new = SecretString::from("another good password");
    let changed =
        auth::change_password(&fixture.db, "root@example.com", &password(), &new, &ClientInfo::default()).await;
    let (_, fresh) = changed.unwrap();
    for (token, holds) in [(&token, false), (&api, false), (&fresh, true)] {
        assert_eq!(auth::session(&fixture.db, token, None).await.is_ok(), holds);
    }
    assert_eq!(fixture.audit_actions().await, ["session.begin", "token.create", "password.change"]);
}

#[tokio::test]
async fn a_login_whose_account_is_disabled_meanwhile_is_none() {
    let mut fixture = Fixture::new().await;
    let victim = super::admin(&mut fixture.conn, "victim@example.com", AdminRole::Admin).await;
    // The row is held, so the login hashes and then waits; what it finds afterwards is a disabled account.
    let mut holder = fixture.database.connect().await.unwrap();
    diesel::sql_query("BEGIN").execute(&mut holder).await.unwrap();
    diesel::update(admin_users::table.find(victim))
        .set(admin_users::status.eq(AdminStatus::Disabled))
        .execute(&mut holder)
        .await
        .unwrap();
    let db = fixture.db.clone();
    let login = tokio::spawn(async move {
        auth::log_in(&db, "victim@example.com", &super::password(), &ClientInfo::default()).await
    });
    crate::until(&mut fixture.conn, super::SOMEBODY_WAITS).await;
    diesel::sql_query("COMMIT").execute(&mut holder).await.unwrap();
    assert!(login.await.unwrap().unwrap_err().is_unauthenticated());
    let tokens: i64 = admin_tokens::table.count().get_result(&mut fixture.conn).await.unwrap();
    assert_eq!(tokens, 0);
}

#[tokio::test]
async fn a_password_secret_is_good_once_and_for_a_day() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let (jane, secret) =
        auth::create_admin(&fixture.db, &platform, &new_admin("jane@example.com", AdminRole::Superadmin))
            .await
            .unwrap();
    let set = |secret| {
        let db = fixture.db.clone();
        async move { auth::set_password(&db, &secret, &password(), &ClientInfo::default()).await }
    };
    let short = auth::set_password(&fixture.db, &secret, &"short".into(), &ClientInfo::default()).await.unwrap_err();
    assert_eq!(short.field(), Some("password"));
    // Of two who use it at once, one gets in.
    let (one, other) = tokio::join!(set(secret.clone()), set(secret.clone()));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    let loser = one.err().or(other.err()).unwrap();
    assert!(loser.is_unauthenticated(), "{loser}");
    assert!(set(secret).await.unwrap_err().is_unauthenticated());
    assert_eq!(fixture.log_in("jane@example.com").await.admin(), jane.id);

    let earlier = auth::reset_password(&fixture.db, &platform, jane.id).await.unwrap();
    let later = auth::reset_password(&fixture.db, &platform, jane.id).await.unwrap();
    assert!(set(earlier).await.unwrap_err().is_unauthenticated(), "a later secret ends an earlier one");
    let day = "UPDATE admin_tokens SET expires_at = expires_at - interval '1 day' WHERE kind = 'password'";
    diesel::sql_query(day).execute(&mut fixture.conn).await.unwrap();
    assert!(set(later).await.unwrap_err().is_unauthenticated(), "it is valid for longer than a day");
    let (_, session) = fixture.enter("jane@example.com").await;
    assert!(set(session).await.unwrap_err().is_unauthenticated(), "a session is no password secret");
}
