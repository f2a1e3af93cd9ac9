//! Table `players`.

use diesel::prelude::*;
use workspace_db::id::WorkspaceId;

use crate::registry::{PlayerId, TeamId};
use crate::schema::players;

/// People of a group.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = players)]
pub struct Player {
    /// Identity within the workspace.
    pub id: PlayerId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The team.
    pub team_id: TeamId,
    /// The name.
    pub name: String,
}

/// A row of `players` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = players)]
pub struct NewPlayer {
    /// Identity within the workspace.
    pub id: PlayerId,
    /// The team.
    pub team_id: TeamId,
    /// The name.
    pub name: String,
}

impl NewPlayer {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(team_id: TeamId, name: String) -> Self {
        Self { id: PlayerId::generate(), team_id, name }
    }
}

/// Changes to a row of `players`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = players)]
pub struct PlayerChanges {
    /// The team.
    pub team_id: Option<TeamId>,
    /// The name.
    pub name: Option<String>,
}

workspace_db::tenant_rows! {
    players: NewPlayer, PlayerChanges;
}
