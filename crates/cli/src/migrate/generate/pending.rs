//! Migrations that the database lacks, so that its schema can't be compared with `schema.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::migrations::Migrator;

use super::existing_schema::{ExistingSchema, tables_of_library};
use super::table;

/// The first migration that the database lacks.
pub(super) struct PendingMigration {
    pub(super) name: String,
    /// Tables that the database or a migration of the crate has.
    tables: BTreeSet<String>,
}

impl PendingMigration {
    /// Returns the first migration of the library or of the crate's folder that the database lacks.
    pub(super) async fn first(
        migrator: &Migrator,
        root: &Path,
        is_ours: bool,
        owner: &DatabaseUrl,
    ) -> Result<Option<Self>> {
        let folder = root.join("migrations");
        let mut missing = migrator.plan().await?;
        if missing.is_empty() && folder.is_dir() && !is_ours {
            missing = Migrator::new(owner, Environment::Development).with_folder(&folder)?.plan().await?;
        }
        let Some(first) = missing.first() else { return Ok(None) };
        let mut tables: BTreeSet<String> = ExistingSchema::read(owner).await?.into_tables().collect();
        if folder.join(first.name()).is_dir() {
            let entries = fs::read_dir(&folder)?.flatten();
            let texts = entries.filter_map(|entry| fs::read_to_string(entry.path().join("up.sql")).ok());
            tables.extend(texts.flat_map(|text| created(&text)));
        }
        Ok(Some(Self { name: first.name().to_owned(), tables }))
    }

    /// Returns true if no table of `schema.rs` is missing, so that a second run has nothing to write.
    pub(super) fn creates_all_tables(&self, root: &Path) -> bool {
        let text = fs::read_to_string(root.join("src/schema.rs")).unwrap_or_default();
        let declared = table::parse(&text).unwrap_or_default();
        let ours = tables_of_library();
        let exists = |name: &String| self.tables.contains(name) || ours.contains(name);
        !declared.is_empty() && declared.iter().all(|table| exists(&table.name))
    }
}

/// Returns the names of the tables that a migration of this generator creates.
fn created(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
    names.map(|name| name.trim_matches('"').to_owned()).collect()
}
