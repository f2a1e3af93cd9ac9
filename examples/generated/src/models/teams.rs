//! Table `teams`.

use diesel::prelude::*;
use workspace_db::id::WorkspaceId;

use crate::registry::{PlayerId, TeamId};
use crate::schema::teams;

/// Groups of people.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = teams)]
pub struct Team {
    /// Identity within the workspace.
    pub id: TeamId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The lead.
    pub lead_id: Option<PlayerId>,
    /// The name.
    pub name: String,
}

/// A row of `teams` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = teams)]
pub struct NewTeam {
    /// Identity within the workspace.
    pub id: TeamId,
    /// The lead.
    pub lead_id: Option<PlayerId>,
    /// The name.
    pub name: String,
}

impl NewTeam {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { id: TeamId::generate(), lead_id: None, name }
    }
}

/// Changes to a row of `teams`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = teams)]
pub struct TeamChanges {
    /// The lead.
    pub lead_id: Option<Option<PlayerId>>,
    /// The name.
    pub name: Option<String>,
}

workspace_db::tenant_rows! {
    teams: NewTeam, TeamChanges;
}
