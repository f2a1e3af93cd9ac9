//! `workspace-db migrate check`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::db::migrations::Migrator;
use workspace_db::doctor::{CheckStatus, Doctor, Finding, Thresholds};
use workspace_db::tenancy::TENANT_TABLES;
use workspace_db_testing::TestDatabase;

use crate::context::Context;
use crate::crate_tables;
use crate::database::DatabaseTarget;
use crate::doctor::lines;
use crate::error::UnhealthyDatabase;
use crate::output;

#[derive(Args, Debug)]
pub(super) struct Check {
    /// Folder of the crate whose src registers the tables
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    crate_folder: PathBuf,
    /// Check only the files and skip the database
    #[arg(long)]
    files: bool,
}

/// Checks of the schema. Checks of a running database are not listed.
const OF_THE_SCHEMA: &[&str] = &[
    "registry",
    "policies",
    "grants",
    "default_privileges",
    "keys",
    "views",
    "functions",
    "migrations",
    "drift",
    "comments",
    "missing_indexes",
    "invalid_indexes",
    "vector_columns",
];

impl Check {
    /// Checks the files on a temporary server, and the database as it is.
    pub(super) async fn run(self, context: &Context, folder: Option<&Path>) -> Result<()> {
        let registered = crate_tables::registered(&self.crate_folder);
        let tables: Vec<String> =
            registered.iter().filter(|name| !TENANT_TABLES.contains(&name.as_str())).cloned().collect();
        let mut of_files = of_files(folder, &tables).await?;
        of_files.extend(models(&self.crate_folder, &tables));
        let mut parts = vec![("files", of_files)];
        let mut left_out = None;
        match DatabaseTarget::from_context(context).and_then(|database| database.config()) {
            _ if self.files => {}
            Ok(config) => parts.push(("database", examined(&config, folder, &tables).await?)),
            Err(error) => left_out = Some(format!("the database was not checked: {error}")),
        }
        let worst =
            parts.iter().flat_map(|(_, findings)| findings).map(|one| one.status).max().unwrap_or(CheckStatus::Pass);
        let printed = if context.json {
            let [of_files, live] =
                ["files", "database"].map(|part| parts.iter().find(|(name, _)| *name == part).map(|(_, all)| all));
            output::print_json(&json!({ "status": worst, "files": of_files, "database": live, "left_out": left_out }))
        } else {
            let lines = parts
                .iter()
                .flat_map(|(part, findings)| findings.iter().flat_map(move |one| lines(&format!("{part:<9} "), one)));
            output::print_lines(lines.chain(left_out))
        };
        if worst > CheckStatus::Skipped { Err(UnhealthyDatabase(worst).into()) } else { printed }
    }
}

async fn of_files(folder: Option<&Path>, tables: &[String]) -> Result<Vec<Finding>> {
    let spinner = output::spinner();
    output::tell(&spinner, "running the migrations in a temporary database");
    let scratch = TestDatabase::unmigrated().await?;
    let url = scratch.url()?;
    migrator(&url, folder)?.run(|_| ()).await?;
    let config = Config { database_url: Some(url), ..scratch.config()? };
    let findings = examined(&config, folder, tables).await;
    spinner.finish_and_clear();
    findings
}

fn migrator(url: &DatabaseUrl, folder: Option<&Path>) -> Result<Migrator> {
    let migrator = Migrator::new(url, Environment::Production);
    Ok(match folder {
        Some(folder) => migrator.with_folder(folder)?,
        None => migrator,
    })
}

async fn examined(config: &Config, folder: Option<&Path>, tables: &[String]) -> Result<Vec<Finding>> {
    let doctor =
        Doctor::new(config)?.with_tables(tables).with_thresholds(Thresholds { questions: 0, ..Thresholds::default() });
    let doctor = match &config.database_url {
        Some(url) => doctor.with_migrations(migrator(url, folder)?),
        None => doctor,
    };
    Ok(doctor.run_checks().await?.into_iter().filter(|one| OF_THE_SCHEMA.contains(&one.check)).collect())
}

/// Returns a finding for tables without a model: no program can read their rows.
fn models(root: &Path, tables: &[String]) -> Option<Finding> {
    let without = tables.iter().filter(|name| !root.join(format!("src/models/{name}.rs")).exists());
    let problems: Vec<String> = without.map(|name| format!("{name} has no src/models/{name}.rs")).collect();
    (!problems.is_empty()).then_some(Finding {
        check: "registry",
        status: CheckStatus::Warn,
        problems,
        remedy: Some("write the file, or run `workspace-db migrate generate`"),
    })
}
