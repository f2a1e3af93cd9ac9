//! The SQL of tenants' tables and of their columns.

use anyhow::Result;

use super::enums::Enums;
use super::existing_schema::ExistingSchema;
use super::references::{NewTable, Reference};
use super::table::{ColumnSchema, TableSchema, camel, snake};
use crate::error::ConflictingArguments;

/// Number of dimensions of [`Embedding`](workspace_db::sql_types::Embedding).
const DIMENSIONS: usize = workspace_db::sql_types::DIMENSIONS;

/// The types and names that the SQL refers to.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) known: &'a ExistingSchema,
    pub(super) enums: &'a Enums,
}

/// Parts of the SQL of a column: of the table, and after it.
#[derive(Default)]
struct ColumnSql {
    definitions: Vec<String>,
    constraints: Vec<String>,
    indexes: Vec<String>,
    comments: Vec<String>,
}

/// Returns all SQL that a new table needs. The statement that isolates it comes last.
pub(super) fn create(new: &NewTable<'_>, unique: &[&str], names: Names<'_>) -> Result<String> {
    let table = new.table;
    table.validate()?;
    let quoted_name = names.known.quoted(&table.name);
    let name = &table.name;
    let mut all = ColumnSql::default();
    all.comments.push(format!("COMMENT ON TABLE {quoted_name} IS '{}';", quoted(&docs_of(table))));
    let mut checks = Vec::new();
    for column in table.columns.iter().filter(|column| !is_bits(table, column)) {
        let one = of_column(table, column, &new.references, names)?;
        all.definitions.extend(one.definitions);
        checks.extend(one.constraints);
        all.indexes.extend(one.indexes);
        all.comments.extend(one.comments);
    }
    all.constraints.push(format!("CONSTRAINT {name}_pkey PRIMARY KEY (workspace_id, id)"));
    all.constraints.push(format!(
        "CONSTRAINT {name}_workspace_id_fkey\n        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE"
    ));
    for columns in unique {
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        let listed: Vec<String> = columns.iter().map(|column| names.known.quoted(column)).collect();
        let key = format!("CONSTRAINT {name}_{}_key UNIQUE (workspace_id, {})", columns.join("_"), listed.join(", "));
        all.constraints.push(key);
    }
    let parts: Vec<String> = all.definitions.into_iter().chain(all.constraints).chain(checks).collect();
    Ok(format!(
        "CREATE TABLE {quoted_name} (\n    {}\n);\n{}\n{}\n\nSELECT workspace_db_isolate('{}');",
        parts.join(",\n    "),
        all.indexes.concat(),
        all.comments.join("\n"),
        quoted(&quoted_name),
    ))
}

/// Returns the SQL that adds columns to a table, and the SQL that drops them.
pub(super) fn add(
    table: &TableSchema,
    columns: &[&ColumnSchema],
    references: &[Reference],
    names: Names<'_>,
) -> Result<(String, String)> {
    let name = names.known.quoted(&table.name);
    let mut all = ColumnSql::default();
    let mut dropped = Vec::new();
    for column in columns {
        let one = of_column(table, column, references, names)?;
        if is_vector(column) {
            dropped.push(format!("DROP COLUMN {}", names.known.quoted(&bits(column))));
        }
        dropped.push(format!("DROP COLUMN {}", names.known.quoted(&column.name)));
        all.definitions.extend(one.definitions);
        all.constraints.extend(one.constraints);
        all.indexes.extend(one.indexes);
        all.comments.extend(one.comments);
    }
    let required: Vec<&str> = columns
        .iter()
        .filter(|column| !column.is_nullable && !column.has_default())
        .map(|column| column.name.as_str())
        .collect();
    let note = if required.is_empty() {
        String::new()
    } else {
        format!("-- Fails if the table has rows, because {} has no default.\n", required.join(", "))
    };
    let added = all.definitions.iter().map(|part| format!("ADD COLUMN {part}"));
    let parts: Vec<String> = added.chain(all.constraints.iter().map(|part| format!("ADD {part}"))).collect();
    let up = format!(
        "{note}ALTER TABLE {name}\n    {};\n{}{}",
        parts.join(",\n    "),
        all.indexes.concat(),
        all.comments.join("\n")
    );
    Ok((up, format!("ALTER TABLE {name}\n    {};", dropped.join(",\n    "))))
}

/// Returns the SQL that adds a foreign key between existing tables, and the SQL that drops it.
pub(super) fn add_reference(table: &TableSchema, reference: &Reference, names: Names<'_>) -> (String, String) {
    let name = names.known.quoted(&table.name);
    let (constraint, index) = foreign_key(table, reference, names);
    let drop = format!("ALTER TABLE {name} DROP CONSTRAINT {}_{}_fkey;", table.name, reference.column);
    (format!("ALTER TABLE {name}\n    ADD {constraint};\n{index}"), drop)
}

