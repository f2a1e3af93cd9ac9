//! What an archive says of itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::id::WorkspaceId;

pub(super) const FORMAT: &str = "workspace-db archive";
/// Of the format; that of the schema stands beside it.
pub(super) const VERSION: u32 = 1;

/// What an archive holds, as it says itself in its last but one file, `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: String,
    pub(super) version: u32,
    /// Whose rows they are.
    pub holds: ArchiveScope,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug when the archive was made.
    pub slug: String,
    /// Time of the snapshot that all rows are of.
    pub taken_at: DateTime<Utc>,
    /// Version of the last migration of the database that they are of.
    pub schema: String,
    /// The tables, what is referred to before what refers to it.
    pub tables: Vec<ArchivedTable>,
}

/// Whose rows an archive holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ArchiveScope {
    /// All of a workspace.
    Workspace,
    /// Those of one person of a workspace.
    Person {
        /// The person, as the embedding application knows them.
        external_user_id: String,
    },
}

/// A table in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedTable {
    /// Its name.
    pub name: String,
    /// Columns that the archive has of it. The workspace's is not among them: it is the same in each row.
    pub columns: Vec<String>,
    /// How many rows.
    pub rows: u64,
    /// Their checksum.
    pub digest: Digest,
    /// The files that hold them.
    pub parts: Vec<ArchivePart>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivePart {
    /// Its path in the archive.
    pub file: String,
    /// How many rows.
    pub rows: u64,
    /// Its length in bytes, when it is unpacked.
    pub bytes: u64,
}

impl Manifest {
    /// How many rows, of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}
