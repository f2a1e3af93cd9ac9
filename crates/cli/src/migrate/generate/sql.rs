//! The SQL of a tenants' table.

use anyhow::Result;

use super::existing_schema::ExistingSchema;
use super::table::{ColumnSchema, Reference, TableSchema, snake};
use crate::error::ConflictingArguments;

/// Number of dimensions of [`Embedding`](workspace_db::sql_types::Embedding).
const DIMENSIONS: usize = workspace_db::sql_types::DIMENSIONS;

/// Returns all SQL that the table needs. The statement that isolates it comes last.
pub(super) fn create(
    table: &TableSchema,
    references: &[Reference],
    unique: &[&str],
    known: &ExistingSchema,
) -> Result<String> {
    table.validate()?;
    let name = &table.name;
    let mut parts = Vec::new();
    let mut behind = Vec::new();
    let mut comments = vec![format!("COMMENT ON TABLE {name} IS '{}';", quoted(&docs_of(table)))];
    for column in &table.columns {
        parts.push(define(column, known, table)?);
        comments.push(comment(name, &column.name, &column.docs));
        if is_vector(column) && table.column(&bits(column)).is_none() {
            let null = if column.is_nullable { "" } else { " NOT NULL" };
            let of = &column.name;
            parts.push(format!(
                "{} bit({DIMENSIONS}){null} GENERATED ALWAYS AS (binary_quantize({of})::bit({DIMENSIONS})) STORED",
                bits(column)
            ));
            comments.push(comment(
                name,
                &bits(column),
                &format!("Signs of the components of {of}, generated from it."),
            ));
        }
    }
    parts.push(format!("CONSTRAINT {name}_pkey PRIMARY KEY (workspace_id, id)"));
    parts.push(format!("CONSTRAINT {name}_workspace_id_fkey\n        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE"));
    for Reference { column, to, is_nullable, is_tenants } in references {
        let gone = if *is_nullable { format!("SET NULL ({column})") } else { "CASCADE".to_owned() };
        let (from, at) =
            if *is_tenants { (format!("workspace_id, {column}"), "workspace_id, id") } else { (column.clone(), "id") };
        parts.push(format!(
            "CONSTRAINT {name}_{column}_fkey\n        FOREIGN KEY ({from}) REFERENCES {to} ({at}) ON DELETE {gone}"
        ));
        behind.push(format!("CREATE INDEX {name}_{column}_idx ON {name} ({from});"));
    }
    for columns in unique {
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        parts.push(format!(
            "CONSTRAINT {name}_{}_key UNIQUE (workspace_id, {})",
            columns.join("_"),
            columns.join(", ")
        ));
    }
    for column in table.columns.iter().filter(|column| is_vector(column)) {
        // pgvector sums in single precision: the cosine to a vector of zeros, a tiny or a huge one is NaN, 1 or 0.
        parts.push(format!("CONSTRAINT {name}_{0}_check CHECK (vector_norm({0}) BETWEEN 1e-15 AND 1e15)", column.name));
        behind.push(format!("CREATE INDEX {name}_{0}_idx ON {name} (workspace_id, id) INCLUDE ({0});", bits(column)));
    }
    for column in table.columns.iter().filter(|column| column.is_array) {
        parts.push(format!("CONSTRAINT {name}_{0}_check CHECK (array_position({0}, NULL) IS NULL)", column.name));
    }
    for column in table.columns.iter().filter(|column| may_be_unreadable(column)) {
        parts.push(format!("CONSTRAINT {name}_{0}_readable CHECK (workspace_db_is_readable({0}))", column.name));
    }
    let parts = parts.join(",\n    ");
    // Linters require a concurrent index creation to spare writers. A new table has no writers.
    let behind: Vec<String> =
        behind.iter().map(|index| format!("-- squawk-ignore require-concurrent-index-creation\n{index}\n")).collect();
    Ok(format!(
        "CREATE TABLE {name} (\n    {parts}\n);\n{}\n{}\n\nSELECT workspace_db_isolate('{name}');",
        behind.concat(),
        comments.join("\n")
    ))
}

pub(super) fn is_vector(column: &ColumnSchema) -> bool {
    column.sql_type == "Vector" && !column.is_array
}

/// Returns true if PostgreSQL can store values of the column's type that a program can't read.
fn may_be_unreadable(column: &ColumnSchema) -> bool {
    column.is_array || matches!(column.sql_type.as_str(), "Jsonb" | "Timestamptz" | "Date")
}

/// Returns the column of a vector's sign bits.
pub(super) fn bits(column: &ColumnSchema) -> String {
    format!("{}_bits", column.name)
}

fn docs_of(table: &TableSchema) -> String {
    if table.docs.is_empty() { format!("Rows of {}.", table.name.replace('_', " ")) } else { table.docs.clone() }
}

fn comment(table: &str, column: &str, text: &str) -> String {
    format!("COMMENT ON COLUMN {table}.{column} IS '{}';", quoted(text))
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn define(column: &ColumnSchema, known: &ExistingSchema, table: &TableSchema) -> Result<String> {
    let name = &column.name;
    let array = if column.is_array { "[]" } else { "" };
    let null = if column.is_nullable { "" } else { " NOT NULL" };
    let default = column.default().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
    Ok(format!("{name} {}{array}{null}{default}", type_of(column, known, table)?))
}

fn type_of(column: &ColumnSchema, known: &ExistingSchema, table: &TableSchema) -> Result<String> {
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
        other if known.enums.contains(&snake(other)) => return Ok(snake(other)),
        other => {
            let message = format!(
                "{}.{} in src/schema.rs is {other}, which is neither a supported type nor an enum of this database; \
                 create the type in an earlier migration, or write the SQL by hand",
                table.name, column.name
            );
            return Err(ConflictingArguments(message).into());
        }
    }
    .to_owned())
}
