//! Table `workspace_admins`: which administrators may enter a workspace, and as what.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{AdminUserId, WorkspaceAdminId, WorkspaceId};
use crate::schema::workspace_admins;
use crate::sql_types::{AdminRole, TokenHash};

/// An administrator's place in a workspace.
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
    /// Time of the acceptance, NULL while it is open.
    pub joined_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time until which the invitation can be accepted.
    pub invitation_expires_at: Option<DateTime<Utc>>,
}

/// A row of `workspace_admins` to insert. The workspace is not in it: [`auth`](crate::auth) adds members.
///
/// `None` leaves a column to its default, or to NULL where it has none.
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
    /// Time of the acceptance, NULL while it is open.
    pub joined_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token that accepts the invitation, once.
    pub invitation_hash: Option<TokenHash>,
    /// Time until which the invitation can be accepted.
    pub invitation_expires_at: Option<DateTime<Utc>>,
}

impl NewWorkspaceAdmin {
    /// What is needed; everything else has its default, and the id is fresh.
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
