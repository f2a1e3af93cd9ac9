//! Catalog of a schema as text: the objects that the migrations make, those of a database, and the drift between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokio_postgres::Client;

use crate::config::DatabaseUrl;
use crate::error::{Error, Result};

const QUERY: &str = include_str!("catalog.sql");

/// Objects that the migrations make. `workspace-db migrate catalog` writes them, and a test compares them with a
/// database.
const EXPECTED: &str = include_str!("catalog.txt");

const IS: &str = " := ";

/// Tables, columns, constraints, indexes, policies, triggers, grants to the group roles, enums and functions. Each has
/// its definition, which is the same on every supported version of PostgreSQL.
///
/// Display writes one object per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog(BTreeMap<String, String>);

/// Object of this crate that differs in a database, is missing there, or is unexpected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    /// Kind and name of the object, such as `column documents.title`.
    pub object: String,
    /// Definition that the migrations make, if they make the object.
    pub expected: Option<String>,
    /// Definition in the database, if it has the object.
    pub found: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, expected, found } = self;
        match (expected, found) {
            (Some(expected), Some(found)) => write!(f, "{object} is {found}; the migrations create it as {expected}"),
            (Some(expected), None) => write!(f, "{object} is missing; the migrations create it as {expected}"),
            (None, found) => write!(f, "{object} is not from a migration: {}", found.as_deref().unwrap_or_default()),
        }
    }
}

impl Catalog {
    /// Returns the objects that all of this crate's migrations make.
    #[must_use]
    pub fn expected() -> Self {
        Self(EXPECTED.lines().filter_map(|line| line.split_once(IS)).map(own).collect())
    }

    /// Reads the objects of a database, in the schema that was migrated.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn read(url: &DatabaseUrl) -> Result<Self> {
        Self::read_from(&super::connection::catalog_client(url).await?).await
    }

    pub(crate) async fn read_from(client: &Client) -> Result<Self> {
        let rows = client.query(QUERY, &[]).await?;
        let object = |row: tokio_postgres::Row| Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?));
        Ok(Self(rows.into_iter().map(object).collect::<Result<_, _>>().map_err(Error::from)?))
    }

    /// Returns the differences of a database from this catalog, by object name.
    ///
    /// Your own tables and enums are ignored, and so are your own columns of this crate's tables, with the constraints and
    /// indexes on them. None of these may reject a row that this crate inserts: the column must be nullable or have a
    /// default, and a unique key may contain only columns of yours that are then NULL. Another additional index, policy,
    /// trigger or grant on a table of this crate is drift.
    ///
    /// ```
    /// use workspace_db::db::catalog::Catalog;
    ///
    /// assert_eq!(Catalog::expected().drift(&Catalog::expected()), []);
    /// ```
    #[must_use]
    pub fn drift(&self, database: &Self) -> Vec<Drift> {
        let names: BTreeSet<&String> = self.0.keys().chain(database.0.keys()).collect();
        let drift = names.into_iter().filter_map(|object| {
            let (expected, found) = (self.0.get(object), database.0.get(object));
            let is_yours = || {
                found.is_some_and(|found| {
                    self.is_own_column(object, found) || self.is_of_own_columns(object, found, database)
                })
            };
            let matters = expected.is_some() || (self.is_about_a_table_of_its(object) && !is_yours());
            (expected != found && matters).then(|| Drift {
                object: object.clone(),
                expected: expected.cloned(),
                found: found.cloned(),
            })
        });
        drift.collect()
    }

    fn is_about_a_table_of_its(&self, object: &str) -> bool {
        let Some((kind, name)) = object.split_once(' ') else { return false };
        let table = name.split(['.', ' ']).next().unwrap_or_default();
        match kind {
            "function" => true,
            "table" | "enum" => false,
            _ => self.0.contains_key(&format!("table {table}")),
        }
    }

    /// Returns true for a column that this catalog does not have, and that an insert can omit.
    fn is_own_column(&self, object: &str, definition: &str) -> bool {
        let can_be_omitted =
            !definition.contains(" not null") || definition.contains(" default ") || definition.contains(" generated ");
        object.starts_with("column ") && !self.0.contains_key(object) && can_be_omitted
    }

    /// Returns true for a constraint or an index on columns that [`is_own_column`](Self::is_own_column) accepts, if it can't
    /// reject a row that this crate inserts.
    fn is_of_own_columns(&self, object: &str, definition: &str, database: &Self) -> bool {
        let Some(("constraint" | "index", name)) = object.split_once(' ') else { return false };
        let table = format!("column {}.", name.split('.').next().unwrap_or_default());
        let of_table = database.0.range(table.clone()..).take_while(|(object, _)| object.starts_with(&table));
        let columns: BTreeMap<&str, (bool, &str)> = of_table
            .filter_map(|(object, definition)| {
                Some((object.strip_prefix(&table)?, (self.is_own_column(object, definition), definition.as_str())))
            })
            .collect();
        // A foreign key also names columns of the other table.
        let own_part = definition.split(" REFERENCES ").next().unwrap_or_default();
        let named = || names(own_part).filter_map(|name| Some((name, columns.get(name)?)));
        let own = || named().filter(|(_, (is_own, _))| *is_own);
        if own().next().is_none() {
            return false;
        }
        let is_plain_index = object.starts_with("index ") && !definition.starts_with("CREATE UNIQUE ");
        let has_only_own = named().all(|(name, (is_own, _))| *is_own || ["workspace_id", "id"].contains(&name));
        let own_are_null =
            own().all(|(_, (_, column))| !column.contains(" default ") && !column.contains(" generated "));
        let rejects_null = definition.contains(" IS NOT NULL") || definition.contains("NULLS NOT DISTINCT");
        is_plain_index || (has_only_own && !rejects_null && (own_are_null || !definition.contains("UNIQUE")))
    }
}

/// Returns the names in an SQL text, without the types of casts.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let casts_removed = text.split("::").enumerate().map(|(at, part)| {
        let is_of_type = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
        if at == 0 { part } else { part.trim_start_matches(is_of_type) }
    });
    let words = casts_removed.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.filter(|word| !word.is_empty())
}

fn own((object, definition): (&str, &str)) -> (String, String) {
    (object.to_owned(), definition.to_owned())
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(object, definition)| writeln!(f, "{object}{IS}{definition}"))
    }
}
