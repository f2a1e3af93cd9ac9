//! `workspace-db migrate generate`

mod diesel_cli;
mod diesel_toml;
mod edit;
mod existing_schema;
mod functions;
mod model;
mod sql;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use chrono::{TimeDelta, Utc};
use clap::Args;
use serde_json::json;
use workspace_db::config::DatabaseUrl;
use workspace_db::db::catalog::Catalog;
use workspace_db::db::migrations::Migrator;

use self::existing_schema::ExistingSchema;
use self::table::{Reference, TableSchema};
use crate::context::Context;
use crate::error::ConflictingArguments;
use crate::output;

#[derive(Args, Debug)]
pub(super) struct Generate {
    /// Description of the migration, such as create_document_tags
    name: String,
    /// Referenced table of a column, if its name does not imply it
    #[arg(long, value_name = "COLUMN=TABLE", value_parser = reference)]
    references: Vec<(String, String)>,
    /// Columns of a new table that are unique in a workspace, comma-separated
    #[arg(long, value_name = "COLUMNS")]
    unique: Vec<String>,
    /// Folder of the crate, with diesel.toml, src and migrations
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    crate_folder: PathBuf,
    /// Write only the functions of this folder that differ from the database
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["references", "unique"])]
    functions: Option<PathBuf>,
}

fn reference(text: &str) -> Result<(String, String), String> {
    let (column, table) = text.split_once('=').ok_or("use the form COLUMN=TABLE")?;
    Ok((column.to_owned(), table.to_owned()))
}

impl Generate {
    pub(super) async fn run(self, context: &Context, migrator: &Migrator, owner: &DatabaseUrl) -> Result<()> {
        self.check_arguments()?;
        if let Some(first) = migrator.plan().await?.into_iter().next() {
            bail!(
                "the database lacks the migration {}, so new tables can't be detected; run `workspace-db migrate run` first",
                first.name()
            );
        }
        if let Some(folder) = &self.functions {
            return self.write_functions(context, migrator, owner, folder).await;
        }
        let root = &self.crate_folder;
        let schema = root.join("src/schema.rs");
        let text = fs::read_to_string(&schema)
            .with_context(|| format!("can't read {}; `diesel print-schema` writes it", schema.display()))?;
        let known = ExistingSchema::read(owner).await?;
        let all = table::parse(&text).with_context(|| schema.display().to_string())?;
        let new: Vec<&TableSchema> = all.iter().filter(|table| !known.tables.contains(&table.name)).collect();
        // Runs before any file is written, so that an error leaves no files behind.
        let created = self.created(&new, &known)?;
        let is_ours =
            fs::read_to_string(root.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"workspace-db\""));
        let stays = if is_ours { Vec::new() } else { tables_of_ours() };
        let version = next_version(&root.join("migrations"), migrator);
        // `diesel print-schema` and the comparison must see the new tables.
        diesel_toml::list(root, new.iter().map(|table| table.name.as_str()))?;
        let rest = diesel_cli::differences(root, &version, &self.name, owner, &known, &all, &stays)?;
        let (mut up, mut down) = (rest.up, rest.down);
        let mut written = Vec::new();
        for (table, references, sql) in created {
            up.push(sql);
            down.insert(0, format!("DROP TABLE {};", table.name));
            written.extend(model::write(root, is_ours, table, &references)?);
        }
        let folder = self.write_migration(&version, &up, &down, &mut written)?;
        let mut names: Vec<String> = written.iter().map(|path| relative(root, path)).collect();
        names.sort_unstable();
        names.dedup();
        report(context, &folder, &names, &rest.skipped)
    }

    async fn write_functions(
        &self,
        context: &Context,
        migrator: &Migrator,
        owner: &DatabaseUrl,
        functions: &Path,
    ) -> Result<()> {
        let changes = functions::changes(owner, functions).await?;
        if changes.up.is_empty() {
            let why = if changes.skipped.is_empty() {
                String::new()
            } else {
                format!("; skipped {}", changes.skipped.join(", "))
            };
            bail!("every function in {} matches the database{why}", functions.display());
        }
        let version = next_version(&self.crate_folder.join("migrations"), migrator);
        let mut written = Vec::new();
        let folder = self.write_migration(&version, &changes.up, &changes.down, &mut written)?;
        let names: Vec<String> = written.iter().map(|path| relative(&self.crate_folder, path)).collect();
        report(context, &folder, &names, &changes.skipped)
    }

    /// Writes both files, and returns their folder.
    fn write_migration(
        &self,
        version: &str,
        up: &[String],
        down: &[String],
        written: &mut Vec<PathBuf>,
    ) -> Result<PathBuf> {
        let folder = self.crate_folder.join("migrations").join(format!("{version}_{}", self.name));
        fs::create_dir_all(&folder)?;
        for (file, statements) in [("up.sql", up), ("down.sql", down)] {
            fs::write(folder.join(file), file_of(statements))?;
            written.push(folder.join(file));
        }
        Ok(folder)
    }

    fn check_arguments(&self) -> Result<()> {
        let is_of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.starts_with(|c: char| c.is_ascii_lowercase()) && self.name.chars().all(is_of_names) {
            return Ok(());
        }
        let message = format!(
            "{:?} is not a valid migration name; describe what the migration does, such as create_document_tags",
            self.name
        );
        Err(ConflictingArguments(message).into())
    }

    /// Returns the SQL of each new tenants' table, with referenced tables first.
    fn created<'a>(
        &self,
        new: &[&'a TableSchema],
        known: &ExistingSchema,
    ) -> Result<Vec<(&'a TableSchema, Vec<Reference>, String)>> {
        let tenants: Vec<&TableSchema> = new.iter().copied().filter(|table| table.is_tenants()).collect();
        let given =
            self.unique.iter().map(String::as_str).chain(self.references.iter().map(|(column, _)| column.as_str()));
        for columns in given {
            if !tenants.iter().any(|table| table.has_all(columns)) {
                return Err(ConflictingArguments(format!("no new table in src/schema.rs has {columns}")).into());
            }
        }
        let mut with_references = Vec::new();
        for table in tenants {
            with_references.push((table, self.references_of(table, new, known)?));
        }
        in_order(with_references)
            .into_iter()
            .map(|(table, references)| {
                let unique = self.unique.iter().map(String::as_str).filter(|columns| table.has_all(columns));
                let sql = sql::create(table, &references, &unique.collect::<Vec<_>>(), known)?;
                Ok((table, references, sql))
            })
            .collect()
    }

    /// Returns the references by `--references`, or by the name of the column: `document_id` refers to `documents`.
    fn references_of(
        &self,
        table: &TableSchema,
        new: &[&TableSchema],
        known: &ExistingSchema,
    ) -> Result<Vec<Reference>> {
        let tenants: Vec<&str> = known
            .tenants
            .iter()
            .map(String::as_str)
            .chain(new.iter().filter(|one| one.is_tenants()).map(|one| one.name.as_str()))
            .collect();
        let mut found = Vec::new();
        for column in table.columns.iter().filter(|column| column.name != "workspace_id") {
            let said = self.references.iter().find(|(of, _)| *of == column.name).map(|(_, to)| to.as_str());
            let stem = column.name.strip_suffix("_id");
            let by_name = stem.and_then(|stem| {
                tenants.iter().copied().chain(["admin_users"]).find(|name| table::singular(name) == stem)
            });
            let Some(to) = said.or(by_name) else { continue };
            if !tenants.contains(&to) && to != "admin_users" {
                return Err(ConflictingArguments(format!(
                    "{}.{} can't reference {to}: there is no tenant table of this name",
                    table.name, column.name
                ))
                .into());
            }
            found.push(Reference {
                column: column.name.clone(),
                to: to.to_owned(),
                is_nullable: column.is_nullable,
                is_tenants: to != "admin_users",
            });
        }
        Ok(found)
    }
}

