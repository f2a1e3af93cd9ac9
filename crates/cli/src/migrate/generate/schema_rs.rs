//! The columns of sign bits in `schema.rs`, which `diesel print-schema` would add after the migration.

use std::path::Path;

use anyhow::Result;

use super::edit;
use super::sql::{bits, docs_of_bits, is_vector};
use super::table::TableSchema;

/// Inserts the missing column of sign bits after each vector. Returns false if none is missing.
pub(super) fn add_bits(path: &Path, tables: &[&TableSchema], library: &str) -> Result<bool> {
    let mut is_changed = false;
    for table in tables {
        for column in table.columns.iter().filter(|column| is_vector(column)) {
            if table.column(&bits(column)).is_some() {
                continue;
            }
            let bit = format!("{library}::sql_types::Bit");
            let sql_type = if column.is_nullable { format!("Nullable<{bit}>") } else { bit };
            let lines = format!("        /// {}\n        {} -> {sql_type},\n", docs_of_bits(column), bits(column));
            edit::file(path, "", |text| Ok(after_column(&text, table, &column.field, &lines).unwrap_or(text)))?;
            is_changed = true;
        }
    }
    Ok(is_changed)
}

/// Returns the text with lines after a column of a table, or `None` if the text does not have the column on its own line.
fn after_column(text: &str, table: &TableSchema, field: &str, lines: &str) -> Option<String> {
    let opens = |line: &str| line.trim_start().starts_with(&format!("{} (", table.name));
    let begins = |line: &str| line.trim_start().starts_with(&format!("{field} ->"));
    let mut is_within = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        is_within |= opens(line);
        if is_within && begins(line) && line.trim_end().ends_with(',') {
            let (before, after) = text.split_at_checked(at)?;
            return Some(format!("{before}{lines}{after}"));
        }
    }
    None
}
