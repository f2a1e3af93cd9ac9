//! Migrations that the database lacks, so that its schema can't be compared with `schema.rs`.

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
    existing: ExistingSchema,
    /// Texts of the crate's migrations, if the pending one is of the crate.
    texts: Vec<String>,
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
        let mut texts = Vec::new();
        if folder.join(first.name()).is_dir() {
            let entries = fs::read_dir(&folder)?.flatten();
            texts.extend(entries.filter_map(|entry| fs::read_to_string(entry.path().join("up.sql")).ok()));
        }
        Ok(Some(Self { name: first.name().to_owned(), existing: ExistingSchema::read(owner).await?, texts }))
    }

    /// Returns true if no table or column of `schema.rs` is missing, so that a second run has nothing to write.
    pub(super) fn creates_all(&self, root: &Path) -> bool {
        let text = fs::read_to_string(root.join("src/schema.rs")).unwrap_or_default();
        let declared = table::parse(&text).unwrap_or_default();
        let library = tables_of_library();
        !declared.is_empty()
            && declared.iter().all(|table| {
                let is_there = self.existing.has_table(&table.name) || library.contains(&table.name);
                (is_there || self.creates(&table.name))
                    && table
                        .columns
                        .iter()
                        .all(|column| self.existing.has_column(&table.name, &column.name) || self.adds(&column.name))
            })
    }

    /// Returns true if a migration creates the table.
    fn creates(&self, table: &str) -> bool {
        let names =
            self.texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("CREATE TABLE "));
        names.filter_map(|rest| rest.split([' ', '(']).next()).any(|name| name.trim_matches('"') == table)
    }

    /// Returns true if a migration has a line that defines the column.
    fn adds(&self, column: &str) -> bool {
        let lines = self.texts.iter().flat_map(|text| text.lines()).map(str::trim_start);
        let definitions = lines.map(|line| line.rsplit_once("ADD COLUMN ").map_or(line, |(_, rest)| rest));
        definitions.filter_map(|line| line.split(' ').next()).any(|name| name.trim_matches('"') == column)
    }
}
