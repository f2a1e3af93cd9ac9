//! `workspace-db migrate generate`

mod diesel_cli;
mod diesel_toml;
mod edit;
mod enums;
mod existing_schema;
mod functions;
mod model;
mod pending;
mod references;
mod registry;
mod schema_rs;
mod sql;
mod table;
mod version;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use workspace_db::config::DatabaseUrl;
use workspace_db::db::migrations::{Migration, Migrator};

use self::enums::Enums;
use self::existing_schema::{ExistingSchema, tables_of_library};
use self::pending::PendingMigration;
use self::references::{NewTable, Reference};
use self::registry::Layout;
use self::sql::Names;
use self::table::{ColumnSchema, TableSchema};
use crate::context::Context;
use crate::error::ConflictingArguments;
use crate::modules;
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

/// Columns that `schema.rs` has and an existing table lacks.
struct NewColumns<'a> {
    table: &'a TableSchema,
    columns: Vec<&'a ColumnSchema>,
    references: Vec<Reference>,
}

/// Statements of both directions. Those of `down` are in the order in which they run.
#[derive(Default)]
struct Statements {
    up: Vec<String>,
    down: Vec<String>,
}

impl Statements {
    /// Adds a pair. The last change is the first to be reverted.
    fn push(&mut self, up: String, down: String) {
        self.up.push(up);
        self.down.insert(0, down);
    }
}

impl Generate {
    pub(super) async fn run(self, context: &Context, migrator: &Migrator, owner: &DatabaseUrl) -> Result<()> {
        self.check_arguments()?;
        let root = &self.crate_folder;
        let src = root.join("src");
        let is_ours =
            fs::read_to_string(root.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"workspace-db\""));
        if let Some(pending) = PendingMigration::first(migrator, root, is_ours, owner).await? {
            if self.functions.is_none() && pending.creates_all(root) {
                return report_nothing(context, &format!("everything: {} is pending", pending.name));
            }
            bail!(
                "the database lacks the migration {}, so new tables can't be detected; run `workspace-db migrate run` first",
                pending.name
            );
        }
        if let Some(folder) = &self.functions {
            return self.write_functions(context, migrator, owner, folder).await;
        }
        let schema = src.join("schema.rs");
        let text = fs::read_to_string(&schema)
            .with_context(|| format!("can't read {}; `diesel print-schema` writes it", schema.display()))?;
        let known = ExistingSchema::read(owner).await?;
        let all = table::parse(&text).with_context(|| schema.display().to_string())?;
        let new: Vec<&TableSchema> = all.iter().filter(|table| !known.has_table(&table.name)).collect();
        let layout = Layout::new(root, is_ours);
        let enums = Enums::read(&src, is_ours, layout.library, &known);
        let names = Names { known: &known, enums: &enums };
        // Runs before any file is written, so that an error leaves no files behind.
        let tables = self.new_tables(&new, &known)?;
        let columns = self.new_columns(&all, &new, &known)?;
        let stays = if is_ours { Vec::new() } else { tables_of_library() };
        require_defaults(&columns, &stays)?;
        let own = self.statements(&tables, &columns, names)?;
        let version = self.next_version(migrator);
        let modules: BTreeSet<&str> = types(&tables, &columns)
            .filter_map(|one| enums.module(one))
            .filter(|module| module.starts_with("crate::") && !is_ours)
            .collect();
        // `diesel print-schema` and the Diesel CLI must see the new tables, columns and enums.
        let listed = new.iter().copied().chain(columns.iter().map(|one| one.table));
        diesel_toml::list(root, listed.map(|table| table.name.as_str()), &modules)?;
        let rest = diesel_cli::differences(root, &version, &self.name, owner, &known, &all, &stays)?;
        let up: Vec<String> = [own.up, rest.up].concat();
        let down: Vec<String> = [rest.down, own.down].concat();
        let mut skipped = rest.skipped;
        // The sources come first: an edit that fails leaves no migration that a second run takes for complete.
        let mut written = write_sources(&layout, &enums, &tables, &columns, &stays, &mut skipped)?;
        written.extend(enums.declare(&src, types(&tables, &columns))?);
        let has_modules = !tables.is_empty() || !modules.is_empty();
        if has_modules && !is_ours {
            written.extend(declare_modules(root, !tables.is_empty(), modules.contains("crate::sql_types"))?);
        }
        for (table, column) in all_columns(&tables, &columns).filter(|(table, column)| sql::lacks_bits(table, column)) {
            if schema_rs::add_bits(&schema, table, column, layout.library)? {
                written.push(schema.clone());
            } else {
                skipped.push(format!("the column {} in src/schema.rs: run `diesel print-schema`", sql::bits(column)));
            }
        }
        let folder = self.write_migration(&version, &up, &down, &mut written)?;
        report(context, &folder, &relative_names(root, &written), &skipped)
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
        let version = self.next_version(migrator);
        let mut written = Vec::new();
        let folder = self.write_migration(&version, &changes.up, &changes.down, &mut written)?;
        report(context, &folder, &relative_names(&self.crate_folder, &written), &changes.skipped)
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

