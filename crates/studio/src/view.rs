//! Views: one workspace, or the platform, which sees all workspaces.

use uuid::Uuid;

use super::params::Params;
use workspace_db::id::WorkspaceId;

/// Name of the platform in an address, in the position of a workspace's id.
pub(super) const PLATFORM: &str = "platform";

/// View of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Platform,
    Workspace { id: WorkspaceId, slug: String, name: String },
}

impl View {
    pub(super) fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Platform => None,
            Self::Workspace { id, .. } => Some(*id),
        }
    }

    /// Returns the address of a page in this view.
    pub(super) fn path(&self, page: &str) -> String {
        match self {
            Self::Platform => format!("/{PLATFORM}/{page}"),
            Self::Workspace { id, .. } => format!("/{id}/{page}"),
        }
    }

    /// Returns the address of a row, by the names and values of its key.
    pub(super) fn row<'k>(&self, table: &str, key: impl IntoIterator<Item = (&'k str, String)>) -> String {
        let with = |params: Params, (name, value): (&str, String)| params.with(&format!("k.{name}"), value);
        let params = key.into_iter().fold(Params::default(), with);
        params.at(&self.path(&format!("tables/{table}/row"))).into_owned()
    }

    /// Returns the address of a row in a table of this crate.
    pub(super) fn known_row(&self, table: &str, workspace: WorkspaceId, id: Uuid) -> String {
        self.row(table, [("workspace_id", workspace.to_string()), ("id", id.to_string())])
    }
}
