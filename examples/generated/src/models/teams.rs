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

/// A row of `teams` to insert. The workspace is not in it: the scope supplies it.
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
    /// What is needed; the id is fresh, and everything else is absent.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { id: TeamId::generate(), lead_id: None, name }
    }
}

/// What may change in a row of `teams`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
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
