//! `workspace-db migrate`

mod check;
mod generate;
mod locks;
mod plan;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::catalog::Catalog;
use workspace_db::db::migrations::{MigrationStatus, Migrator, RevertCount};

use super::context::Context;
use super::database::DatabaseTarget;
use super::output;

/// Run, revert, inspect and generate migrations
#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Folder of your own migrations, in addition to those of workspace-db
    #[arg(long, global = true, value_name = "FOLDER")]
    migrations: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run pending migrations
    Run(TimeoutArgs),
    /// Revert the last migration and delete the data in its tables
    Revert {
        /// Number of migrations to revert
        #[arg(short = 'n', long, alias = "number", value_name = "N", default_value_t = 1, conflicts_with = "all")]
        steps: u32,
        /// Revert all migrations
        #[arg(long)]
        all: bool,
        /// Confirm the revert if WORKSPACE_DB_ENV is production
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        timeouts: TimeoutArgs,
    },
    /// Show applied and pending migrations, and schema drift
    Status,
    /// Show pending migrations and their locks without running them
    ///
    /// The locks are measured on a temporary server without rows. It is PostgreSQL 18, or the major version in
    /// WORKSPACE_DB_TEST_POSTGRES.
    Plan(plan::Plan),
    /// Generate a migration from the differences between src/schema.rs and the database
    ///
    /// For a new tenants' table, the command also writes the SQL and Rust code that isolate workspaces.
    Generate(generate::Generate),
    /// Check that tenants' tables isolate workspaces
    ///
    /// The command checks the migration files and the database.
    Check(check::Check),
    /// Print the schema object by object, as `status` compares it
    Catalog,
}

/// Limits on the time that a migration may block other sessions.
#[derive(Args, Debug)]
struct TimeoutArgs {
    /// Seconds that a statement waits for a lock, which blocks later sessions
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    lock_timeout: f64,
    /// Maximum seconds of a statement; 0 means no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    statement_timeout: f64,
    /// Maximum attempts of a migration that can't get its lock
    #[arg(long, value_name = "N", default_value_t = 10)]
    attempts: usize,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    // A day, in milliseconds, is well within PostgreSQL's range.
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("must be between 0 and 86400 seconds".to_owned())
    }
}

impl TimeoutArgs {
    fn apply_to(&self, migrator: Migrator) -> Migrator {
        migrator
            .lock_timeout(Duration::from_secs_f64(self.lock_timeout))
            .statement_timeout(Duration::from_secs_f64(self.statement_timeout))
            .attempts(self.attempts)
    }
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let folder = self.migrations.as_deref();
        match self.action {
            Action::Run(timeouts) => {
                let (migrator, _) = migrator(context, folder)?;
                let spinner = output::spinner();
                let before_each = |name: &str| output::tell(&spinner, &format!("migrating: {name}"));
                let applied = timeouts.apply_to(migrator).run(before_each).await?;
                spinner.finish_and_clear();
                print_changed(context, "applied", &applied)
            }
            Action::Revert { steps, all, yes, timeouts } => {
                if context.config.environment == Environment::Production && !yes {
                    bail!("reverting drops tables with their data, and this is production; pass --yes to confirm");
                }
                let (migrator, _) = migrator(context, folder)?;
                let which = if all { RevertCount::All } else { RevertCount::Last(steps) };
                print_changed(context, "reverted", &timeouts.apply_to(migrator).revert(which).await?)
            }
            Action::Status => {
                let (migrator, owner) = migrator(context, folder)?;
                status(context, &migrator, &owner).await
            }
            Action::Generate(generate) => {
                let (migrator, owner) = migrator(context, folder)?;
                generate.run(context, &migrator, &owner).await
            }
            Action::Check(check) => check.run(context, folder).await,
            Action::Catalog => {
                let (_, owner) = migrator(context, folder)?;
                let catalog = Catalog::read(&owner).await?.to_string();
                let objects = catalog.lines().map(str::to_owned);
                if context.json {
                    output::print_json(&objects.collect::<Vec<_>>())
                } else {
                    output::print_lines(objects)
                }
            }
            Action::Plan(plan) => {
                let (migrator, owner) = migrator(context, folder)?;
                plan.run(context, &migrator, &owner).await
            }
        }
    }
}

/// Prints the migrations and the drift. A pending migration would appear as drift, so drift is printed only if none is
/// pending.
async fn status(context: &Context, migrator: &Migrator, owner: &DatabaseUrl) -> Result<()> {
    let all = migrator.status().await?;
    let is_whole = all.iter().all(|one| one.status != MigrationStatus::Pending);
    let drift = if is_whole { Catalog::expected().drift(&Catalog::read(owner).await?) } else { Vec::new() };
    if context.json {
        return output::print_json(&json!({ "migrations": all, "drift": is_whole.then_some(drift) }));
    }
    let migrations = all.iter().map(|one| format!("{:<10}  {}", one.status.label(), one.name));
    output::print_lines(migrations.chain(drift.iter().map(|one| format!("drift       {one}"))))
}

/// Returns the migrator of the database that the environment names, and the owner's URL.
fn migrator(context: &Context, folder: Option<&Path>) -> Result<(Migrator, DatabaseUrl)> {
    let owner = DatabaseTarget::from_context(context)?.owner_url()?;
    let migrator = Migrator::new(&owner, context.config.environment);
    let migrator = match folder {
        Some(folder) => migrator.with_folder(folder)?,
        None => migrator,
    };
    Ok((migrator, owner))
}

fn print_changed(context: &Context, verb: &str, names: &[String]) -> Result<()> {
    if context.json {
        return output::print_json(&json!({ verb: names }));
    }
    if names.is_empty() {
        return output::print_lines([format!("no migration was {verb}")]);
    }
    output::print_lines(names.iter().map(|name| format!("{verb}  {name}")))
}
