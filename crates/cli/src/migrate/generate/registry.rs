//! The registration of a tenants' table: its id, its line in the list of tables, and its relations.

use std::path::{Path, PathBuf};

use anyhow::Result;
use workspace_db::tenancy::TENANT_TABLES;

use super::edit;
use super::references::{Reference, Relation, relations};
use super::sql::is_vector;
use super::table::{ColumnSchema, TableSchema};

/// Locations of the generated code in a crate.
pub(super) struct Layout {
    ids: PathBuf,
    registry: PathBuf,
    pub(super) models: PathBuf,
    /// Path prefix of this library's macros and modules.
    pub(super) library: &'static str,
    /// Module of the crate's own ids.
    pub(super) ids_module: &'static str,
    pub(super) is_ours: bool,
}

impl Layout {
    pub(super) fn new(root: &Path, is_ours: bool) -> Self {
        let src = root.join("src");
        let registry = src.join(if is_ours { "tenancy/registry.rs" } else { "registry.rs" });
        Self {
            ids: if is_ours { src.join("id.rs") } else { registry.clone() },
            registry,
            models: src.join("models"),
            library: if is_ours { "crate" } else { "workspace_db" },
            ids_module: if is_ours { "crate::id" } else { "crate::registry" },
            is_ours,
        }
    }
}

const REGISTRY: &str =
    "//! The tenant tables of this crate: their ids, their registration, and the relations between them.

use crate::schema::*;
";

/// Registers a new table, and returns the files that it changed.
pub(super) fn register(layout: &Layout, table: &TableSchema, references: &[Reference]) -> Result<Vec<PathBuf>> {
    let (name, row) = (&table.name, table.type_name());
    let ids = if layout.is_ours { "typed_ids! {" } else { "workspace_db::typed_ids! {" };
    let id =
        format!("    /// Names a row of `{name}` within its workspace.\n    pub {row}Id, \"{}\";", table.article());
    edit::file(&layout.ids, REGISTRY, |text| edit::into_block(&text, ids, &id))?;
    let tables = if layout.is_ours { "register! {" } else { "workspace_db::tenant_tables! {" };
    edit::file(&layout.registry, REGISTRY, |mut text| {
        if layout.is_ours {
            text = edit::into_import(&text, "crate::schema", name);
            text = edit::into_import(&text, "crate::id", &format!("{row}Id"));
        }
        edit::into_block(&text, tables, &format!("    {name}: {row}Id,"))
    })?;
    relate(layout, table, references)?;
    add_vectors(layout, table, table.columns.iter())?;
    Ok(vec![layout.ids.clone(), layout.registry.clone()])
}

/// Declares the relations along these references, and returns the files that it changed.
pub(super) fn relate(layout: &Layout, table: &TableSchema, references: &[Reference]) -> Result<Vec<PathBuf>> {
    if !references.iter().any(|one| one.is_tenants) {
        return Ok(Vec::new());
    }
    edit::file(&layout.registry, REGISTRY, |mut text| {
        // Two keys between the same tables are ambiguous in either direction.
        let is_of_another = |line: &str| {
            !references.iter().any(|one| line.starts_with(&format!("    {}.{} =>", table.name, one.field)))
        };
        let (name, existing) = (table.name.clone(), text.clone());
        let others = |to: &str| {
            let of = |child: &str, parent: &str| {
                let is_key = |line: &str| {
                    line.starts_with(&format!("    {child}.")) && line.ends_with(&format!(" => {parent};"))
                };
                existing.lines().filter(|line| is_key(line) && is_of_another(line)).count()
            };
            of(&name, to) + of(to, &name)
        };
        for Relation { reference, alias } in relations(table, references, others) {
            let (name, Reference { field: column, to, .. }) = (&table.name, reference);
            if !layout.is_ours && TENANT_TABLES.contains(&to.as_str()) {
                // By its name, which a table of the crate's own schema of the same name can't hide.
                text = edit::into_import(&text, "workspace_db::schema", to);
            }
            let mut target = to.clone();
            if let Some(alias) = alias {
                let (alias, type_name) = (alias.name, alias.type_name);
                let line = format!("    pub const {alias}: Alias<{type_name}> = {to} as {alias};");
                text = edit::into_block(&text, "diesel::alias! {", &line)?;
                target = format!("{to} as {type_name}");
            }
            text = edit::into_block(
                &text,
                &format!("{}::relations! {{", layout.library),
                &format!("    {name}.{column} => {target};"),
            )?;
        }
        Ok(text)
    })?;
    Ok(vec![layout.registry.clone()])
}

/// States the number of dimensions of these columns, if they are vectors that are not nullable.
pub(super) fn add_vectors<'a>(
    layout: &Layout,
    table: &TableSchema,
    columns: impl Iterator<Item = &'a ColumnSchema>,
) -> Result<()> {
    for column in columns.filter(|column| is_vector(column) && !column.is_nullable) {
        let line = format!("    {}.{}: {};", table.name, column.field, workspace_db::sql_types::DIMENSIONS);
        let opening = format!("{}::vector_columns! {{", layout.library);
        edit::file(&layout.registry, REGISTRY, |text| edit::into_block(&text, &opening, &line))?;
    }
    Ok(())
}