    fn next_version(&self, migrator: &Migrator) -> String {
        version::next(&self.crate_folder.join("migrations"), migrator.migrations().map(Migration::name))
    }

    /// Returns the new tenants' tables with their references, referenced tables first.
    fn new_tables<'a>(&self, new: &[&'a TableSchema], known: &ExistingSchema) -> Result<Vec<NewTable<'a>>> {
        let tenants: Vec<&TableSchema> = new.iter().copied().filter(|table| table.is_tenants()).collect();
        for columns in &self.unique {
            if !tenants.iter().any(|table| table.has_all(columns)) {
                return Err(ConflictingArguments(format!("no new table in src/schema.rs has {columns}")).into());
            }
        }
        let all = references::tenants(known, new);
        let mut with_references = Vec::new();
        for table in tenants {
            with_references.push((table, references::of_columns(table, table.columns.iter(), &self.references, &all)?));
        }
        Ok(references::in_order(with_references))
    }

    /// Returns the columns that existing tenants' tables lack.
    fn new_columns<'a>(
        &self,
        all: &'a [TableSchema],
        new: &[&TableSchema],
        known: &ExistingSchema,
    ) -> Result<Vec<NewColumns<'a>>> {
        let tenants = references::tenants(known, new);
        let mut found = Vec::new();
        for table in all.iter().filter(|table| table.is_tenants() && known.has_table(&table.name)) {
            let is_new = |column: &&ColumnSchema| !known.has_column(&table.name, &column.name);
            // The sign bits come with their vector.
            let columns: Vec<&ColumnSchema> =
                table.columns.iter().filter(is_new).filter(|column| !sql::is_bits(table, column)).collect();
            if !columns.is_empty() {
                let of = columns.iter().copied();
                let references = references::of_columns(table, of, &self.references, &tenants)?;
                found.push(NewColumns { table, columns, references });
            }
        }
        for (column, _) in &self.references {
            let has = |table: &&TableSchema| table.column(column).is_some();
            if !new.iter().any(has) && !found.iter().any(|one| one.columns.iter().any(|of| of.name == *column)) {
                return Err(ConflictingArguments(format!("no new table in src/schema.rs has {column}")).into());
            }
        }
        Ok(found)
    }

    fn statements(&self, tables: &[NewTable<'_>], columns: &[NewColumns<'_>], names: Names<'_>) -> Result<Statements> {
        let mut all = Statements::default();
        let (create, drop) = names.enums.statements(names.known, types(tables, columns));
        create.into_iter().zip(drop).for_each(|(up, down)| all.push(up, down));
        for new in tables {
            let unique = self.unique.iter().map(String::as_str).filter(|columns| new.table.has_all(columns));
            let up = sql::create(new, &unique.collect::<Vec<_>>(), names)?;
            all.push(up, format!("DROP TABLE {};", names.known.quoted(&new.table.name)));
        }
        for new in tables {
            for reference in &new.later {
                let (up, down) = sql::add_reference(new.table, reference, names);
                all.push(up, down);
            }
        }
        for NewColumns { table, columns, references } in columns {
            let (up, down) = sql::add(table, columns, references, names)?;
            all.push(up, down);
        }
        Ok(all)
    }
}

