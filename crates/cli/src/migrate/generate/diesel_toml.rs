//! The list of tables in diesel.toml.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use toml_edit::{Array, DocumentMut, Item, Value};

/// Adds tables to `print_schema.filter.only_tables`, if diesel.toml has that list. Without the list, `diesel print-schema`
/// includes each table that the filter does not exclude.
pub(super) fn list<'a>(root: &Path, tables: impl Iterator<Item = &'a str>) -> Result<()> {
    let path = root.join("diesel.toml");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let mut document: DocumentMut = text.parse().with_context(|| path.display().to_string())?;
    let Some(listed) = only_tables(&mut document) else { return Ok(()) };
    for table in tables {
        if !listed.iter().any(|one| one.as_str() == Some(table)) {
            listed.push(table);
        }
    }
    let changed = document.to_string();
    if changed != text {
        fs::write(&path, changed).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn only_tables(document: &mut DocumentMut) -> Option<&mut Array> {
    let filter = document.get_mut("print_schema").and_then(|print_schema| print_schema.get_mut("filter"));
    filter.and_then(|filter| filter.get_mut("only_tables")).and_then(Item::as_value_mut).and_then(Value::as_array_mut)
}
