//! What tables there are, and what is known of them: asked of the database, so tables of one's own are shown too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::AppState;
use super::problem::Problem;
use super::shape::Shape;
use super::statement::{DynamicStatement, only, quoted};
use super::view::View;
use crate::error::{Error, Kind, Result};

/// For so long a catalog is taken to be true; a migration shows after it.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The tables that can be read, by name.
#[derive(Debug)]
pub(super) struct TableCatalog {
    pub(super) tables: Vec<TableInfo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TableInfo {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    /// Rows, as the last ANALYZE saw them; -1 where there was none.
    pub(super) estimate: f64,
    /// Whether a workspace sees its rows.
    pub(super) in_workspace: bool,
    /// Whether a workspace changes its rows.
    pub(super) is_written: bool,
    pub(super) columns: Vec<ColumnInfo>,
    /// Columns of the primary key; none where it holds a secret.
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
    /// Of an enum.
    pub(super) labels: Option<Vec<String>>,
    #[serde(skip, default = "unknown")]
    pub(super) shape: Shape,
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
    /// Where rows can be found and put in order by it alone.
    pub(super) columns: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckConstraint {
    pub(super) name: String,
    pub(super) definition: String,
}

fn unknown() -> Shape {
    Shape::Other
}

impl TableCatalog {
    /// The tables that are seen.
    pub(super) fn seen(&self, view: &View) -> impl Iterator<Item = &TableInfo> {
        let all = *view == View::Platform;
        self.tables.iter().filter(move |table| all || table.in_workspace)
    }

    /// A table that is seen.
    pub(super) fn visible_table(&self, view: &View, name: &str) -> Result<&TableInfo, Problem> {
        let found = self.seen(view).find(|table| table.name == name);
        found.ok_or_else(|| Problem::not_found(format!("there is no table {name:?} here")))
    }

    /// The keys of other tables that refer to one.
    pub(super) fn referring<'c>(&'c self, name: &'c str) -> impl Iterator<Item = (&'c TableInfo, &'c ForeignKey)> {
        let keys = self.tables.iter().flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        keys.filter(move |(_, key)| key.table == name)
    }
}

impl ColumnInfo {
    /// The type as which a value is bound: a cast to one of a given length would cut it without a word.
    pub(super) fn bound(&self) -> &str {
        if self.of_type.starts_with("character") { "text" } else { &self.of_type }
    }
}

impl TableInfo {
    /// Whether its rows are changed in the studio; jobs and schedules are changed by what keeps their states in order.
    pub(super) fn is_edited(&self) -> bool {
        self.is_written && !matches!(self.name.as_str(), "jobs" | "job_schedules")
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The condition that a column has a value, NULL never.
    pub(super) fn equals(&self, column: &str, value: Option<&str>, statement: &mut DynamicStatement) -> String {
        let of_type = self.column(column).map_or("text", ColumnInfo::bound);
        format!("{} = {}", quoted(column), statement.bind(value, of_type))
    }

    /// The column by which a workspace's rows are told.
    pub(super) fn workspace_column(&self) -> Option<&str> {
        match self.name.as_str() {
            "workspaces" => Some("id"),
            _ => self.column("workspace_id").map(|column| column.name.as_str()),
        }
    }

    /// The reference that a column is part of; the workspace alone is part of nearly all and stands for its own.
    pub(super) fn reference(&self, column: &str) -> Option<&ForeignKey> {
        let keys = self.foreign_keys.iter().filter(|key| key.columns.iter().any(|part| part == column));
        keys.filter(|key| column != "workspace_id" || key.columns.len() == 1).min_by_key(|key| key.columns.len())
    }

    /// Whether an index finds a workspace's rows, or all, by that column.
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

/// The catalog as it was asked for last.
#[derive(Default)]
pub(super) struct CatalogCache(Mutex<Option<(Instant, Arc<TableCatalog>)>>);

impl AppState {
    pub(super) async fn catalog(&self) -> Result<Arc<TableCatalog>> {
        let mut known = self.catalog.0.lock().await;
        if let Some((asked, catalog)) = known.as_ref()
            && asked.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(catalog));
        }
        let rows = self.rows(None, DynamicStatement::new(include_str!("catalog.sql"))).await?;
        let text = only(rows).unwrap_or_default();
        let mut tables: Vec<TableInfo> = serde_json::from_str(&text).map_err(|error| {
            Error::new(Kind::Database, "the catalog is not as this program knows it").caused_by(error)
        })?;
        for table in &mut tables {
            for column in &mut table.columns {
                column.shape = Shape::of(&table.name, &column.name, &column.of_type, column.labels.is_some());
            }
            // A key that is a secret stands in no address, so such a row has none.
            let is_shown =
                |name: &String| table.columns.iter().any(|one| one.name == *name && one.shape != Shape::Secret);
            if !table.key.iter().all(is_shown) {
                table.key.clear();
            }
        }
        let catalog = Arc::new(TableCatalog { tables });
        *known = Some((Instant::now(), Arc::clone(&catalog)));
        Ok(catalog)
    }
}
