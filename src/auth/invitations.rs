//! Invitations of members to a workspace.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::admins::{self, NewAdmin};
use super::email::lower;
use super::password;
use super::token::{Token, TokenKind, days_from_now, invalid_token};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AdminUserId, WorkspaceAdminId, WorkspaceId};
use crate::models::{AdminUser, NewAdminUser, NewAuditEntry, NewWorkspaceAdmin, WorkspaceAdmin};
use crate::schema::{admin_users, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminStatus, Email, PasswordHash, TokenHash};
use crate::tenancy::{Actor, Administer, PlatformExecutor, WorkspaceScope};

/// Number of days for which an invitation can be accepted.
const INVITATION_DAYS: i64 = 7;

/// Invitation to a workspace.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Membership, which takes effect when the invitation is accepted.
    pub membership: WorkspaceAdmin,
    /// Token that accepts the invitation once, within 7 days. It is shown only here; send it to the email.
    pub token: Token,
    /// True if the invited person must set a password with [`join`](super::join); otherwise they log in and accept. Use
    /// it in the message to them only. It must not reach the inviter, because it reveals whether the email has an
    /// account.
    pub is_new: bool,
}

/// Invites the owner of an email into the scope's workspace, with a role there.
///
/// If the email has no account, this creates one that can't be used until the invitation is accepted. Another
/// invitation replaces an open one.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if they are already a member; [`is_not_found`](Error::is_not_found) and
/// [`is_forbidden`](Error::is_forbidden) if the scope's administrator may no longer administer the workspace.
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
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    email: &Email,
    role: AdminRole,
) -> Result<Invitation> {
    // Computed in every case, so that the duration of an invitation does not reveal whether the email has an account.
    let unusable = password::unusable().await?;
    let database = db.token()?;
    db.run(async |conn| {
        let actor = scope.actor(conn, database).await?;
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
            // Another transaction has inserted this account since the query above.
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
        Error::new(ErrorKind::Conflict, format!("{email} is already a member of this workspace")).of_field("email")
    })?;
    NewAuditEntry::new(actor, "member.invite", "workspace_admins", Some(*membership.id.as_uuid()))
        .for_workspace(workspace)
        .made(&json!({ "email": email, "role": role, "admin_user_id": admin.id }))
        .insert(conn)
        .await?;
    let is_new = is_invited_only(&admin);
    Ok(Invitation { membership, token, is_new })
}

/// Returns true if an invitation created the account and its owner has not set a password yet.
///
/// Only such an account may get its password from an invitation. An account with a password secret, and every
/// superadmin, must use another way.
pub(super) fn is_invited_only(admin: &AdminUser) -> bool {
    admin.is_invited && admin.role == AdminRole::Admin && admin.status == AdminStatus::Active
}

/// Invitation that can be accepted, with its row locked.
pub(super) struct PendingInvitation {
    workspace: WorkspaceId,
    membership: WorkspaceAdminId,
    pub(super) admin: AdminUser,
}

impl PendingInvitation {
    /// Finds the invitation of this token. `by` is the administrator who accepts it, if known.
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
        // The administrator's row is locked before the membership's, as everywhere. The invitation may have changed by
        // then.
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
            .for_workspace(self.workspace)
            .made(&json!({ "admin_user_id": self.admin.id }))
            .insert(conn)
            .await?;
        Ok(self.workspace)
    }
}
