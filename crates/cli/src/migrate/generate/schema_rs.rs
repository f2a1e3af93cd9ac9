//! The columns of sign bits in `schema.rs`, which `diesel print-schema` would add after the migration.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::sql::{bits, docs_of_bits};
use super::table::{ColumnSchema, TableSchema};

/// Inserts the column of sign bits after a vector. Returns false if the vector has no line of its own.
pub(super) fn add_bits(path: &Path, table: &TableSchema, column: &ColumnSchema, library: &str) -> Result<bool> {
    let bit = format!("{library}::sql_types::Bit");
    let sql_type = if column.is_nullable { format!("Nullable<{bit}>") } else { bit };
    let lines = format!("        /// {}\n        {} -> {sql_type},\n", docs_of_bits(column), bits(column));
    let text = fs::read_to_string(path)?;
    let Some(changed) = after_column(&text, &table.name, &column.field, &lines) else { return Ok(false) };
    fs::write(path, changed).with_context(|| format!("can't write {}", path.display()))?;
    Ok(true)
}

/// Returns the text with lines after a column of a table, or `None` if the column has no line of its own there.
fn after_column(text: &str, table: &str, field: &str, lines: &str) -> Option<String> {
    let opens = |line: &str| {
        let rest = line.trim_start().strip_prefix(table);
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    };
    let mut is_within = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        is_within |= opens(line);
        if is_within && line.trim() == "}" {
            return None;
        }
        let column = line.trim_start().strip_prefix(field).is_some_and(|rest| rest.trim_start().starts_with("->"));
        if is_within && column && line.split("//").next().unwrap_or_default().trim_end().ends_with(',') {
            let (before, after) = text.split_at_checked(at)?;
            return Some(format!("{before}{lines}{after}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::after_column;

    #[test]
    fn lines_go_into_their_table_or_nowhere() {
        let one = "    a (workspace_id, id) {\n        look -> Vector, // seen\n    }\n";
        let two = "    b(workspace_id, id) {\n        look -> Vector,\n    }\n";
        let text = format!("{one}{two}");
        assert_eq!(
            after_column(&text, "b", "look", "        x,\n").unwrap(),
            format!("{one}    b(workspace_id, id) {{\n        look -> Vector,\n        x,\n    }}\n")
        );
        assert!(after_column(&text, "a", "look", "        x,\n").unwrap().contains("// seen\n        x,\n"));
        let last = format!("    c (workspace_id, id) {{\n        look -> Vector\n    }}\n{two}");
        assert_eq!(after_column(&last, "c", "look", "x"), None);
        assert_eq!(after_column(&last, "d", "look", "x"), None);
    }
}
