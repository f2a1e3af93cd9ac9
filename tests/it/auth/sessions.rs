//! Sessions and tokens: what they open, and that they end everywhere.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::auth::{self, Token};
use workspace_db::id::WorkspaceId;
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::{admin_tokens, admin_users, documents, workspace_admins, workspaces};
use workspace_db::sql_types::AdminRole;
use workspace_db::tenancy::{Access, Database, InWorkspace, WorkspaceScope};

use super::Fixture;

/// Asks with the scope until it is refused; returns how long that took.
async fn until_refused<A: Access>(db: &Database, scope: &WorkspaceScope<A>) -> Duration {
    let began = Instant::now();
    loop {
        match db.workspace(scope).await {
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(10), "the scope still opens the workspace"),
            Err(error) => {
                assert!(error.is_not_found(), "{error}");
                return began.elapsed();
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The bound is a second; the rest is for a machine that does other things too.
const EVERYWHERE: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_scope_is_given_to_members_and_superadmins_alone() {
    let mut fixture = Fixture::new().await;
    let (a, b) = (fixture.a, fixture.b);
    fixture.member("jane@example.com", &a, AdminRole::Admin).await;
    fixture.member("owner@example.com", &a, AdminRole::Superadmin).await;
    let jane = fixture.log_in("jane@example.com").await;
    assert_eq!(jane.workspace(a.workspace, &fixture.db).await.unwrap().workspace(), a.workspace);
    assert!(jane.administer(a.workspace, &fixture.db).await.unwrap_err().is_forbidden());
    assert!(jane.platform(&fixture.db).await.unwrap_err().is_forbidden());

    let (theirs, unknown) = (b.workspace, WorkspaceId::generate());
    for refused in [theirs, unknown, WorkspaceId::PLATFORM] {
        let error = jane.workspace(refused, &fixture.db).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the workspace {refused} does not exist or is not accessible"));
        assert!(error.is_not_found() && jane.administer(refused, &fixture.db).await.unwrap_err().is_not_found());
    }
    let slugs = async |session: &auth::AdminSession| -> Vec<String> {
        session.workspaces(&fixture.db).await.unwrap().into_iter().map(|workspace| workspace.slug).collect()
    };
    assert_eq!(slugs(&jane).await, ["a"]);

    let owner = fixture.log_in("owner@example.com").await;
    assert!(owner.administer(a.workspace, &fixture.db).await.is_ok());
    assert!(owner.administer(b.workspace, &fixture.db).await.unwrap_err().is_not_found());
    assert!(
        owner.platform(&fixture.db).await.unwrap_err().is_forbidden(),
        "a workspace's superadmin is not the platform's"
    );

    let root = fixture.log_in("root@example.com").await;
    assert!(root.administer(b.workspace, &fixture.db).await.is_ok() && root.platform(&fixture.db).await.is_ok());
    assert_eq!(slugs(&root).await, ["a", "b"]);

    // An invitation that nobody accepted is no membership, and an archived workspace is open to nobody.
    diesel::update(workspace_admins::table)
        .filter(workspace_admins::admin_user_id.eq(jane.admin()))
        .set(workspace_admins::joined_at.eq(None::<chrono::DateTime<chrono::Utc>>))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    assert!(jane.workspace(a.workspace, &fixture.db).await.unwrap_err().is_not_found());
    diesel::update(workspaces::table.find(a.workspace))
        .set(workspaces::is_active.eq(false))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    assert!(root.administer(a.workspace, &fixture.db).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_session_ends_everywhere_within_a_second_and_its_scopes_with_it() {
    let fixture = Fixture::new().await;
    let (session, token) = fixture.enter("root@example.com").await;
    let scope = session.workspace(fixture.a.workspace, &fixture.db).await.unwrap();
    let administered = session.administer(fixture.a.workspace, &fixture.db).await.unwrap();
    let platform = session.platform(&fixture.db).await.unwrap();
    // Another process: it has seen the token, and keeps a scope and connections of its own.
    let elsewhere = fixture.database.open(2).await.unwrap();
    let other = auth::session(&elsewhere, &token, None).await.unwrap();
    let kept = other.workspace(fixture.a.workspace, &elsewhere).await.unwrap();
    drop(elsewhere.workspace(&kept).await.unwrap());

    session.log_out(&fixture.db).await.unwrap();
    assert!(auth::session(&elsewhere, &token, None).await.unwrap_err().is_unauthenticated());
    assert!(other.workspace(fixture.a.workspace, &elsewhere).await.unwrap_err().is_not_found());
    assert!(auth::publish(&fixture.db, &administered).await.unwrap_err().is_not_found(), "a deed asks again, always");
    assert!(auth::workspaces(&fixture.db, &platform).await.unwrap_err().is_forbidden());
    assert!(until_refused(&elsewhere, &kept).await < EVERYWHERE);
    assert!(until_refused(&fixture.db, &scope).await < EVERYWHERE);
}

#[tokio::test]
async fn a_disabled_administrator_and_a_removed_member_are_out_within_a_second() {
    let mut fixture = Fixture::new().await;
    let a = fixture.a;
    let jane = fixture.member("jane@example.com", &a, AdminRole::Admin).await;
    fixture.member("joe@example.com", &a, AdminRole::Admin).await;
    let platform = fixture.platform().await;
    let owner = fixture.administer().await;
    let (session, token) = fixture.enter("jane@example.com").await;
    let (_, api) = session.create_token(&fixture.db, &"import".parse().unwrap(), 1).await.unwrap();
    let scope = session.workspace(a.workspace, &fixture.db).await.unwrap();
    auth::disable(&fixture.db, &platform, jane).await.unwrap();
    for token in [&token, &api] {
        assert!(auth::session(&fixture.db, token, None).await.unwrap_err().is_unauthenticated());
    }
    assert!(until_refused(&fixture.db, &scope).await < EVERYWHERE);
    auth::enable(&fixture.db, &platform, jane).await.unwrap();
    assert!(auth::session(&fixture.db, &token, None).await.is_err(), "what has ended does not come back");

    let joe = fixture.log_in("joe@example.com").await;
    let scope = joe.workspace(a.workspace, &fixture.db).await.unwrap();
    let members = auth::members(&fixture.db, &owner).await.unwrap();
    let membership = members.iter().find(|member| member.email == "joe@example.com").unwrap().membership.id;
    auth::remove_member(&fixture.db, &owner, membership).await.unwrap();
    assert!(until_refused(&fixture.db, &scope).await < EVERYWHERE);
}

#[tokio::test]
async fn a_scope_that_is_kept_while_its_right_lasts_goes_on() {
    let fixture = Fixture::new().await;
    let scope = fixture.log_in("root@example.com").await.workspace(fixture.a.workspace, &fixture.db).await.unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2_200) {
        let mut ws = fixture.db.workspace(&scope).await.unwrap();
        let titles: Vec<String> =
            documents::table.in_workspace(&scope).select(documents::title).load(&mut ws).await.unwrap();
        assert_eq!(titles, ["Opening hours"]);
    }
}

#[tokio::test]
async fn an_api_token_is_named_listed_used_and_revoked() {
    let mut fixture = Fixture::new().await;
    let (session, _) = fixture.enter("root@example.com").await;
    let (row, token) = session.create_token(&fixture.db, &"nightly import".parse().unwrap(), 30).await.unwrap();
    assert!(row.last_used_at.is_none() && row.name == "nightly import");
    let program = auth::session(&fixture.db, &token, None).await.unwrap();
    assert!(program.workspace(fixture.a.workspace, &fixture.db).await.is_ok());
    let refused = program.create_token(&fixture.db, &"another".parse().unwrap(), 30).await.unwrap_err();
    assert!(refused.is_forbidden(), "{refused}");
    let listed = session.tokens(&fixture.db).await.unwrap();
    let used = listed.iter().find(|listed| listed.id == row.id).unwrap().last_used_at;
    assert!(used.is_some());
    auth::session(&fixture.db, &token, None).await.unwrap();
    let again = session.tokens(&fixture.db).await.unwrap();
    assert_eq!(
        again.iter().find(|listed| listed.id == row.id).unwrap().last_used_at,
        used,
        "a use is marked once a minute"
    );

    for days in [0, 367, u32::MAX] {
        let error = session.create_token(&fixture.db, &"x".parse().unwrap(), days).await.unwrap_err();
        assert_eq!(error.field(), Some("expires_at"));
    }
    // Somebody else's is not found, to be revoked or to be seen.
    super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Superadmin).await;
    let jane = fixture.log_in("jane@example.com").await;
    assert!(jane.revoke(&fixture.db, row.id).await.unwrap_err().is_not_found());
    assert!(jane.tokens(&fixture.db).await.unwrap().iter().all(|listed| listed.id != row.id));
    session.revoke(&fixture.db, row.id).await.unwrap();
    assert!(auth::session(&fixture.db, &token, None).await.unwrap_err().is_unauthenticated());
    assert!(session.revoke(&fixture.db, row.id).await.unwrap_err().is_not_found());
    assert_eq!(session.tokens(&fixture.db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_has_expired_or_is_guessed_by_its_beginning_opens_nothing() {
    let mut fixture = Fixture::new().await;
    let (_, token) = fixture.enter("root@example.com").await;
    let text = token.expose();
    let flipped = if text.ends_with('A') { "E" } else { "A" };
    let guesses = [
        format!("{}{flipped}", &text[..text.len() - 1]),
        text[..text.len() - 1].to_owned(),
        format!("{text}A"),
        text.replace("wdb_session_", "wdb_api_"),
        text.replace("wdb_session_", ""),
        text.to_uppercase(),
        format!("{text}%"),
        "wdb_session_%".to_owned(),
        String::new(),
        "wdb_session_".to_owned() + &"A".repeat(100_000),
    ];
    for guess in guesses {
        let answer = match guess.parse::<Token>() {
            Ok(token) => auth::session(&fixture.db, &token, None).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(answer.unwrap_err().is_unauthenticated(), "{guess:.60}");
    }
    assert!(auth::session(&fixture.db, &token, None).await.is_ok());
    let past = admin_tokens::expires_at.eq(diesel::dsl::now);
    diesel::update(admin_tokens::table).set(past).execute(&mut fixture.conn).await.unwrap();
    assert!(auth::session(&fixture.db, &token, None).await.unwrap_err().is_unauthenticated());
}

#[tokio::test]
async fn an_account_that_must_change_its_password_opens_nothing() {
    let mut fixture = Fixture::new().await;
    let (session, token) = fixture.enter("root@example.com").await;
    let must = admin_users::must_change_password.eq(true);
    diesel::update(admin_users::table.find(fixture.root)).set(must).execute(&mut fixture.conn).await.unwrap();
    assert!(auth::session(&fixture.db, &token, None).await.unwrap_err().is_unauthenticated());
    assert!(session.workspace(fixture.a.workspace, &fixture.db).await.unwrap_err().is_not_found());
    assert!(session.platform(&fixture.db).await.unwrap_err().is_forbidden());
}

#[tokio::test]
async fn the_public_side_reads_until_it_is_closed_and_writes_nothing() {
    let fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    auth::publish(&fixture.db, &owner).await.unwrap();
    let scope = fixture.db.published("a").await.unwrap();
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let all: Vec<Document> = documents::table.in_workspace(&scope).load(&mut ws).await.unwrap();
    assert_eq!(all.len(), 1);
    // What does not compile as a scoped write is refused by PostgreSQL as raw SQL.
    let raw = ws
        .under_row_security("a test tries to write", async |conn| {
            Ok::<_, workspace_db::Error>(diesel::sql_query("DELETE FROM documents").execute(conn).await?)
        })
        .await;
    assert!(raw.unwrap_err().to_string().contains("read-only transaction"));
    // A scope that may write can be narrowed, and not the other way round.
    let narrowed = owner.to_write().to_read();
    let mut reading = fixture.db.workspace(&narrowed).await.unwrap();
    assert_eq!(documents::table.in_workspace(&narrowed).count().get_result::<i64>(&mut reading).await.unwrap(), 1);
    let mut writing = fixture.db.workspace(&owner).await.unwrap();
    documents::table.in_workspace(&owner).insert(&NewDocument::new("x")).execute(&mut writing).await.unwrap();

    auth::unpublish(&fixture.db, &owner).await.unwrap();
    assert!(fixture.db.published("a").await.unwrap_err().is_not_found());
    assert!(until_refused(&fixture.db, &scope).await < EVERYWHERE);
}

#[tokio::test]
async fn no_token_is_made_beside_a_change_of_password() {
    let mut fixture = Fixture::new().await;
    let (session, _) = fixture.enter("root@example.com").await;
    // As `change_password` does it: the administrator's row first, then every token.
    let mut holder = fixture.database.connect().await.unwrap();
    for statement in [
        "BEGIN",
        "UPDATE admin_users SET updated_at = now() WHERE email = 'root@example.com'",
        "UPDATE admin_tokens SET revoked_at = now() WHERE revoked_at IS NULL",
    ] {
        diesel::sql_query(statement).execute(&mut holder).await.unwrap();
    }
    let (db, thief) = (fixture.db.clone(), session.clone());
    let making = tokio::spawn(async move { thief.create_token(&db, &"kept".parse().unwrap(), 366).await });
    crate::until(&mut fixture.conn, super::SOMEBODY_WAITS).await;
    diesel::sql_query("COMMIT").execute(&mut holder).await.unwrap();
    assert!(making.await.unwrap().unwrap_err().is_unauthenticated());
    assert!(session.tokens(&fixture.db).await.unwrap_err().is_unauthenticated(), "an ended session lists");
    assert!(session.workspaces(&fixture.db).await.unwrap_err().is_unauthenticated());
}

#[tokio::test]
async fn two_who_end_one_session_at_once_do_not_wait_for_each_other() {
    let fixture = Fixture::new().await;
    for _ in 0..10 {
        let (session, _) = fixture.enter("root@example.com").await;
        let (one, other) = tokio::join!(session.clone().log_out(&fixture.db), session.log_out(&fixture.db));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert!(one.err().or(other.err()).unwrap().is_unauthenticated());
    }
}

#[tokio::test]
async fn a_superadmins_token_does_not_give_what_it_has() {
    let mut fixture = Fixture::new().await;
    let jane = super::admin(&mut fixture.conn, "jane@example.com", AdminRole::Admin).await;
    let (session, _) = fixture.enter("root@example.com").await;
    let (_, token) = session.create_token(&fixture.db, &"import".parse().unwrap(), 1).await.unwrap();
    let program = auth::session(&fixture.db, &token, None).await.unwrap();
    let platform = program.platform(&fixture.db).await.unwrap();
    let name = "x".parse().unwrap();
    for refused in [
        auth::create_admin_token(&fixture.db, &platform, fixture.root, &name, 366).await.map(drop),
        auth::reset_password(&fixture.db, &platform, jane).await.map(drop),
        auth::create_admin(&fixture.db, &platform, &super::new_admin("x@example.com", AdminRole::Superadmin))
            .await
            .map(drop),
        auth::change_role(&fixture.db, &platform, jane, AdminRole::Superadmin).await.map(drop),
        auth::enable(&fixture.db, &platform, jane).await.map(drop),
    ] {
        assert!(refused.unwrap_err().is_forbidden());
    }
    assert!(
        auth::workspaces(&fixture.db, &platform).await.is_ok()
            && auth::disable(&fixture.db, &platform, jane).await.is_ok()
    );
}

/// A server that changes no rows, as a replica does.
#[tokio::test]
async fn a_replica_accepts_the_sessions_of_its_primary_until_they_end() {
    let fixture = Fixture::new().await;
    let read_only = |url: workspace_db::config::DatabaseUrl| -> Option<workspace_db::config::DatabaseUrl> {
        Some(format!("{}?options=-cdefault_transaction_read_only%3Don", url.expose()).parse().unwrap())
    };
    let config = workspace_db::config::Config {
        database_app_url: read_only(fixture.database.app_url().unwrap()),
        database_platform_url: read_only(fixture.database.platform_url().unwrap()),
        ..fixture.database.config().unwrap()
    };
    let replica = fixture.db.open_replica(&config).await.unwrap();
    let root = fixture.log_in("root@example.com").await;
    let scope = root.workspace(fixture.a.workspace, &fixture.db).await.unwrap();
    let mut ws = replica.workspace(&scope).await.unwrap();
    assert_eq!(documents::table.in_workspace(&ws).load::<Document>(&mut ws).await.unwrap().len(), 1);
    let insert = documents::table.in_workspace(&ws).insert(NewDocument::new("x"));
    let error = insert.execute(&mut ws).await.unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    drop(ws);
    // And a scope that was taken from the replica is good for the primary.
    let scope = root.workspace(fixture.a.workspace, &replica).await.unwrap();
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    documents::table.in_workspace(&ws).insert(NewDocument::new("x")).execute(&mut ws).await.unwrap();
    drop(ws);
    root.log_out(&fixture.db).await.unwrap();
    until_refused(&replica, &scope).await;
    let other = workspace_db_testing::TestDatabase::new().await.unwrap().open(2).await.unwrap();
    assert!(other.workspace(&scope).await.unwrap_err().is_invalid_input());
}
