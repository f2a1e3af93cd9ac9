//! `workspace-db migrate`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use workspace_db::config::Environment;
use workspace_db::db::migrations::{self, Revert};

use super::database::Database;
use super::{Context, output};

/// Run, revert and list the migrations
#[derive(Args, Debug)]
pub(super) struct Migrate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run what is pending
    Run,
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
    },
    /// List the migrations and whether the database has them
    Status,
    /// Show what `run` would do, without doing it
    Plan {
        /// The SQL as well
        #[arg(long)]
        sql: bool,
    },
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let owner = Database::of(context)?.owner_url()?;
        match self.action {
            Action::Run => {
                let spinner = output::spinner();
                let bar = spinner.clone();
                let before_each = move |name: &str| bar.set_message(format!("migrating: {name}"));
                let applied = migrations::run(&owner, context.config.environment, before_each).await?;
                spinner.finish_and_clear();
                changed(context, "applied", &applied)
            }
            Action::Revert { number, all, yes } => {
                if context.config.environment == Environment::Production && !yes {
                    bail!(
                        "reverting drops tables with the data in them, and this is production; say --yes if you mean it"
                    );
                }
                let which = if all { Revert::All } else { Revert::Last(number) };
                changed(context, "reverted", &migrations::revert(&owner, which).await?)
            }
            Action::Status => {
                let all = migrations::status(&owner).await?;
                if context.json {
                    return output::print_json(&all);
                }
                let mark = |applied| if applied { "applied" } else { "pending" };
                output::print_lines(all.iter().map(|one| format!("{}  {}", mark(one.applied), one.name)))
            }
            Action::Plan { sql } => {
                let pending = migrations::plan(&owner).await?;
                if context.json {
                    let all: Vec<_> = pending.iter().map(|(name, sql)| json!({ "name": name, "sql": sql })).collect();
                    return output::print_json(&all);
                }
                let line =
                    |(name, text): &(&str, &str)| if sql { format!("-- {name}\n{text}") } else { (*name).to_owned() };
                output::print_lines(pending.iter().map(line))
            }
        }
    }
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