/// Returns the tables of this library. A crate that uses it has them in its database and not in its `schema.rs`.
fn tables_of_ours() -> Vec<String> {
    let all = Catalog::expected().to_string();
    all.lines().filter_map(|line| line.strip_prefix("table ")?.split(' ').next().map(str::to_owned)).collect()
}

/// Returns the current time in the format of the Diesel CLI, or the next second that no migration uses.
fn next_version(folder: &Path, migrator: &Migrator) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut taken: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    taken.extend(migrator.migrations().map(|one| one.name().to_owned()));
    let mut at = Utc::now();
    loop {
        let version = at.format("%Y-%m-%d-%H%M%S").to_string();
        if !taken.iter().any(|name| name.starts_with(&version)) {
            return version;
        }
        at += TimeDelta::seconds(1);
    }
}

/// Sorts referenced tables first, and otherwise keeps the order of the file.
fn in_order(mut tables: Vec<(&TableSchema, Vec<Reference>)>) -> Vec<(&TableSchema, Vec<Reference>)> {
    let mut ordered: Vec<(&TableSchema, Vec<Reference>)> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |references: &[Reference], name: &str| {
            references.iter().any(|one| one.to != name && tables.iter().any(|(other, _)| other.name == one.to))
        };
        // If tables refer to each other in a circle, take the first. PostgreSQL then reports the missing table.
        let at = tables.iter().position(|(table, references)| !waits(references, &table.name)).unwrap_or(0);
        ordered.push(tables.remove(at));
    }
    ordered
}

fn file_of(statements: &[String]) -> String {
    if statements.is_empty() {
        return "-- src/schema.rs has nothing new: write the statements of the migration here.\n".to_owned();
    }
    format!("{}\n", statements.join("\n\n"))
}

fn report(context: &Context, folder: &Path, written: &[String], skipped: &[String]) -> Result<()> {
    if context.json {
        let migration = folder.display().to_string();
        return output::print_json(&json!({ "migration": migration, "written": written, "skipped": skipped }));
    }
    let next = [
        "",
        "Review the files, then run:",
        "  workspace-db migrate run --migrations migrations   and   diesel print-schema > src/schema.rs",
        "  workspace-db migrate check --migrations migrations",
    ];
    let written = written.iter().map(|name| format!("wrote    {name}"));
    let skipped = skipped.iter().map(|why| format!("skipped  {why}"));
    output::print_lines(written.chain(skipped).chain(next.map(str::to_owned)))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
