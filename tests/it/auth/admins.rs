//! The platform's administrators, and that the last of them stays.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::auth::{self, AuditFilter, ClientInfo};
use workspace_db::models::AdminUserChanges;
use workspace_db::schema::admin_users;
use workspace_db::sql_types::{AdminRole, AdminStatus};
use workspace_db::tenancy::PlatformScope;

use super::{Fixture, new_admin, password};

#[tokio::test]
async fn an_administrator_is_made_once_whatever_the_case_of_the_email() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let new = new_admin("Jane@Example.com", AdminRole::Admin);
    let (jane, secret) = auth::create_admin(&fixture.db, &platform, &new).await.unwrap();
    assert_eq!((jane.email.as_str(), jane.must_change_password), ("jane@example.com", true));
    let again = auth::create_admin(&fixture.db, &platform, &new_admin("JANE@EXAMPLE.COM", AdminRole::Admin)).await;
    let again = again.unwrap_err();
    assert!(again.is_conflict() && again.field() == Some("email"), "{again}");
    diesel::sql_query("INSERT INTO admin_users (email, password_hash) VALUES ('Old@Example.com', '$2a$')")
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let adopted = auth::create_admin(&fixture.db, &platform, &new_admin("old@example.com", AdminRole::Admin)).await;
    assert!(adopted.unwrap_err().is_conflict());
    auth::set_password(&fixture.db, &secret, &password(), &ClientInfo::default()).await.unwrap();
    let changes = AdminUserChanges { first_name: Some(Some("Jane".parse().unwrap())), ..Default::default() };
    let renamed = auth::change_details(&fixture.db, &platform, jane.id, &changes).await.unwrap();
    assert_eq!((renamed.first_name.as_deref(), renamed.role), (Some("Jane"), AdminRole::Admin));
    let all: Vec<_> =
        auth::admins(&fixture.db, &platform).await.unwrap().into_iter().map(|admin| admin.email).collect();
    assert_eq!(all, ["admin@a.example", "admin@b.example", "jane@example.com", "Old@Example.com", "root@example.com"]);
}

#[tokio::test]
async fn an_ordinary_administrators_scope_administers_nothing() {
    let mut fixture = Fixture::new().await;
    let jane = super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Superadmin).await;
    let kept = fixture.log_in("jane@example.com").await.platform(&fixture.db).await.unwrap();
    let platform = fixture.platform().await;
    auth::change_role(&fixture.db, &platform, jane, AdminRole::Admin).await.unwrap();
    // The scope was a superadmin's; each deed asks whether it still is.
    let actions = fixture.audit_actions().await.len();
    for refused in [
        auth::create_admin(&fixture.db, &kept, &new_admin("x@example.com", AdminRole::Superadmin)).await.map(drop),
        auth::change_role(&fixture.db, &kept, jane, AdminRole::Superadmin).await.map(drop),
        auth::disable(&fixture.db, &kept, fixture.root).await.map(drop),
        auth::enable(&fixture.db, &kept, fixture.root).await.map(drop),
        auth::reset_password(&fixture.db, &kept, fixture.root).await.map(drop),
        auth::create_admin_token(&fixture.db, &kept, fixture.root, &"x".parse().unwrap(), 1).await.map(drop),
        auth::list_admin_tokens(&fixture.db, &kept, fixture.root).await.map(drop),
        auth::admins(&fixture.db, &kept).await.map(drop),
        auth::restore(&fixture.db, &kept, fixture.a.workspace).await.map(drop),
        auth::audit_log(&fixture.db, &kept, &AuditFilter::default(), 1).await.map(drop),
        workspace_db::retention::expire(&fixture.db, &kept).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(error.is_forbidden(), "{error}");
    }
    assert_eq!(fixture.audit_actions().await.len(), actions);
}

