//! Members of a workspace: joining, roles and removal.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::client::ClientInfo;
use super::email::lower;
use super::invitations::{PendingInvitation, is_invited_only};
use super::login::{check_for, replace_sessions, take_hash};
use super::password;
use super::session::AdminSession;
use super::token::{Token, invalid_token};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{WorkspaceAdminId, WorkspaceId};
use crate::models::{AdminUser, NewAuditEntry, WorkspaceAdmin};
use crate::schema::{admin_users, workspace_admins};
use crate::sql_types::AdminRole;
use crate::tenancy::{Actor, Administer, Database, PlatformExecutor, WorkspaceScope, load_readable};

/// Member of a workspace, or an invited administrator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Membership.
    pub membership: WorkspaceAdmin,
    /// Email of the administrator.
    pub email: String,
    /// Given name and family name, once they have joined.
    pub name: (Option<String>, Option<String>),
}

/// Accepts an invitation that created the account, sets the password, and returns a session and its token.
///
/// An administrator who has an account logs in and calls [`AdminSession::accept`] instead. An invitation never replaces
/// a password.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) if the invitation was used or withdrawn, has expired, or is for an
/// account that has an owner; [`is_invalid_input`](Error::is_invalid_input), with the field `password`, if the password
/// is rejected. The invitation then stays valid.
pub async fn join(
    db: &Database,
    invitation: &Token,
    new: &SecretString,
    client: &ClientInfo,
) -> Result<(AdminSession, Token)> {
    let invited: AdminUser = db
        .platform(async |conn| {
            let joining = PendingInvitation::find(conn, invitation, None).await?;
            if is_invited_only(&joining.admin) { Ok(joining.admin) } else { Err(invalid_token()) }
        })
        .await?;
    check_for(&invited, new)?;
    let hash = password::hash(new).await?;
    db.platform(async |conn| {
        let joining = PendingInvitation::find(conn, invitation, None).await?;
        if !is_invited_only(&joining.admin) || !take_hash(conn, &joining.admin, &hash).await? {
            return Err(invalid_token());
        }
        let actor = Actor::Administrator { id: invited.id, address: client.address() };
        joining.join(conn, actor).await?;
        replace_sessions(conn, &invited, "password.set", client).await
    })
    .await
}

/// Lists the members of the scope's workspace and the invited administrators, by email.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn members(db: impl PlatformExecutor, scope: &WorkspaceScope<Administer>) -> Result<Vec<Member>> {
    type Row = (WorkspaceAdmin, String, Option<String>, Option<String>);
    let database = db.token()?;
    db.run(async |conn| {
        scope.actor(conn, database).await?;
        let members = workspace_admins::table
            .inner_join(admin_users::table)
            .filter(workspace_admins::workspace_id.eq(scope.workspace()))
            .order(lower(admin_users::email))
            .select((WorkspaceAdmin::as_select(), admin_users::email, admin_users::first_name, admin_users::last_name));
        let rows: Vec<Row> = load_readable(members, conn).await?;
        let member = |(membership, email, first, last): Row| {
            // An invited administrator has not agreed to show their name here.
            let name = if membership.joined_at.is_some() { (first, last) } else { (None, None) };
            Member { membership, email, name }
        };
        Ok(rows.into_iter().map(member).collect())
    })
    .await
}

/// Changes the role of a member in the scope's workspace. It takes effect with their next request.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such membership;
/// [`is_forbidden`](Error::is_forbidden).
pub async fn change_member_role(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    member: WorkspaceAdminId,
    role: AdminRole,
) -> Result<WorkspaceAdmin> {
    let database = db.token()?;
    db.run(async |conn| {
        // Authorization is checked again after the row lock is taken: the actor may have been removed meanwhile.
        let row = find(conn, scope.workspace(), member).await;
        let actor = scope.actor(conn, database).await?;
        let before = row?;
        let after = diesel::update(workspace_admins::table.find((scope.workspace(), member)))
            .set(workspace_admins::role.eq(role))
            .returning(WorkspaceAdmin::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor, "member.change_role", "workspace_admins", Some(*member.as_uuid()))
            .for_workspace(scope.workspace())
            .change(&before, &after)
            .insert(conn)
            .await?;
        Ok(after)
    })
    .await
}

/// Removes a member from the scope's workspace, or withdraws an invitation. Their access ends within one second.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such membership;
/// [`is_forbidden`](Error::is_forbidden).
pub async fn remove_member(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    member: WorkspaceAdminId,
) -> Result<()> {
    let database = db.token()?;
    db.run(async |conn| {
        // Authorization is checked again after the row lock is taken: the actor may have been removed meanwhile.
        let row = find(conn, scope.workspace(), member).await;
        let actor = scope.actor(conn, database).await?;
        let before = row?;
        diesel::delete(workspace_admins::table.find((scope.workspace(), member))).execute(conn).await?;
        NewAuditEntry::new(actor, "member.remove", "workspace_admins", Some(*member.as_uuid()))
            .for_workspace(scope.workspace())
            .change(&before, &json!(null))
            .insert(conn)
            .await
    })
    .await
}

async fn find(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    member: WorkspaceAdminId,
) -> Result<WorkspaceAdmin> {
    let found = WorkspaceAdmin::query().find((workspace, member)).for_update().first(conn).await.optional()?;
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "this workspace has no such member"))
}
