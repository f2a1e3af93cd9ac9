//! The members of a workspace: invited, joined, of a role, removed.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::admins::{self, NewAdmin};
use super::login::{check_for, days_from_now, replace_sessions, take_hash};
use super::password;
use super::session::AdminSession;
use super::token::{Token, TokenKind, invalid_token};
use super::{ClientInfo, lower};
use crate::error::{Error, Kind, Result};
use crate::id::{AdminUserId, WorkspaceAdminId, WorkspaceId};
use crate::models::{AdminUser, NewAdminUser, NewAuditEntry, NewWorkspaceAdmin, WorkspaceAdmin};
use crate::schema::{admin_users, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminStatus, Email, PasswordHash, TokenHash};
use crate::tenancy::{Actor, Administer, Database, WorkspaceScope, load_readable};

/// Days that an invitation can be accepted.
const INVITATION_DAYS: i64 = 7;

/// An invitation that was made.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The membership, which counts from its acceptance on.
    pub membership: WorkspaceAdmin,
    /// What accepts it, once, within 7 days: shown this once, send it to the email.
    pub token: Token,
    /// Whether the invited have yet to set a password, by [`join`]; else they log in and accept it. For the message to
    /// them, and not for whoever invites: it tells whether the email has an account.
    pub is_new: bool,
}

/// A member of a workspace, or somebody who is invited.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// The membership.
    pub membership: WorkspaceAdmin,
    /// The administrator's email.
    pub email: String,
    /// Their given and family name, once they have joined.
    pub name: (Option<String>, Option<String>),
}

/// Invites the owner of an email into the scope's workspace, with a role there.
///
/// Where nobody has the email an account is made for it, which opens nothing before the invitation is accepted. Inviting
/// again replaces an open invitation.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) where they are a member already; [`is_not_found`](Error::is_not_found) and
/// [`is_forbidden`](Error::is_forbidden) where the scope's administrator may not do so any more.
///
/// ```no_run
/// use workspace_db::auth::invite;
/// use workspace_db::sql_types::AdminRole;
/// use workspace_db::tenancy::{Administer, Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope<Administer>) -> workspace_db::Result<()> {
/// let invited = invite(db, scope, &"jane@example.com".parse()?, AdminRole::Admin).await?;
/// println!("https://example.com/join#{}", invited.token.expose());
/// # Ok(())
/// # }
/// ```
pub async fn invite(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    email: &Email,
    role: AdminRole,
) -> Result<Invitation> {
    // Made whether it is needed or not: how long an invitation takes does not tell who has an account.
    let unusable = password::unusable().await?;
    db.platform(async |conn| {
        let actor = scope.actor(conn, db).await?;
        invite_to(conn, scope.workspace(), actor, email, role, unusable).await
    })
    .await
}

