//! Invitations, roles and removals, and that none is a way to more than was meant.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::schema::{admin_users, workspace_admins};
use workspace_db::sql_types::AdminRole;

use super::{Fixture, new_admin, password};

#[tokio::test]
async fn somebody_new_joins_with_a_password_of_their_own() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let jane = "jane@example.com".parse().unwrap();
    let invited = auth::invite(&fixture.db, &owner, &jane, AdminRole::Admin).await.unwrap();
    assert!(invited.is_new && invited.membership.joined_at.is_none());
    let client = ClientInfo::default();
    let short = auth::join(&fixture.db, &invited.token, &"short".into(), &client).await.unwrap_err();
    assert_eq!(short.field(), Some("password"));
    let (session, _) = auth::join(&fixture.db, &invited.token, &password(), &client).await.unwrap();
    assert!(session.workspace(fixture.a.workspace, &fixture.db).await.is_ok());
    assert!(session.workspace(fixture.b.workspace, &fixture.db).await.unwrap_err().is_not_found());
    assert!(session.administer(fixture.a.workspace, &fixture.db).await.unwrap_err().is_forbidden());
    assert!(session.platform(&fixture.db).await.unwrap_err().is_forbidden());
    // It was good once.
    assert!(auth::join(&fixture.db, &invited.token, &password(), &client).await.unwrap_err().is_unauthenticated());
    assert!(session.accept(&fixture.db, &invited.token).await.unwrap_err().is_unauthenticated());
    assert!(fixture.log_in("jane@example.com").await.workspace(fixture.a.workspace, &fixture.db).await.is_ok());
    let again = auth::invite(&fixture.db, &owner, &jane, AdminRole::Superadmin).await.unwrap_err();
    assert!(again.is_conflict() && again.field() == Some("email"), "{again}");
    let actions = fixture.audit_actions().await;
    let of_joining: Vec<_> = actions.iter().filter(|action| !action.starts_with("session")).collect();
    assert_eq!(of_joining, ["admin.create", "member.invite", "member.join", "password.set"]);
}

#[tokio::test]
async fn an_invitation_is_accepted_by_the_invited_alone() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Admin).await;
    super::admin(&mut fixture.conn, "mallory@example.com", AdminRole::Admin).await;
    let invited =
        auth::invite(&fixture.db, &owner, &"JANE@example.com".parse().unwrap(), AdminRole::Superadmin).await.unwrap();
    assert!(!invited.is_new);
    let mallory = fixture.log_in("mallory@example.com").await;
    assert!(mallory.accept(&fixture.db, &invited.token).await.unwrap_err().is_unauthenticated());
    // Whoever has the link of an account that is somebody's does not get that account by it.
    let taken = auth::join(&fixture.db, &invited.token, &password(), &ClientInfo::default()).await.unwrap_err();
    assert!(taken.is_unauthenticated());
    let jane = fixture.log_in("jane@example.com").await;
    assert!(jane.workspace(fixture.a.workspace, &fixture.db).await.unwrap_err().is_not_found());
    assert_eq!(jane.accept(&fixture.db, &invited.token).await.unwrap(), fixture.a.workspace);
    assert!(jane.administer(fixture.a.workspace, &fixture.db).await.is_ok());
}

#[tokio::test]
async fn an_invitation_is_no_way_into_an_account_that_waits_for_its_owner() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let owner = fixture.administer().await;
    // A superadmin and an administrator who have yet to use their secrets, and the untouched bootstrap.
    auth::create_admin(&fixture.db, &platform, &new_admin("boss@example.com", AdminRole::Superadmin)).await.unwrap();
    auth::create_admin(&fixture.db, &platform, &new_admin("joe@example.com", AdminRole::Admin)).await.unwrap();
    diesel::sql_query(
        "INSERT INTO admin_users (email, password_hash, must_change_password, role)
         VALUES ('admin@example.com', '$argon2id$', true, 'superadmin')",
    )
    .execute(&mut fixture.conn)
    .await
    .unwrap();
    // Once retention has taken a secret that was never used, nothing is left of it but this.
    diesel::sql_query("DELETE FROM admin_tokens WHERE kind = 'password'").execute(&mut fixture.conn).await.unwrap();
    for email in ["boss@example.com", "joe@example.com", "admin@example.com"] {
        let invited = auth::invite(&fixture.db, &owner, &email.parse().unwrap(), AdminRole::Admin).await.unwrap();
        assert!(!invited.is_new, "{email}");
        let joined = auth::join(&fixture.db, &invited.token, &password(), &ClientInfo::default()).await;
        assert!(joined.unwrap_err().is_unauthenticated(), "{email} was taken over");
    }
}

#[tokio::test]
async fn an_invitation_expires_is_replaced_and_is_withdrawn() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let jane = "jane@example.com".parse().unwrap();
    let join = async |token| auth::join(&fixture.db, &token, &password(), &ClientInfo::default()).await;
    let first = auth::invite(&fixture.db, &owner, &jane, AdminRole::Admin).await.unwrap();
    let second = auth::invite(&fixture.db, &owner, &jane, AdminRole::Superadmin).await.unwrap();
    assert_eq!(first.membership.id, second.membership.id);
    assert!(join(first.token).await.unwrap_err().is_unauthenticated(), "a later invitation replaces an earlier one");
    let week = "UPDATE workspace_admins SET invitation_expires_at = invitation_expires_at - interval '7 days'";
    diesel::sql_query(week).execute(&mut fixture.conn).await.unwrap();
    assert!(join(second.token).await.unwrap_err().is_unauthenticated(), "it is valid for longer than a week");
    let third = auth::invite(&fixture.db, &owner, &jane, AdminRole::Admin).await.unwrap();
    auth::remove_member(&fixture.db, &owner, third.membership.id).await.unwrap();
    assert!(join(third.token).await.unwrap_err().is_unauthenticated());
    let fourth = auth::invite(&fixture.db, &owner, &jane, AdminRole::Admin).await.unwrap();
    auth::archive(&fixture.db, &owner).await.unwrap();
    assert!(join(fourth.token).await.unwrap_err().is_unauthenticated(), "an archived workspace is joined by nobody");
}

