//! Table `workspace_admins`: members, the administrators of a workspace and their roles.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{AdminUserId, WorkspaceAdminId, WorkspaceId};
use crate::schema::workspace_admins;
use crate::sql_types::{AdminRole, TokenHash};

/// Membership of an administrator in a workspace.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = workspace_admins)]
pub struct WorkspaceAdmin {
    /// Identity within the workspace.
    pub id: WorkspaceAdminId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The administrator.
    pub admin_user_id: AdminUserId,
    /// Role in this workspace.
    pub role: AdminRole,
    /// Time of the invitation.
    pub invited_at: DateTime<Utc>,
    /// Time of acceptance; NULL for an open invitation.
    pub joined_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Expiry of the invitation.
    pub invitation_expires_at: Option<DateTime<Utc>>,
}

/// A row of `workspace_admins` to insert. It has no workspace: [`auth`](crate::auth) adds members.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = workspace_admins)]
pub struct NewWorkspaceAdmin {
    /// Identity within the workspace.
    pub id: WorkspaceAdminId,
    /// The administrator.
    pub admin_user_id: AdminUserId,
    /// Role in this workspace.
    pub role: Option<AdminRole>,
    /// Time of the invitation.
    pub invited_at: Option<DateTime<Utc>>,
    /// Time of acceptance; NULL for an open invitation.
    pub joined_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token that accepts the invitation once.
    pub invitation_hash: Option<TokenHash>,
    /// Expiry of the invitation.
    pub invitation_expires_at: Option<DateTime<Utc>>,
}

impl NewWorkspaceAdmin {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(admin_user_id: AdminUserId) -> Self {
        Self {
            id: WorkspaceAdminId::generate(),
            admin_user_id,
            role: None,
            invited_at: None,
            joined_at: None,
            invitation_hash: None,
            invitation_expires_at: None,
        }
    }
}