/// Writes the registration and the models, and returns the files. What is left to the user is added to `skipped`.
fn write_sources(
    layout: &Layout,
    enums: &Enums,
    tables: &[NewTable<'_>],
    columns: &[NewColumns<'_>],
    stays: &[String],
    skipped: &mut Vec<String>,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for NewTable { table, references, later } in tables {
        let references = [references.as_slice(), later].concat();
        written.extend(registry::register(layout, table, &references)?);
        written.extend(model::write(layout, table, &references, enums)?);
    }
    for NewColumns { table, columns, references } in columns {
        if !stays.contains(&table.name) {
            written.extend(registry::relate(layout, table, references)?);
            registry::add_vectors(layout, table, columns.iter().copied())?;
        }
        let fields: Vec<String> = columns.iter().map(|column| model::field(table, column, references)).collect();
        skipped.push(format!("the model of {}, which is yours: add `{}`", table.name, fields.join("`, `")));
    }
    Ok(written)
}

/// Rejects a column on a table of the library that its inserts can't omit.
fn require_defaults(columns: &[NewColumns<'_>], stays: &[String]) -> Result<()> {
    let of_library = columns.iter().filter(|one| stays.contains(&one.table.name));
    let mut required = of_library.flat_map(|one| one.columns.iter().map(move |column| (one.table, column)));
    match required.find(|(_, column)| !column.is_nullable && !column.has_default()) {
        None => Ok(()),
        Some((table, column)) => Err(ConflictingArguments(format!(
            "{0}.{1} must be Nullable: workspace-db inserts rows into {0} without it",
            table.name, column.name
        ))
        .into()),
    }
}

/// Returns the new columns with their tables.
fn all_columns<'a>(
    tables: &'a [NewTable<'_>],
    columns: &'a [NewColumns<'_>],
) -> impl Iterator<Item = (&'a TableSchema, &'a ColumnSchema)> {
    let of_tables = tables.iter().flat_map(|one| one.table.columns.iter().map(move |column| (one.table, column)));
    let of_columns = columns.iter().flat_map(|one| one.columns.iter().map(move |column| (one.table, *column)));
    of_tables.chain(of_columns)
}

/// Returns the names of the columns' types.
fn types<'a>(tables: &'a [NewTable<'_>], columns: &'a [NewColumns<'_>]) -> impl Iterator<Item = &'a str> {
    all_columns(tables, columns).map(|(_, column)| column.sql_type.as_str())
}

/// Adds the `mod` lines to the library or binary of the crate, and returns the file if it changed.
fn declare_modules(root: &Path, has_tables: bool, has_enums: bool) -> Result<Option<PathBuf>> {
    let mut needed = if has_tables { vec!["models", "registry", "schema"] } else { Vec::new() };
    if has_enums {
        needed.push("sql_types");
    }
    let roots = ["lib.rs", "main.rs"].map(|file| root.join("src").join(file));
    let Some(path) = roots.into_iter().find(|path| path.exists()) else { return Ok(None) };
    Ok(modules::declare(&path, &needed)?.then_some(path))
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

/// Reports that no file was written.
fn report_nothing(context: &Context, skipped: &str) -> Result<()> {
    if context.json {
        return output::print_json(&json!({ "migration": null, "written": [], "skipped": [skipped] }));
    }
    let next = "next     workspace-db migrate run --migrations migrations".to_owned();
    output::print_lines([format!("skipped  {skipped}"), next])
}

/// Returns the paths of files in the crate, each once.
fn relative_names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
    let names = paths.iter().map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
