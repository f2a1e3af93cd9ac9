//! The description of an archive, which the archive contains.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::id::WorkspaceId;

/// Description of an archive's content, from its last file but one, `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: String,
    pub(super) version: u32,
    /// Workspace or person that the rows belong to.
    pub holds: ArchiveScope,
    /// Workspace of the rows.
    pub workspace: WorkspaceId,
    /// Slug of the workspace when the archive was created.
    pub slug: String,
    /// Time of the snapshot that all rows come from.
    pub taken_at: DateTime<Utc>,
    /// Version of the last migration of the source database.
    pub schema: String,
    /// Tables, each after the tables that it refers to.
    pub tables: Vec<ArchivedTable>,
}

/// Workspace or person that the rows of an archive belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ArchiveScope {
    /// All rows of a workspace.
    Workspace,
    /// Rows of one person of a workspace.
    Person {
        /// Id of the person in the embedding application.
        external_user_id: String,
    },
}

/// Table in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedTable {
    /// Name of the table.
    pub name: String,
    /// Columns of the table in the archive. The column of the workspace is omitted, because it is the same in each row.
    pub columns: Vec<String>,
    /// Number of rows.
    pub rows: u64,
    /// Checksum of the rows.
    pub digest: Digest,
    /// Files that contain the rows.
    pub parts: Vec<ArchivePart>,
}

/// File of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivePart {
    /// Path in the archive.
    pub file: String,
    /// Number of rows.
    pub rows: u64,
    /// Uncompressed size in bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Returns the number of rows in all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}
