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

/// A row of `players` to insert. The workspace is not in it: the scope supplies it.
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
    /// What is needed; the id is fresh, and everything else is absent.
    #[must_use]
    pub fn new(team_id: TeamId, name: String) -> Self {
        Self { id: PlayerId::generate(), team_id, name }
    }
}

/// What may change in a row of `players`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel.
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
