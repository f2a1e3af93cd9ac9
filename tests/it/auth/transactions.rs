//! Actions of the platform in the caller's transaction.

use std::pin::pin;

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::future::{Either, select};
use workspace_db::Error;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::id::WorkspaceId;
use workspace_db::models::{NewDatasource, NewWorkspace, NewWorkspaceSettings};
use workspace_db::schema::{admin_users, datasources, service_tokens, workspace_admins, workspaces};
use workspace_db::sql_types::{AdminRole, DatasourceType, ServiceAccess};
use workspace_db::tenancy::{PlatformScope, RawConnection, WorkspaceScope};

use super::{Fixture, new_admin};

/// Signs a customer up: a workspace, a row of the caller's own, a token, another member and the publication.
async fn sign_up(conn: &mut RawConnection, platform: &PlatformScope) -> workspace_db::Result<WorkspaceId> {
    let new = NewWorkspace::new("acme".parse()?, "Acme".parse()?);
    let jane = "jane@example.com".parse()?;
    let made =
        auth::create_workspace(&mut *conn, platform, &new, &NewWorkspaceSettings::default(), Some(&jane)).await?;
    let workspace = made.workspace.id;
    diesel::insert_into(datasources::table)
        .values((datasources::workspace_id.eq(workspace), &NewDatasource::new("Handbook", DatasourceType::File)))
        .execute(conn)
        .await?;
    let scope = WorkspaceScope::unchecked_administer(workspace, "the customer signs up");
    auth::create_service_token(&mut *conn, &scope, &"bot".parse()?, ServiceAccess::Write, 30).await?;
    auth::invite(&mut *conn, &scope, &"joe@example.com".parse()?, AdminRole::Admin).await?;
    auth::publish(conn, &scope).await?;
    Ok(workspace)
}

/// The rows that [`sign_up`] makes, by table.
async fn rows_of_sign_up(fixture: &mut Fixture) -> [i64; 5] {
    let conn = &mut fixture.conn;
    let acme = workspaces::table.filter(workspaces::slug.eq("acme")).select(workspaces::id);
    let emails = ["jane@example.com", "joe@example.com"];
    [
        acme.count().get_result(conn).await.unwrap(),
        datasources::table.filter(datasources::workspace_id.eq_any(acme)).count().get_result(conn).await.unwrap(),
        service_tokens::table.filter(service_tokens::workspace_id.eq_any(acme)).count().get_result(conn).await.unwrap(),
        workspace_admins::table
            .filter(workspace_admins::workspace_id.eq_any(acme))
            .count()
            .get_result(conn)
            .await
            .unwrap(),
        admin_users::table.filter(admin_users::email.eq_any(emails)).count().get_result(conn).await.unwrap(),
    ]
}

#[tokio::test]
async fn a_workspace_and_the_callers_own_rows_are_made_together_or_not_at_all() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let audited = fixture.audit_actions().await;
    let gave_up = fixture
        .db
        .across_workspaces("a customer signs up", async |conn| {
            sign_up(conn, &platform).await?;
            Err::<(), _>(Error::invalid("the payment was refused"))
        })
        .await
        .unwrap_err();
    assert!(gave_up.to_string().contains("payment"), "{gave_up}");
    assert_eq!(rows_of_sign_up(&mut fixture).await, [0; 5]);
    assert_eq!(fixture.audit_actions().await, audited);

    let made =
        fixture.db.across_workspaces("a customer signs up", async |conn| sign_up(conn, &platform).await).await.unwrap();
    assert_eq!(rows_of_sign_up(&mut fixture).await, [1, 1, 1, 2, 2]);
    assert_eq!(fixture.db.published("acme").await.unwrap().workspace(), made);
    let actions = fixture.audit_actions().await;
    let new = actions.strip_prefix(audited.as_slice()).unwrap();
    assert_eq!(new.iter().filter(|action| *action == "workspace.create").count(), 1);
    assert!(new.contains(&"service_token.create".to_owned()), "{new:?}");
}

