//! The changes that the stock Diesel CLI finds, without its false positives.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use workspace_db::config::DatabaseUrl;
use workspace_db::db::migrations::statements;

use super::existing_schema::ExistingSchema;
use super::table::TableSchema;

/// Statements of both directions, and the parts that were skipped.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) up: Vec<String>,
    pub(super) down: Vec<String>,
    pub(super) skipped: Vec<String>,
}

/// Runs `diesel migration generate --diff-schema`, if the Diesel CLI is installed, and reads its output.
pub(super) fn differences(
    root: &Path,
    version: &str,
    name: &str,
    owner: &DatabaseUrl,
    known: &ExistingSchema,
    all: &[TableSchema],
    stays: &[String],
) -> Result<Differences> {
    let new = || all.iter().filter(|table| !known.has_table(&table.name));
    let mut command = Command::new("diesel");
    command
        .current_dir(root)
        .args(["migration", "generate", name, "--version", version, "--diff-schema", "--migration-dir", "migrations"])
        .env("DATABASE_URL", owner.expose());
    fs::create_dir_all(root.join("migrations"))?;
    let output = match command.output() {
        Ok(output) => output,
        Err(_) if new().all(TableSchema::is_tenants) => {
            let why = "columns of another type or without a line in schema.rs: the Diesel CLI, which detects them, is not on the PATH";
            return Ok(Differences { skipped: vec![why.to_owned()], ..Differences::default() });
        }
        Err(error) => bail!("a table without workspace_id needs the Diesel CLI, which can't be run: {error}"),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // The Diesel CLI can't write a table with such a key, and tries to for each table that schema.rs does not have.
        if said.contains("composite foreign keys") && new().all(TableSchema::is_tenants) {
            let why = "columns of another type or without a line in schema.rs: list the tables of src/schema.rs under `filter = { only_tables = [...] }` in \
                       diesel.toml, so that the Diesel CLI skips the others";
            return Ok(Differences { skipped: vec![why.to_owned()], ..Differences::default() });
        }
        bail!("diesel migration generate: {said}");
    }
    let folder = root.join("migrations").join(format!("{version}_{name}"));
    let read = |file: &str| fs::read_to_string(folder.join(file));
    let (up, down) = (read("up.sql")?, read("down.sql")?);
    let tenants = new().filter(|table| table.is_tenants()).map(|table| &table.name);
    let others: Vec<&str> = tenants.chain(stays).map(String::as_str).collect();
    let found = |text: &str| real(text, known, &others, stays, all);
    Ok(Differences { up: found(&up), down: found(&down), skipped: Vec::new() })
}

/// Returns the statements without false positives and without those that are generated here.
///
/// If only the spelling of a column's name or type differs, the Diesel CLI sees another column and would drop its data. An
/// enum is an example (`document_status` and `DocumentStatus`). It also drops each table that `schema.rs` does not have,
/// such as those of a library. `others` are tables that are created and dropped elsewhere, and `stays` those of the library.
fn real(text: &str, known: &ExistingSchema, others: &[&str], stays: &[String], all: &[TableSchema]) -> Vec<String> {
    let statements: Vec<&str> = statements(text).into_iter().map(|one| one.sql).collect();
    let dropped: BTreeSet<_> = statements.iter().filter_map(|sql| column(sql, "DROP")).collect();
    let added: BTreeSet<_> = statements.iter().filter_map(|sql| column(sql, "ADD")).collect();
    let is_new = |table: &str, name: &str| {
        let declared = all.iter().find(|one| one.name == table && one.is_tenants());
        declared.is_some() && !known.has_column(table, name)
    };
    let is_real = |sql: &&&str| {
        let changed = column(sql, "DROP").or_else(|| column(sql, "ADD"));
        let of_others = |verb: &str| others.iter().any(|name| sql.starts_with(&format!("{verb} \"{name}\"")));
        !changed.as_ref().is_some_and(|one| dropped.contains(one) && added.contains(one))
            && !changed.is_some_and(|(table, name)| is_new(&table, &name))
            && !stays.iter().any(|name| sql.starts_with(&format!("ALTER TABLE \"{name}\"")))
            && !of_others("CREATE TABLE")
            && !of_others("DROP TABLE IF EXISTS")
    };
    let mut found: Vec<String> =
        statements.iter().filter(is_real).map(|sql| format!("{};", with_enums(sql, known))).collect();
    // The Diesel CLI changes the order of the columns with each run.
    // The signs of a vector are generated from it, and are dropped before it.
    found.sort_by_key(|sql| (column(sql, "ADD"), Reverse(column(sql, "DROP"))));
    found
}

/// Returns the table and column of `ALTER TABLE "t" DROP COLUMN "c"`, without the underscore that avoids a keyword in Rust.
fn column(sql: &str, verb: &str) -> Option<(String, String)> {
    let (table, column) = sql.strip_prefix("ALTER TABLE \"")?.split_once(&format!("\" {verb} COLUMN \""))?;
    Some((table.to_owned(), column.split('"').next()?.trim_end_matches('_').to_owned()))
}

/// Restores the database's names of enums: the Diesel CLI writes `DOCUMENTSTATUS`.
fn with_enums(sql: &str, known: &ExistingSchema) -> String {
    known.enums.keys().fold(sql.to_owned(), |sql, name| sql.replace(&name.replace('_', "").to_uppercase(), name))
}
