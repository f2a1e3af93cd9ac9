//! The tables with a workspace's rows: every table that has a `workspace_id` in the live catalog.

use postgres_protocol::escape::escape_identifier;
use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::GenericClient;

use super::content::{self, Content, PEOPLE, WORKSPACES};
use super::person::of_person;
use crate::db::migrations;
use crate::db::roles::{APP_ROLE, PLATFORM_ROLE};
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::Database;

/// Columns that contain the id of a row without a foreign key: the row may be gone.
const WITHOUT_A_KEY: [(&str, &str, &str); 3] = [
    ("conversations", "head_id", "messages"),
    ("message_sources", "chunk_id", "document_chunks"),
    ("message_sources", "document_id", "documents"),
];

const PEOPLES_COLUMNS: [&str; 4] = ["id", "email", "first_name", "last_name"];

/// Format of a column's values, in binary COPY and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Uuid,
    Timestamp,
    Jsonb,
    Bytes,
    TextArray,
    Vector,
    /// Any other type, in PostgreSQL's text format.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct ColumnLayout {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// Name of the type in SQL.
    pub(super) type_name: String,
    /// Table whose ids the column contains: this one or another table of the workspace.
    pub(super) names: Option<String>,
    /// True if the column refers to an administrator.
    pub(super) is_person: bool,
    /// Default value of the column, as SQL.
    pub(super) default: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct TableLayout {
    pub(super) name: String,
    /// Columns in an archive. They exclude the workspace, which is the same in each row, and generated columns.
    pub(super) columns: Vec<ColumnLayout>,
    /// True if rows can be deleted. Only retention deletes rows of the audit log.
    pub(super) is_deletable: bool,
    pub(super) content: Content,
    /// Condition of a person's rows in one of your own tables. Such rows refer to a row of the person.
    pub(super) of_person: Option<String>,
    /// Number of the reference cycle that contains the table, or of the table's references to itself. Rows of a cycle are
    /// inserted and deleted in one statement.
    pub(super) cycle: Option<usize>,
    /// True if the table has its own enabled triggers, which may change inserted rows or report them.
    pub(super) has_triggers: bool,
    key: Vec<String>,
}

/// Tables of a database, each after the tables that it refers to.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) tables: Vec<TableLayout>,
    /// Version of this crate's last applied migration.
    pub(super) schema: String,
}

const COLUMNS: &str = "
SELECT c.relname::text, a.attname::text, t.typname::text, format_type(a.atttypid, a.atttypmod),
    has_table_privilege($1, c.oid, 'DELETE') AS is_deletable,
    coalesce(a.attnum = ANY (pk.conkey), false) AS is_key, pg_get_expr(d.adbin, d.adrelid),
    has_table_privilege($2, c.oid, 'INSERT') AS is_writable,
    EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled = 'O'
        AND c.relname <> 'audit_log') AS has_triggers
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_constraint pk ON pk.conrelid = c.oid AND pk.contype = 'p'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND (c.relname IN ('workspaces', 'admin_users') OR EXISTS (
        SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id' AND NOT w.attisdropped
            AND w.atttypid = 'uuid'::regtype
    ))
ORDER BY c.relname, a.attnum";

/// Query for the columns of foreign keys, and whether each contains a part of the key of the other table. A reference to more
/// columns than that, such as to a message of the same conversation, has columns with the key of a third table.
const REFERENCES: &str = "
SELECT child.relname::text, parent.relname::text, a.attname::text, coalesce(pair.other = ANY (pk.conkey), true)
FROM pg_constraint f
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) AS pair (own, other)
JOIN pg_class child ON child.oid = f.conrelid
JOIN pg_class parent ON parent.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = child.oid AND a.attnum = pair.own
LEFT JOIN pg_constraint pk ON pk.conrelid = parent.oid AND pk.contype = 'p'
WHERE f.contype = 'f' AND child.relnamespace = current_schema()::regnamespace AND f.conparentid = 0";

