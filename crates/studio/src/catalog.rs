//! The tables and their properties, read from the database, so that your own tables are shown too.

use postgres_protocol::escape::escape_identifier;
use serde::Deserialize;

use super::column_kind::ColumnKind;
use super::problem::Problem;
use super::statement::DynamicStatement;
use super::view::View;
use workspace_db::{Error, ErrorKind, Result};

/// The readable tables, by name.
#[derive(Debug)]
pub(super) struct TableCatalog {
    pub(super) tables: Vec<TableInfo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TableInfo {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    /// Number of rows at the last ANALYZE; -1 without one.
    pub(super) estimate: f64,
    /// True if a workspace can read its rows.
    pub(super) in_workspace: bool,
    /// True if a workspace can change its rows.
    pub(super) is_written: bool,
    pub(super) columns: Vec<ColumnInfo>,
    /// Columns of the primary key; empty if it contains a secret.
    pub(super) key: Vec<String>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) indexes: Vec<IndexInfo>,
    pub(super) checks: Vec<CheckConstraint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) of_type: String,
    pub(super) not_null: bool,
    pub(super) generated: bool,
    pub(super) default: Option<String>,
    pub(super) comment: Option<String>,
    /// Labels of an enum.
    pub(super) labels: Option<Vec<String>>,
    #[serde(skip, default = "unknown")]
    pub(super) kind: ColumnKind,
}

#[derive(Debug, Deserialize)]
pub(super) struct ForeignKey {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) refers_to: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IndexInfo {
    pub(super) name: String,
    pub(super) definition: String,
    pub(super) is_unique: bool,
    pub(super) is_valid: bool,
    /// Columns of the index, if rows can be found and sorted by these columns only.
    pub(super) columns: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckConstraint {
    pub(super) name: String,
    pub(super) definition: String,
}

fn unknown() -> ColumnKind {
    ColumnKind::Other
}

impl TableCatalog {
    /// Parses the answer of `catalog.sql`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut tables: Vec<TableInfo> = serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Database, "the catalog has an unexpected format").caused_by(error)
        })?;
        for table in &mut tables {
            for column in &mut table.columns {
                column.kind = ColumnKind::new(&table.name, &column.name, &column.of_type, column.labels.is_some());
            }
            // A secret key must not appear in an address, so such a row has no address.
            let is_shown =
                |name: &String| table.columns.iter().any(|one| one.name == *name && one.kind != ColumnKind::Secret);
            if !table.key.iter().all(is_shown) {
                table.key.clear();
            }
        }
        Ok(Self { tables })
    }

    /// Returns the tables that the view can see.
    pub(super) fn visible_tables(&self, view: &View) -> impl Iterator<Item = &TableInfo> {
        let all = *view == View::Platform;
        self.tables.iter().filter(move |table| all || table.in_workspace)
    }

    /// Returns a table that the view can see.
    pub(super) fn visible_table(&self, view: &View, name: &str) -> Result<&TableInfo, Problem> {
        let found = self.visible_tables(view).find(|table| table.name == name);
        found.ok_or_else(|| Problem::not_found(format!("this view has no table {name:?}")))
    }

    /// Returns the foreign keys of other tables that refer to a table.
    pub(super) fn references_to<'c>(&'c self, name: &'c str) -> impl Iterator<Item = (&'c TableInfo, &'c ForeignKey)> {
        let keys = self.tables.iter().flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        keys.filter(move |(_, key)| key.table == name)
    }
}

impl ColumnInfo {
    /// Returns the type to which a value is cast. A cast to a character type with a length would truncate it silently.
    pub(super) fn bound(&self) -> &str {
        if self.of_type.starts_with("character") { "text" } else { &self.of_type }
    }
}

impl TableInfo {
    /// Returns true if the studio can edit its rows. Jobs and schedules change only through functions that keep their states
    /// consistent.
    pub(super) fn is_edited(&self) -> bool {
        self.is_written && !matches!(self.name.as_str(), "jobs" | "job_schedules")
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the condition that a column equals a value. It never holds for NULL.
    pub(super) fn equals(&self, column: &str, value: Option<&str>, statement: &mut DynamicStatement) -> String {
        let of_type = self.column(column).map_or("text", ColumnInfo::bound);
        format!("{} = {}", escape_identifier(column), statement.bind(value, of_type))
    }

    /// Returns the column that identifies a workspace's rows.
    pub(super) fn workspace_column(&self) -> Option<&str> {
        match self.name.as_str() {
            "workspaces" => Some("id"),
            _ => self.column("workspace_id").map(|column| column.name.as_str()),
        }
    }

    /// Returns the reference that contains a column. Nearly every reference contains the workspace, so that column gets only
    /// its own reference.
    pub(super) fn reference(&self, column: &str) -> Option<&ForeignKey> {
        let keys = self.foreign_keys.iter().filter(|key| key.columns.iter().any(|part| part == column));
        keys.filter(|key| column != "workspace_id" || key.columns.len() == 1).min_by_key(|key| key.columns.len())
    }

    /// Returns true if an index finds the view's rows by that column.
    pub(super) fn is_indexed(&self, view: &View, column: &str) -> bool {
        self.indexes.iter().filter_map(|index| index.columns.as_deref()).any(|columns| match columns {
            [first, ..] if first == column => true,
            [first, second, ..] => {
                *view != View::Platform && Some(first.as_str()) == self.workspace_column() && second == column
            }
            _ => false,
        })
    }
}