#[tokio::test]
async fn of_two_who_use_one_invitation_one_joins() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    let jane = "jane@example.com".parse().unwrap();
    let token = auth::invite(&fixture.db, &owner, &jane, AdminRole::Admin).await.unwrap().token;
    let join = || {
        let (db, token) = (fixture.db.clone(), token.clone());
        async move { auth::join(&db, &token, &password(), &ClientInfo::default()).await }
    };
    let (one, other) = tokio::join!(join(), join());
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    let joined = fixture.audit_actions().await.iter().filter(|action| *action == "member.join").count();
    assert_eq!(joined, 1);
}

#[tokio::test]
async fn a_member_without_the_role_changes_no_member_and_nobody_reaches_another_workspace() {
    let mut fixture = Fixture::new().await;
    let (a, b) = (fixture.a, fixture.b);
    fixture.member("jane@example.com", &a, AdminRole::Admin).await;
    fixture.member("owner@example.com", &a, AdminRole::Superadmin).await;
    let jane = fixture.log_in("jane@example.com").await;
    assert!(jane.administer(a.workspace, &fixture.db).await.unwrap_err().is_forbidden());
    let owner = fixture.log_in("owner@example.com").await.administer(a.workspace, &fixture.db).await.unwrap();
    let members = auth::members(&fixture.db, &owner).await.unwrap();
    assert_eq!(members.len(), 3, "the seeded one, jane and the owner");
    let theirs = b.workspace_admin;
    assert!(auth::change_member_role(&fixture.db, &owner, theirs, AdminRole::Admin).await.unwrap_err().is_not_found());
    assert!(auth::remove_member(&fixture.db, &owner, theirs).await.unwrap_err().is_not_found());

    // A role that was taken away counts at once, for a scope that is kept too.
    let root = fixture.administer().await;
    let of_owner = members.iter().find(|member| member.email == "owner@example.com").unwrap().membership.id;
    let demoted = auth::change_member_role(&fixture.db, &root, of_owner, AdminRole::Admin).await.unwrap();
    assert_eq!(demoted.role, AdminRole::Admin);
    let refused = auth::invite(&fixture.db, &owner, &"x@example.com".parse().unwrap(), AdminRole::Superadmin).await;
    assert!(refused.unwrap_err().is_forbidden());
    let none: i64 = admin_users::table
        .filter(admin_users::email.eq("x@example.com"))
        .count()
        .get_result(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(none, 0, "nothing is half-written");
    // Nor does a membership's role reach beyond its workspace.
    let roles: Vec<AdminRole> = admin_users::table
        .inner_join(workspace_admins::table)
        .filter(workspace_admins::workspace_id.eq(a.workspace))
        .select(admin_users::role)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert!(roles.iter().all(|role| *role == AdminRole::Admin));
}

#[tokio::test]
async fn of_two_workspaces_that_invite_one_new_person_both_do_and_one_gives_the_password() {
    let fixture = Fixture::new().await;
    let root = fixture.log_in("root@example.com").await;
    let of_a = root.administer(fixture.a.workspace, &fixture.db).await.unwrap();
    let of_b = root.administer(fixture.b.workspace, &fixture.db).await.unwrap();
    let jane = "jane@example.com".parse().unwrap();
    let (one, other) = tokio::join!(
        auth::invite(&fixture.db, &of_a, &jane, AdminRole::Admin),
        auth::invite(&fixture.db, &of_b, &jane, AdminRole::Admin),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.membership.admin_user_id, other.membership.admin_user_id);
    let another = "another good password".into();
    let (right, client) = (password(), ClientInfo::default());
    let (first, second) = tokio::join!(
        auth::join(&fixture.db, &one.token, &right, &client),
        auth::join(&fixture.db, &other.token, &another, &client),
    );
    assert!(first.is_ok() != second.is_ok(), "one took the account from the other");
    let (session, left) = if let Ok((session, _)) = first { (session, other) } else { (second.unwrap().0, one) };
    // The other invitation is accepted by whoever they are now.
    session.accept(&fixture.db, &left.token).await.unwrap();
    assert_eq!(session.workspaces(&fixture.db).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_member_who_is_demoted_while_they_promote_themselves_stays_demoted() {
    let mut fixture = Fixture::new().await;
    let a = fixture.a;
    fixture.member("owner@example.com", &a, AdminRole::Superadmin).await;
    let owner = fixture.log_in("owner@example.com").await.administer(a.workspace, &fixture.db).await.unwrap();
    let members = auth::members(&fixture.db, &owner).await.unwrap();
    let own = members.iter().find(|member| member.email == "owner@example.com").unwrap().membership.id;
    let mut holder = fixture.database.connect().await.unwrap();
    diesel::sql_query("BEGIN").execute(&mut holder).await.unwrap();
    diesel::update(workspace_admins::table.find((a.workspace, own)))
        .set(workspace_admins::role.eq(AdminRole::Admin))
        .execute(&mut holder)
        .await
        .unwrap();
    let db = fixture.db.clone();
    let promoting =
        tokio::spawn(async move { auth::change_member_role(&db, &owner, own, AdminRole::Superadmin).await });
    crate::until(&mut fixture.conn, super::SOMEBODY_WAITS).await;
    diesel::sql_query("COMMIT").execute(&mut holder).await.unwrap();
    assert!(promoting.await.unwrap().unwrap_err().is_forbidden());
}