pub(super) async fn invite_to(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    actor: Actor,
    email: &Email,
    role: AdminRole,
    unusable: PasswordHash,
) -> Result<Invitation> {
    let of_email = || AdminUser::query().filter(lower(admin_users::email).eq(email));
    let found: Option<AdminUser> = of_email().first(conn).await.optional()?;
    let admin = if let Some(admin) = found {
        admin
    } else {
        let new = NewAdmin { email: email.clone(), role: AdminRole::Admin, first_name: None, last_name: None };
        let row = NewAdminUser { is_invited: Some(true), ..admins::pending(&new, unusable) };
        match admins::insert(conn, &row).await? {
            Some(admin) => {
                let entry = NewAuditEntry::new(actor.clone(), "admin.create", "admin_users", Some(*admin.id.as_uuid()));
                entry.made(&admin).insert(conn).await?;
                admin
            }
            // Another workspace has invited them at this moment.
            None => of_email().first(conn).await?,
        }
    };
    let token = Token::generate(TokenKind::Invitation, Some(workspace))?;
    let row = NewWorkspaceAdmin {
        role: Some(role),
        invitation_hash: Some(token.hash()),
        invitation_expires_at: Some(days_from_now(INVITATION_DAYS)),
        ..NewWorkspaceAdmin::new(admin.id)
    };
    let theirs = workspace_admins::table
        .filter(workspace_admins::workspace_id.eq(workspace).and(workspace_admins::admin_user_id.eq(admin.id)));
    let again = (
        workspace_admins::role.eq(role),
        workspace_admins::invited_at.eq(now),
        workspace_admins::invitation_hash.eq(&row.invitation_hash),
        workspace_admins::invitation_expires_at.eq(row.invitation_expires_at),
    );
    let replaced = diesel::update(theirs.filter(workspace_admins::joined_at.is_null()))
        .set(again)
        .returning(WorkspaceAdmin::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    let membership: Option<WorkspaceAdmin> = match replaced {
        Some(membership) => Some(membership),
        None => diesel::insert_into(workspace_admins::table)
            .values((workspace_admins::workspace_id.eq(workspace), &row))
            .on_conflict_do_nothing()
            .returning(WorkspaceAdmin::as_returning())
            .get_result(conn)
            .await
            .optional()?,
    };
    let membership = membership.ok_or_else(|| {
        Error::new(Kind::Conflict, format!("{email} is a member of this workspace already")).of_field("email")
    })?;
    NewAuditEntry::new(actor, "member.invite", "workspace_admins", Some(*membership.id.as_uuid()))
        .of(workspace)
        .made(&json!({ "email": email, "role": role, "admin_user_id": admin.id }))
        .insert(conn)
        .await?;
    let is_new = is_invited_only(&admin);
    Ok(Invitation { membership, token, is_new })
}

/// Whether an account was made by an invitation and has never been anybody's: such a one, and no other, gets its password
/// by accepting one. Whoever was given a password secret, and every superadmin, proves themselves in another way.
fn is_invited_only(admin: &AdminUser) -> bool {
    admin.is_invited && admin.role == AdminRole::Admin && admin.status == AdminStatus::Active
}

/// An invitation that can be accepted, its row locked.
pub(super) struct PendingInvitation {
    workspace: WorkspaceId,
    membership: WorkspaceAdminId,
    admin: AdminUser,
}

impl PendingInvitation {
    /// The invitation of that token; `by` is who accepts it, where that is known.
    pub(super) async fn find(
        conn: &mut AsyncPgConnection,
        invitation: &Token,
        by: Option<AdminUserId>,
    ) -> Result<Self> {
        invitation.require_kind(&[TokenKind::Invitation])?;
        let workspace = invitation.workspace()?;
        let is_open: bool = diesel::select(diesel::dsl::exists(
            workspaces::table.filter(workspaces::id.eq(workspace).and(workspaces::is_active)).select(workspaces::id),
        ))
        .get_result(conn)
        .await?;
        let hash = invitation.hash();
        let open = workspace_admins::table
            .filter(workspace_admins::workspace_id.eq(workspace))
            .filter(workspace_admins::invitation_hash.eq(&hash))
            .filter(workspace_admins::invitation_expires_at.gt(now).and(workspace_admins::joined_at.is_null()));
        let invited: Option<AdminUserId> = open.select(workspace_admins::admin_user_id).first(conn).await.optional()?;
        let is_meant = |invited: &AdminUserId| is_open && by.is_none_or(|by| by == *invited);
        let invited = invited.filter(is_meant).ok_or_else(invalid_token)?;
        // The administrator before the membership, as everywhere; then the invitation may be another's by now.
        let admin = AdminUser::query().find(invited).for_no_key_update().first(conn).await?;
        let of_them =
            open.filter(workspace_admins::admin_user_id.eq(invited)).select(workspace_admins::id).for_update();
        let membership: Option<WorkspaceAdminId> = of_them.first(conn).await.optional()?;
        Ok(Self { workspace, membership: membership.ok_or_else(invalid_token)?, admin })
    }

    pub(super) async fn join(self, conn: &mut AsyncPgConnection, actor: Actor) -> Result<WorkspaceId> {
        let set = (
            workspace_admins::joined_at.eq(now),
            workspace_admins::invitation_hash.eq(None::<TokenHash>),
            workspace_admins::invitation_expires_at.eq(None::<DateTime<Utc>>),
        );
        diesel::update(workspace_admins::table.find((self.workspace, self.membership))).set(set).execute(conn).await?;
        NewAuditEntry::new(actor, "member.join", "workspace_admins", Some(*self.membership.as_uuid()))
            .of(self.workspace)
            .made(&json!({ "admin_user_id": self.admin.id }))
            .insert(conn)
            .await?;
        Ok(self.workspace)
    }
}

/// Accepts an invitation that made the account, under the password that its owner sets with it; a session and its token.
///
/// Who has an account logs in and calls [`AdminSession::accept`] instead: an invitation is no way to a password.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) where the invitation was used, withdrawn, has expired, or is for an
/// account that is somebody's; [`is_invalid_input`](Error::is_invalid_input), with the field `password`, where it is none
/// that is taken, and the invitation stays good.
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

/// The members of the scope's workspace and those who are invited, by email.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn members(db: &Database, scope: &WorkspaceScope<Administer>) -> Result<Vec<Member>> {
    type Row = (WorkspaceAdmin, String, Option<String>, Option<String>);
    db.platform(async |conn| {
        scope.actor(conn, db).await?;
        let members = workspace_admins::table
            .inner_join(admin_users::table)
            .filter(workspace_admins::workspace_id.eq(scope.workspace()))
            .order(lower(admin_users::email))
            .select((WorkspaceAdmin::as_select(), admin_users::email, admin_users::first_name, admin_users::last_name));
        let rows: Vec<Row> = load_readable(members, conn).await?;
        let member = |(membership, email, first, last): Row| {
            // Who is invited has not agreed to be known here.
            let name = if membership.joined_at.is_some() { (first, last) } else { (None, None) };
            Member { membership, email, name }
        };
        Ok(rows.into_iter().map(member).collect())
    })
    .await
}

