//! The description of an archive, which the archive contains.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::archive_format::MANIFEST;
use super::content::WORKSPACES;
use super::digest::Digest;
use crate::error::{Error, Result};
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

impl Manifest {
    /// Returns the manifest of a reader that has read none yet.
    pub(super) fn nothing() -> Self {
        Self {
            format: String::new(),
            version: 0,
            holds: ArchiveScope::Workspace,
            workspace: WorkspaceId::PLATFORM,
            slug: String::new(),
            taken_at: DateTime::UNIX_EPOCH,
            schema: String::new(),
            tables: Vec::new(),
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().flat_map(|table| &table.parts).map(|part| part.file.as_str())
    }

    /// Verifies that the manifest is consistent.
    pub(super) fn check(&self) -> Result<()> {
        let all = self.tables.iter().try_fold(0_u64, |sum, table| sum.checked_add(table.rows));
        all.ok_or_else(|| Error::invalid(format!("{MANIFEST}: its number of rows is too large")))?;
        let mut names = BTreeSet::new();
        for table in &self.tables {
            if !names.insert(table.name.as_str()) {
                return Err(Error::invalid(format!("{MANIFEST}: table {} occurs twice", table.name)));
            }
            if table.columns.iter().collect::<BTreeSet<_>>().len() != table.columns.len() {
                return Err(Error::invalid(format!("{MANIFEST}: a column of {} occurs twice", table.name)));
            }
            let of_parts = table.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.rows));
            if of_parts != Some(table.rows) {
                return Err(Error::invalid(format!(
                    "{MANIFEST}: the parts of {} do not add up to its {} rows",
                    table.name, table.rows
                )));
            }
            let foreign =
                |part: &&ArchivePart| part.file.split_once('/').is_none_or(|(folder, _)| folder != table.name);
            if let Some(part) = table.parts.iter().find(foreign) {
                return Err(Error::invalid(format!("{MANIFEST}: {} is not a file of table {}", part.file, table.name)));
            }
        }
        let of_one = |name: &str| self.tables.iter().find(|table| table.name == name).map(|table| table.rows);
        if self.holds == ArchiveScope::Workspace && of_one(WORKSPACES) != Some(1) {
            return Err(Error::invalid(format!("{MANIFEST}: the archive does not contain exactly one workspace")));
        }
        Ok(())
    }
}
