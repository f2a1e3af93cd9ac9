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
use workspace_db::db::migrations::{MigrationState, Migrator, RevertCount};

use super::database::DatabaseTarget;
use super::{Context, output};

/// Run, revert and list the migrations
#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Folder of migrations of your own, beside those of workspace-db
    #[arg(long, global = true, value_name = "FOLDER")]
    migrations: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run what is pending
    Run(TimeoutArgs),
    /// Take back the last migration, with the data in the tables that it made
    Revert {
        /// How many to take back
        #[arg(short = 'n', long, default_value_t = 1, conflicts_with = "all")]
        number: u32,
        /// Take back every one
        #[arg(long)]
        all: bool,
        /// Do it where WORKSPACE_DB_ENV is production
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        limits: TimeoutArgs,
    },
    /// List the migrations, how the database has them, and where its schema is another than they make
    Status,
    /// Show what `run` would do, and what it would lock, without doing it
    ///
    /// The locks are seen on a server that is started for it and has no rows: PostgreSQL 18, or the major version that
    /// WORKSPACE_DB_TEST_POSTGRES says
    Plan(plan::Plan),
    /// Write a migration, and what a new tenants' table needs in SQL and Rust, from what src/schema.rs has more than the database
    Generate(generate::Generate),
    /// Find tenants' tables that lack what keeps workspaces apart, in the files and in the database
    Check(check::Check),
    /// Print the schema of the database, object by object, as `status` compares it
    Catalog,
}

/// How long a migration may stand in others' way.
#[derive(Args, Debug)]
struct TimeoutArgs {
    /// Seconds that a statement waits for a lock, with readers and writers behind it
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    lock_timeout: f64,
    /// Seconds that a statement runs; 0 for as long as it takes
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    statement_timeout: f64,
    /// How often a migration that got no lock is tried
    #[arg(long, value_name = "N", default_value_t = 10)]
    attempts: usize,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    // A day, in milliseconds, is well within what PostgreSQL takes.
    if (0.0..=86_400.0).contains(&seconds) { Ok(seconds) } else { Err("not between 0 and a day".to_owned()) }
}

impl TimeoutArgs {
    fn of(&self, migrator: Migrator) -> Migrator {
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
            Action::Run(limits) => {
                let (migrator, _) = migrator(context, folder)?;
                let spinner = output::spinner();
                let before_each = |name: &str| output::tell(&spinner, &format!("migrating: {name}"));
                let applied = limits.of(migrator).run(before_each).await?;
                spinner.finish_and_clear();
                changed(context, "applied", &applied)
            }
            Action::Revert { number, all, yes, limits } => {
                if context.config.environment == Environment::Production && !yes {
                    bail!(
                        "reverting drops tables with the data in them, and this is production; say --yes if you mean it"
                    );
                }
                let (migrator, _) = migrator(context, folder)?;
                let which = if all { RevertCount::All } else { RevertCount::Last(number) };
                changed(context, "reverted", &limits.of(migrator).revert(which).await?)
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

/// What is pending would be drift, so that is told where nothing is.
async fn status(context: &Context, migrator: &Migrator, owner: &DatabaseUrl) -> Result<()> {
    let all = migrator.status().await?;
    let is_whole = all.iter().all(|one| one.state != MigrationState::Pending);
    let drift = if is_whole { Catalog::expected().drift(&Catalog::read(owner).await?) } else { Vec::new() };
    if context.json {
        return output::print_json(&json!({ "migrations": all, "drift": is_whole.then_some(drift) }));
    }
    let migrations = all.iter().map(|one| format!("{:<10}  {}", one.state.label(), one.name));
    output::print_lines(migrations.chain(drift.iter().map(|one| format!("drift       {one}"))))
}

/// Of the database that the environment names, whose owner's URL it returns too.
fn migrator(context: &Context, folder: Option<&Path>) -> Result<(Migrator, DatabaseUrl)> {
    let owner = DatabaseTarget::of(context)?.owner_url()?;
    let migrator = Migrator::new(&owner, context.config.environment);
    let migrator = match folder {
        Some(folder) => migrator.with_folder(folder)?,
        None => migrator,
    };
    Ok((migrator, owner))
}

fn changed(context: &Context, verb: &str, names: &[String]) -> Result<()> {
    if context.json {
        return output::print_json(&json!({ verb: names }));
    }
    if names.is_empty() {
        return output::print_lines([format!("nothing to be {verb}")]);
    }
    output::print_lines(names.iter().map(|name| format!("{verb}  {name}")))
}