fn of_column(
    table: &TableSchema,
    column: &ColumnSchema,
    references: &[Reference],
    names: Names<'_>,
) -> Result<ColumnSql> {
    let name = &table.name;
    let of = names.known.quoted(&column.name);
    let mut sql = ColumnSql::default();
    sql.definitions.push(define(column, names, table)?);
    sql.comments.push(comment(name, &column.name, &column.docs, names));
    if let Some(reference) = references.iter().find(|one| one.column == column.name) {
        let (constraint, index) = foreign_key(table, reference, names);
        sql.constraints.push(constraint);
        sql.indexes.push(index);
    }
    if is_vector(column) {
        let null = if column.is_nullable { "" } else { " NOT NULL" };
        let bits = bits(column);
        sql.definitions.push(format!(
            "{} bit({DIMENSIONS}){null} GENERATED ALWAYS AS (binary_quantize({of})::bit({DIMENSIONS})) STORED",
            names.known.quoted(&bits)
        ));
        sql.comments.push(comment(name, &bits, &docs_of_bits(column), names));
        // pgvector sums in single precision: the cosine to a vector of zeros, a tiny or a huge one is NaN, 1 or 0.
        sql.constraints
            .push(format!("CONSTRAINT {name}_{}_check CHECK (vector_norm({of}) BETWEEN 1e-15 AND 1e15)", column.name));
        let columns = format!("(workspace_id, id) INCLUDE ({})", names.known.quoted(&bits));
        sql.indexes.push(index(table, &bits, &columns, names));
    }
    if column.is_array {
        let check = format!("CONSTRAINT {name}_{}_check CHECK (array_position({of}, NULL) IS NULL)", column.name);
        sql.constraints.push(check);
    }
    if may_be_unreadable(column) {
        let check = format!("CONSTRAINT {name}_{}_readable CHECK (workspace_db_is_readable({of}))", column.name);
        sql.constraints.push(check);
    }
    Ok(sql)
}

fn foreign_key(table: &TableSchema, reference: &Reference, names: Names<'_>) -> (String, String) {
    let Reference { column, to, is_nullable, is_tenants, .. } = reference;
    let of = names.known.quoted(column);
    let gone = if *is_nullable { format!("SET NULL ({of})") } else { "CASCADE".to_owned() };
    let (from, at) = if *is_tenants { (format!("workspace_id, {of}"), "workspace_id, id") } else { (of, "id") };
    let name = &table.name;
    let constraint = format!(
        "CONSTRAINT {name}_{column}_fkey\n        FOREIGN KEY ({from}) REFERENCES {} ({at}) ON DELETE {gone}",
        names.known.quoted(to)
    );
    (constraint, index(table, column, &format!("({from})"), names))
}

/// Returns the statement of an index. Linters require a concurrent index creation to spare writers. A new table has none.
fn index(table: &TableSchema, column: &str, columns: &str, names: Names<'_>) -> String {
    let name = format!("{}_{column}_idx", table.name);
    let on = names.known.quoted(&table.name);
    format!("-- squawk-ignore require-concurrent-index-creation\nCREATE INDEX {name} ON {on} {columns};\n")
}

pub(super) fn is_vector(column: &ColumnSchema) -> bool {
    column.sql_type == "Vector" && !column.is_array
}

/// Returns true if PostgreSQL can store values of the column's type that a program can't read.
fn may_be_unreadable(column: &ColumnSchema) -> bool {
    column.is_array || matches!(column.sql_type.as_str(), "Jsonb" | "Timestamptz" | "Date")
}

/// Returns true for the column with the signs of a vector of the same table, which comes with its vector.
pub(super) fn is_bits(table: &TableSchema, column: &ColumnSchema) -> bool {
    column.sql_type == "Bit" && table.columns.iter().any(|vector| is_vector(vector) && bits(vector) == column.name)
}

/// Returns true for a vector whose table has no column with its signs.
pub(super) fn lacks_bits(table: &TableSchema, column: &ColumnSchema) -> bool {
    is_vector(column) && table.column(&bits(column)).is_none()
}

/// Returns the column of a vector's sign bits.
pub(super) fn bits(column: &ColumnSchema) -> String {
    format!("{}_bits", column.name)
}

pub(super) fn docs_of_bits(column: &ColumnSchema) -> String {
    format!("Signs of the components of {}, generated from it.", column.name)
}

fn docs_of(table: &TableSchema) -> String {
    if table.docs.is_empty() { format!("Rows of {}.", table.name.replace('_', " ")) } else { table.docs.clone() }
}

fn comment(table: &str, column: &str, text: &str, names: Names<'_>) -> String {
    let (table, column) = (names.known.quoted(table), names.known.quoted(column));
    format!("COMMENT ON COLUMN {table}.{column} IS '{}';", quoted(text))
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn define(column: &ColumnSchema, names: Names<'_>, table: &TableSchema) -> Result<String> {
    let name = names.known.quoted(&column.name);
    let array = if column.is_array { "[]" } else { "" };
    let null = if column.is_nullable { "" } else { " NOT NULL" };
    let default = column.default().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
    Ok(format!("{name} {}{array}{null}{default}", type_of(column, names, table)?))
}

fn type_of(column: &ColumnSchema, names: Names<'_>, table: &TableSchema) -> Result<String> {
    Ok(match column.sql_type.as_str() {
        "Uuid" => "uuid",
        "Text" => "text",
        "Int2" => "smallint",
        "Int4" => "integer",
        "Int8" => "bigint",
        "Float4" => "real",
        "Float8" => "double precision",
        "Bool" => "boolean",
        "Jsonb" => "jsonb",
        "Timestamptz" => "timestamptz",
        "Date" => "date",
        "Bytea" => "bytea",
        "Vector" => return Ok(format!("vector({DIMENSIONS})")),
        other => {
            if let Some(name) = names.enums.name(other) {
                if camel(name) != other {
                    let message = format!(
                        "the enum {other} is {name} in the database, and `diesel print-schema` calls it {}; give it this \
                         name in Rust",
                        camel(name)
                    );
                    return Err(ConflictingArguments(message).into());
                }
                return Ok(names.known.quoted_type(name));
            }
            let message = format!(
                "{0}.{1} in src/schema.rs is {other}, which is neither a supported type nor an enum; declare an enum in \
                 src/sql_types.rs, `workspace_db::pg_enums! {{ {other} = \"{2}\" {{ ... }} }}`, or write the SQL by hand",
                table.name,
                column.name,
                snake(other),
            );
            return Err(ConflictingArguments(message).into());
        }
    }
    .to_owned())
}