/// Query for foreign keys whose rows are deleted with the referenced row, or prevent its deletion. Keys that set NULL or a
/// default are excluded, because they keep the row. Tables that refer to such tables in turn follow, nearer ones first.
const GOES_WITH: &str = "
WITH RECURSIVE goes AS (
    SELECT f.oid, f.conrelid, f.confrelid, 1 AS depth FROM pg_constraint f
    WHERE f.contype = 'f' AND f.confdeltype IN ('c', 'a', 'r') AND f.conparentid = 0 AND f.conrelid <> f.confrelid
        AND f.confrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace
            AND relname IN ('conversations', 'messages', 'feedback', 'analytics_events'))
    UNION
    SELECT f.oid, f.conrelid, f.confrelid, goes.depth + 1 FROM goes JOIN pg_constraint f ON f.confrelid = goes.conrelid
    WHERE f.contype = 'f' AND f.confdeltype IN ('c', 'a', 'r') AND f.conparentid = 0 AND f.conrelid <> f.confrelid AND goes.depth < 10
)
SELECT child.relname::text,
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(f.conkey) WITH ORDINALITY AS u (attnum, n)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.attnum),
    parent.relname::text,
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(f.confkey) WITH ORDINALITY AS u (attnum, n)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.attnum)
FROM (SELECT oid, min(depth) AS depth FROM goes GROUP BY oid) AS nearest JOIN pg_constraint f ON f.oid = nearest.oid
JOIN pg_class child ON child.oid = f.conrelid AND child.relnamespace = current_schema()::regnamespace
JOIN pg_class parent ON parent.oid = f.confrelid AND parent.relnamespace = current_schema()::regnamespace
ORDER BY nearest.depth, f.conname";

impl Layout {
    /// Reads the layout of an opened database.
    pub(super) async fn of(db: &Database) -> Result<Self> {
        let mut bulk = db.platform_bulk().await?;
        Self::read(&*bulk.begin().await?).await
    }

    /// Reads the layout from the catalog of the connected database.
    pub(super) async fn read(client: &impl GenericClient) -> Result<Self> {
        let mut tables: BTreeMap<String, TableLayout> = BTreeMap::new();
        for row in client.query(COLUMNS, &[&PLATFORM_ROLE, &APP_ROLE]).await? {
            let name: String = row.get(0);
            let table = tables.entry(name.clone()).or_insert_with(|| TableLayout {
                content: content::of(&name, row.get(7)),
                name,
                columns: Vec::new(),
                is_deletable: row.get(4),
                of_person: None,
                cycle: None,
                has_triggers: row.get(8),
                key: Vec::new(),
            });
            let column: String = row.get(1);
            if row.get(5) {
                table.key.push(column.clone());
            }
            if column != table.scope() {
                let kind = ColumnKind::of(row.get(2));
                let names = (row.get(5) && kind == ColumnKind::Uuid).then(|| table.name.clone());
                let (type_name, default) = (row.get(3), row.get(6));
                table.columns.push(ColumnLayout { name: column, kind, type_name, names, is_person: false, default });
            }
        }
        let Some(people) = tables.get_mut(PEOPLE) else {
            return Err(Error::new(ErrorKind::MissingPrerequisite, "the database has no table admin_users")
                .remedy("run the migrations: workspace-db migrate run"));
        };
        people.columns.retain(|column| PEOPLES_COLUMNS.contains(&column.name.as_str()));
        let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut own = BTreeSet::new();
        for row in client.query(REFERENCES, &[]).await? {
            let (child, parent, column): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            if parent == child {
                own.insert(child.clone());
            } else if tables.contains_key(&parent) {
                parents.entry(child.clone()).or_default().insert(parent.clone());
            }
            let Some(table) = tables.get_mut(&child).filter(|_| row.get(3)) else { continue };
            if let Some(column) =
                table.columns.iter_mut().find(|one| one.name == column && one.kind == ColumnKind::Uuid)
            {
                // An administrator is the same person in every workspace.
                if parent == PEOPLE { column.is_person = true } else { column.names = Some(parent) }
            }
        }
        for (table, column, names) in WITHOUT_A_KEY {
            let columns = tables.get_mut(table).into_iter().flat_map(|table| &mut table.columns);
            columns.filter(|one| one.name == column).for_each(|one| one.names = Some(names.to_owned()));
        }
        for row in client.query(GOES_WITH, &[]).await? {
            let (child, columns, parent, of): (String, String, String, String) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let condition =
                tables.get(&parent).and_then(|table| of_person(&parent).or_else(|| table.of_person.clone()));
            let Some((condition, table)) = condition.zip(tables.get_mut(&child)) else { continue };
            if of_person(&child).is_none() && child != WORKSPACES && child != PEOPLE {
                let rows =
                    format!("({columns}) IN (SELECT {of} FROM {} WHERE {condition})", escape_identifier(&parent));
                table.of_person = Some(match table.of_person.take() {
                    Some(others) => format!("{others} OR {rows}"),
                    None => rows,
                });
            }
        }
        // Only this crate's versions count, because your own migrations don't determine the content of an archive.
        let (own_versions, _): (Vec<String>, Vec<String>) = migrations::checksums().into_iter().unzip();
        let latest = "SELECT max(version)::text FROM __diesel_schema_migrations WHERE version = ANY ($1)";
        let schema = client.query_one(latest, &[&own_versions]).await?;
        Ok(Self { tables: in_order(tables, &parents, &own), schema: schema.get(0) })
    }