#[tokio::test]
async fn the_last_superadmin_is_neither_disabled_nor_demoted() {
    let mut fixture = Fixture::new().await;
    let operator = PlatformScope::unchecked("a test");
    let platform = fixture.platform().await;
    // Neither one who is disabled nor one who has yet to set a password could take over.
    auth::create_admin(&fixture.db, &platform, &new_admin("pending@example.com", AdminRole::Superadmin)).await.unwrap();
    let gone = super::admin(&mut fixture.conn, "gone@example.com", AdminRole::Superadmin).await;
    auth::disable(&fixture.db, &platform, gone).await.unwrap();
    for by in [&platform, &operator] {
        let refused = auth::disable(&fixture.db, by, fixture.root).await.unwrap_err();
        assert!(refused.is_conflict() && refused.to_string().contains("last superadmin"), "{refused}");
        assert!(auth::change_role(&fixture.db, by, fixture.root, AdminRole::Admin).await.unwrap_err().is_conflict());
    }
    assert_eq!(fixture.row(fixture.root).await.status, AdminStatus::Active);
    auth::enable(&fixture.db, &platform, gone).await.unwrap();
    auth::disable(&fixture.db, &platform, fixture.root).await.unwrap();
}

#[tokio::test]
async fn of_two_superadmins_who_remove_each_other_at_once_one_stays() {
    let mut fixture = Fixture::new().await;
    let jane = super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Superadmin).await;
    let (of_root, of_jane) =
        (fixture.platform().await, fixture.log_in("jane@example.com").await.platform(&fixture.db).await.unwrap());
    for round in 0..20 {
        let (one, other) = tokio::join!(
            async {
                match round % 2 {
                    0 => auth::disable(&fixture.db, &of_root, jane).await.map(drop),
                    _ => auth::change_role(&fixture.db, &of_root, jane, AdminRole::Admin).await.map(drop),
                }
            },
            async { auth::disable(&fixture.db, &of_jane, fixture.root).await.map(drop) },
        );
        assert!(one.is_ok() != other.is_ok(), "round {round}: {one:?}, {other:?}");
        let loser = one.err().or(other.err()).unwrap();
        assert!(loser.is_forbidden() || loser.is_conflict(), "{loser}");
        let able: i64 = admin_users::table
            .filter(admin_users::role.eq(AdminRole::Superadmin).and(admin_users::status.eq(AdminStatus::Active)))
            .count()
            .get_result(&mut fixture.conn)
            .await
            .unwrap();
        assert_eq!(able, 1, "round {round}");
        // Both are as before, with the sessions that they had.
        let both = admin_users::table.filter(admin_users::id.eq_any([jane, fixture.root]));
        let restored = (admin_users::role.eq(AdminRole::Superadmin), admin_users::status.eq(AdminStatus::Active));
        diesel::update(both).set(restored).execute(&mut fixture.conn).await.unwrap();
        diesel::sql_query("UPDATE admin_tokens SET revoked_at = NULL").execute(&mut fixture.conn).await.unwrap();
    }
}

#[tokio::test]
async fn a_superadmin_who_is_disabled_while_they_enable_themselves_stays_disabled() {
    let mut fixture = Fixture::new().await;
    let jane = super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Superadmin).await;
    let of_jane = fixture.log_in("jane@example.com").await.platform(&fixture.db).await.unwrap();
    let mut holder = fixture.database.connect().await.unwrap();
    for statement in [
        "BEGIN",
        "UPDATE admin_users SET status = 'disabled' WHERE email = 'jane@example.com'",
        "UPDATE admin_tokens SET revoked_at = now() WHERE revoked_at IS NULL",
    ] {
        diesel::sql_query(statement).execute(&mut holder).await.unwrap();
    }
    let db = fixture.db.clone();
    let enabling = tokio::spawn(async move { auth::enable(&db, &of_jane, jane).await });
    crate::until(&mut fixture.conn, super::SOMEBODY_WAITS).await;
    diesel::sql_query("COMMIT").execute(&mut holder).await.unwrap();
    assert!(enabling.await.unwrap().unwrap_err().is_forbidden());
    assert_eq!(fixture.row(jane).await.status, AdminStatus::Disabled);
}

#[tokio::test]
async fn an_email_that_is_taken_is_told_by_its_field() {
    let mut fixture = Fixture::new().await;
    let jane = super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Admin).await;
    let platform = fixture.platform().await;
    let changes = AdminUserChanges { email: Some("ROOT@example.com".parse().unwrap()), ..Default::default() };
    let error = auth::change_details(&fixture.db, &platform, jane, &changes).await.unwrap_err();
    assert!(error.is_conflict() && error.field() == Some("email"), "{error}");
}
