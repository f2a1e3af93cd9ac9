//! The result of an import.

use serde::{Deserialize, Serialize};

use super::adapt::OmittedRows;
use crate::id::WorkspaceId;

/// Result of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Imported workspace.
    pub workspace: WorkspaceId,
    /// Slug of the workspace.
    pub slug: String,
    /// Number of rows in the archive.
    pub rows: u64,
    /// Number of rows that an earlier run had already written.
    pub found: u64,
    /// Emails of administrators that were unknown here. Each now has an account without a password.
    pub people_added: Vec<String>,
    /// Rows that were omitted or changed.
    pub left_out: OmittedRows,
    /// Emails of members that must be invited again, because a membership must be accepted in this database.
    #[serde(default)]
    pub to_invite: Vec<String>,
}