    /// Returns the condition of the administrators that the workspace's rows name.
    pub(super) fn people_of(&self, workspace: WorkspaceId) -> String {
        let of_column = |table: &TableLayout, column: &ColumnLayout| {
            let (name, column) = (escape_identifier(&table.name), escape_identifier(&column.name));
            format!("SELECT {column} FROM {name} WHERE workspace_id = '{workspace}'")
        };
        let named = self.tables.iter().filter(|table| table.scope() == "workspace_id").flat_map(|table| {
            table.columns.iter().filter(|column| column.is_person).map(move |column| of_column(table, column))
        });
        format!("id IN ({})", named.collect::<Vec<_>>().join(" UNION "))
    }

    pub(super) fn table(&self, name: &str) -> Option<&TableLayout> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Orders parents first, and tables by name if neither refers to the other. Tables in a cycle come last, together with
/// tables that refer to one of the cycle.
fn in_order(
    mut tables: BTreeMap<String, TableLayout>,
    parents: &BTreeMap<String, BTreeSet<String>>,
    own: &BTreeSet<String>,
) -> Vec<TableLayout> {
    let mut ordered: Vec<TableLayout> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_free = |name: &String| {
            parents.get(name).is_none_or(|parents| parents.iter().all(|parent| !tables.contains_key(parent)))
        };
        let free: Vec<String> = tables.keys().filter(|name| is_free(name)).cloned().collect();
        let cycle = free.is_empty().then_some(0);
        let next = if free.is_empty() { tables.keys().cloned().collect() } else { free };
        for mut table in next.iter().filter_map(|name| tables.remove(name)) {
            table.cycle = cycle.or_else(|| own.contains(&table.name).then_some(ordered.len() + 1));
            ordered.push(table);
        }
    }
    ordered
}

impl TableLayout {
    /// Returns the column that contains the workspace of a row.
    pub(super) fn scope(&self) -> &'static str {
        match self.name.as_str() {
            WORKSPACES => "id",
            // An administrator belongs to no workspace.
            PEOPLE => "",
            _ => "workspace_id",
        }
    }

    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|one| one.name == column)
    }

    /// Returns true if the column is one of the primary key.
    pub(super) fn is_key(&self, column: &str) -> bool {
        self.key.iter().any(|name| name == column)
    }

    /// Returns true if the table has a primary key.
    pub(super) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// Returns the columns of the primary key, which identify a batch's rows, or the rows' locations if there is no key.
    pub(super) fn key(&self) -> String {
        if self.key.is_empty() {
            return "tableoid, ctid".to_owned();
        }
        self.key.iter().map(|name| escape_identifier(name)).collect::<Vec<_>>().join(", ")
    }

    /// Returns the table with only these columns in this order, followed by the columns that an import sets by itself.
    pub(super) fn with_columns(&self, names: &[String]) -> Result<Self> {
        let set = content::set_here(&self.name).iter().copied().filter(|set| !names.iter().any(|name| name == set));
        let columns = names.iter().map(String::as_str).chain(set).map(|name| {
            let found = self.position(name).and_then(|at| self.columns.get(at)).cloned();
            found.ok_or_else(|| Error::invalid(format!("table {} has no column {name:?} in this database", self.name)))
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, ..self.clone() })
    }

    /// Returns the columns for a SELECT whose rows [`Row`](super::row::Row) reads.
    pub(super) fn selected(&self) -> String {
        let column = |column: &ColumnLayout| match column.kind {
            ColumnKind::Other => format!("{}::text", escape_identifier(&column.name)),
            _ => escape_identifier(&column.name),
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

impl ColumnKind {
    fn of(type_name: &str) -> Self {
        match type_name {
            "bool" => Self::Bool,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "text" | "varchar" => Self::Text,
            "uuid" => Self::Uuid,
            "timestamptz" => Self::Timestamp,
            "jsonb" => Self::Jsonb,
            "bytea" => Self::Bytes,
            "_text" => Self::TextArray,
            "vector" => Self::Vector,
            _ => Self::Other,
        }
    }
}
