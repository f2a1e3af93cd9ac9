//! The lists of tables and of imports in diesel.toml.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use toml_edit::{Array, DocumentMut, Item, Value};

/// Adds tables to `print_schema.filter.only_tables` and the crate's enums to `print_schema.import_types`, if diesel.toml has
/// those lists. Without the first list, `diesel print-schema` includes each table that the filter does not exclude.
pub(super) fn list<'a>(root: &Path, tables: impl Iterator<Item = &'a str>, modules: &BTreeSet<&str>) -> Result<()> {
    let path = root.join("diesel.toml");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let mut document: DocumentMut = text.parse().with_context(|| path.display().to_string())?;
    if let Some(listed) = array(&mut document, &["filter", "only_tables"]) {
        tables.for_each(|table| add(listed, table));
    }
    if let Some(listed) = array(&mut document, &["import_types"]) {
        for module in modules {
            add(listed, &format!("{module}::*"));
        }
    }
    let changed = document.to_string();
    if changed != text {
        fs::write(&path, changed).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn array<'a>(document: &'a mut DocumentMut, path: &[&str]) -> Option<&'a mut Array> {
    let print_schema = document.get_mut("print_schema")?;
    // `get_mut` of an inline table inserts a missing key.
    let at = |item: &'a mut Item, key: &&str| if item.get(key).is_some() { item.get_mut(key) } else { None };
    path.iter().try_fold(print_schema, at)?.as_value_mut().and_then(Value::as_array_mut)
}

fn add(listed: &mut Array, text: &str) {
    if !listed.iter().any(|one| one.as_str() == Some(text)) {
        listed.push(text);
    }
}