#[tokio::test]
async fn a_failed_action_leaves_the_callers_transaction_as_it_was() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let taken = NewWorkspace::new("a".parse().unwrap(), "A".parse().unwrap());
    let eve = "eve@example.com".parse().unwrap();
    fixture
        .db
        .across_workspaces("a slug that is taken", async |conn| {
            auth::create_admin(&mut *conn, &platform, &new_admin("ann@example.com", AdminRole::Admin)).await?;
            let settings = NewWorkspaceSettings::default();
            let error = auth::create_workspace(&mut *conn, &platform, &taken, &settings, Some(&eve)).await.unwrap_err();
            assert!(error.is_conflict() && error.field() == Some("slug"), "{error}");
            // A statement that PostgreSQL refuses would end a transaction without the savepoint.
            let own = NewWorkspace { id: WorkspaceId::PLATFORM, ..NewWorkspace::new("nil".parse()?, "Nil".parse()?) };
            let error = auth::create_workspace(&mut *conn, &platform, &own, &settings, None).await.unwrap_err();
            assert!(error.is_invalid_input(), "{error}");
            auth::admins(conn, &platform).await.map(drop)
        })
        .await
        .unwrap();
    let emails: Vec<String> = admin_users::table
        .filter(admin_users::email.eq_any(["ann@example.com", "eve@example.com"]))
        .select(admin_users::email)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(emails, ["ann@example.com"]);
}

/// A statement that waits keeps the action from its end, and the caller gives the action up.
#[tokio::test]
async fn an_action_that_was_cut_short_leaves_nothing() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let audited = fixture.audit_actions().await;
    // The action inserts the workspace, and then waits for this lock to insert its settings.
    fixture.conn.batch_execute("BEGIN; LOCK TABLE workspace_settings IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let new = NewWorkspace::new("acme".parse().unwrap(), "Acme".parse().unwrap());
    let (mut watcher, locker, db) = (fixture.database.connect().await.unwrap(), &mut fixture.conn, &fixture.db);
    let ended = db
        .across_workspaces("an action that is given up", async |conn| {
            let settings = NewWorkspaceSettings::default();
            {
                let action = pin!(auth::create_workspace(&mut *conn, &platform, &new, &settings, None));
                let waits = pin!(crate::until(&mut watcher, super::SOMEBODY_WAITS));
                assert!(matches!(select(action, waits).await, Either::Right(_)), "the action has ended");
            }
            locker.batch_execute("ROLLBACK").await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert!(ended.is_interrupted(), "{ended}");
    assert_eq!(rows_of_sign_up(&mut fixture).await, [0; 5]);
    assert_eq!(fixture.audit_actions().await, audited);
}

#[tokio::test]
async fn the_callers_transaction_gives_no_right_that_the_scope_lacks() {
    let mut fixture = Fixture::new().await;
    let platform = fixture.platform().await;
    let owner = fixture.administer().await;
    let deputy = fixture.member("deputy@example.com", &fixture.b.clone(), AdminRole::Superadmin).await;
    // The superadmin loses the role in the same transaction, before the action.
    let root = fixture.root;
    let refused = fixture
        .db
        .across_workspaces("the actor loses the role", async |conn| {
            diesel::update(admin_users::table.find(deputy))
                .set(admin_users::role.eq(AdminRole::Superadmin))
                .execute(conn)
                .await?;
            diesel::update(admin_users::table.find(root))
                .set(admin_users::role.eq(AdminRole::Admin))
                .execute(conn)
                .await?;
            let of_platform = auth::admins(&mut *conn, &platform).await.unwrap_err();
            let of_workspace = auth::publish(conn, &owner).await.unwrap_err();
            assert!(of_workspace.is_forbidden() || of_workspace.is_not_found(), "{of_workspace}");
            Err::<(), _>(of_platform)
        })
        .await
        .unwrap_err();
    assert!(refused.is_forbidden(), "{refused}");

    // A scope of another `Database`.
    let other = fixture.database.open(2).await.unwrap();
    let foreign = other
        .across_workspaces("a scope of another database", async |conn| auth::admins(conn, &platform).await)
        .await
        .unwrap_err();
    assert!(foreign.to_string().contains("belongs to another `Database`"), "{foreign}");

    // A connection that sees one workspace.
    let scope = WorkspaceScope::unchecked(fixture.a.workspace, "the test writes in a");
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let misused = ws
        .under_row_security("an action of the platform", async |conn| auth::admins(conn, &platform).await)
        .await
        .unwrap_err();
    assert!(misused.to_string().contains("sees one workspace"), "{misused}");
    auth::log_in(&fixture.db, "root@example.com", &super::password(), &ClientInfo::default()).await.unwrap();
}
