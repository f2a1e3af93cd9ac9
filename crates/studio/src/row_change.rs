//! A change of a row, as it is applied and undone.

use workspace_db::id::WorkspaceId;

/// Columns with their values as PostgreSQL writes them.
pub(super) type Values = Vec<(String, Option<String>)>;

/// A change of a row.
#[derive(Clone, Debug)]
pub(super) enum RowChange {
    Insert(Values),
    /// Update of the row with that key, if its version is still the same.
    Update {
        key: Values,
        version: String,
        to: Values,
    },
    Delete {
        key: Values,
        version: String,
    },
}

impl RowChange {
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Insert(_) => "row.insert",
            Self::Update { .. } => "row.update",
            Self::Delete { .. } => "row.delete",
        }
    }
}

/// An applied change, and the change that undoes it.
#[derive(Clone, Debug)]
pub(super) struct AppliedChange {
    pub(super) workspace: WorkspaceId,
    pub(super) table: String,
    /// Key of the changed row.
    pub(super) key: Values,
    pub(super) back: RowChange,
}
