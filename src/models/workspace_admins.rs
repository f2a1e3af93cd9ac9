//! Table `workspace_admins`: which administrators may enter a workspace, and as what.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{AdminUserId, WorkspaceAdminId, WorkspaceId};
use crate::schema::workspace_admins;
use crate::sql_types::AdminRole;

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
}

/// A row of `workspace_admins` to insert. The workspace is not in it: the statement supplies it.
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
}

impl NewWorkspaceAdmin {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(admin_user_id: AdminUserId) -> Self {
        Self { id: WorkspaceAdminId::generate(), admin_user_id, role: None, invited_at: None, joined_at: None }
    }
}

/// What may change in a row of `workspace_admins`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = workspace_admins)]
pub struct WorkspaceAdminChanges {
    /// Role in this workspace.
    pub role: Option<AdminRole>,
    /// Time of the acceptance, NULL while it is open.
    pub joined_at: Option<Option<DateTime<Utc>>>,
}

crate::tenant_rows! {
    workspace_admins: NewWorkspaceAdmin, WorkspaceAdminChanges;
}
