//! The schema that the database has before the migration.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use workspace_db::config::DatabaseUrl;
use workspace_db::db;
use workspace_db::db::catalog::Catalog;

/// Tables, columns and enums that the database already has.
pub(super) struct ExistingSchema {
    /// Columns of each table.
    tables: BTreeMap<String, Vec<String>>,
    /// Labels of each enum, in order.
    pub(super) enums: BTreeMap<String, Vec<String>>,
    /// Tables with a `workspace_id` and an `id`.
    pub(super) tenants: Vec<String>,
    /// Words that SQL accepts as a name only in quotes.
    keywords: BTreeSet<String>,
    /// Words that SQL accepts as the name of a type only in quotes.
    type_keywords: BTreeSet<String>,
}

/// An object with the names in it, in order.
#[derive(diesel::QueryableByName)]
struct NameList {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Array<Text>)]
    contained: Vec<String>,
}

const TABLES: &str = "SELECT relname::text AS name,
        ARRAY(SELECT attname::text FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS contained
    FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace";

const ENUMS: &str = "SELECT typname::text AS name,
        ARRAY(SELECT enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS contained
    FROM pg_type t WHERE typtype = 'e'";

/// Reserved words, and those that can't be the name of a type.
const KEYWORDS: &str =
    "SELECT word AS name, ARRAY[catcode::text] AS contained FROM pg_get_keywords() WHERE catcode <> 'U'";

async fn lists(conn: &mut AsyncPgConnection, query: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let rows: Vec<NameList> = diesel::sql_query(query).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.contained)).collect())
}

impl ExistingSchema {
    pub(super) async fn read(owner: &DatabaseUrl) -> Result<Self> {
        let mut conn = db::connect(owner).await?;
        let tables = lists(&mut conn, TABLES).await?;
        let keywords = lists(&mut conn, KEYWORDS).await?;
        let has = |columns: &[String], name: &str| columns.iter().any(|column| column == name);
        let tenants = tables.iter().filter(|(_, columns)| has(columns, "workspace_id") && has(columns, "id"));
        Ok(Self {
            tenants: tenants.map(|(name, _)| name.clone()).collect(),
            enums: lists(&mut conn, ENUMS).await?,
            keywords: keywords.iter().filter(|(_, kind)| !has(kind, "C")).map(|(word, _)| word.clone()).collect(),
            type_keywords: keywords.into_keys().collect(),
            tables,
        })
    }

    pub(super) fn has_table(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.iter().any(|name| name == column))
    }

    /// Returns a name as SQL accepts it.
    pub(super) fn quoted(&self, name: &str) -> String {
        quoted(name, &self.keywords)
    }

    /// Returns the name of a type as SQL accepts it.
    pub(super) fn quoted_type(&self, name: &str) -> String {
        quoted(name, &self.type_keywords)
    }
}

fn quoted(name: &str, keywords: &BTreeSet<String>) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !keywords.contains(name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Returns the tables of this library. A crate that uses it has them in its database and not in its `schema.rs`.
pub(super) fn tables_of_library() -> Vec<String> {
    let all = Catalog::expected().to_string();
    all.lines().filter_map(|line| line.strip_prefix("table ")?.split(' ').next().map(str::to_owned)).collect()
}