/// Gives a member of the scope's workspace another role there, from their next request on.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where there is no such membership here; [`is_forbidden`](Error::is_forbidden).
pub async fn change_member_role(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    member: WorkspaceAdminId,
    role: AdminRole,
) -> Result<WorkspaceAdmin> {
    db.platform(async |conn| {
        // Held before it is asked who acts: whoever waited here for the one who removed them is out.
        let held = find(conn, scope.workspace(), member).await;
        let actor = scope.actor(conn, db).await?;
        let before = held?;
        let after = diesel::update(workspace_admins::table.find((scope.workspace(), member)))
            .set(workspace_admins::role.eq(role))
            .returning(WorkspaceAdmin::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor, "member.change_role", "workspace_admins", Some(*member.as_uuid()))
            .of(scope.workspace())
            .change(&before, &after)
            .insert(conn)
            .await?;
        Ok(after)
    })
    .await
}

/// Removes a member from the scope's workspace, or withdraws an invitation; they are out within a second.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where there is no such membership here; [`is_forbidden`](Error::is_forbidden).
pub async fn remove_member(db: &Database, scope: &WorkspaceScope<Administer>, member: WorkspaceAdminId) -> Result<()> {
    db.platform(async |conn| {
        // Held before it is asked who acts: whoever waited here for the one who removed them is out.
        let held = find(conn, scope.workspace(), member).await;
        let actor = scope.actor(conn, db).await?;
        let before = held?;
        diesel::delete(workspace_admins::table.find((scope.workspace(), member))).execute(conn).await?;
        NewAuditEntry::new(actor, "member.remove", "workspace_admins", Some(*member.as_uuid()))
            .of(scope.workspace())
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
    found.ok_or_else(|| Error::new(Kind::NotFound, "there is no such member of this workspace"))
}
