//! `workspace-db up`

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::config::DatabaseUrl;
use workspace_db::db::migrations::Migrator;
use workspace_db_embedded::{LocalServer, MajorVersion, StartupStep};

use super::context::Context;
use super::database::owner_from_env;
use super::error::ConflictingArguments;
use super::output;

/// Start a local PostgreSQL server, or use DATABASE_URL, and run migrations
#[derive(Args, Debug)]
pub(super) struct Up {
    /// Major version of PostgreSQL for a new server, 16 or 18
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<MajorVersion>,
    /// Port of 127.0.0.1 for the server; 0 selects a free port
    ///
    /// Without it, the server listens only on a Unix socket in its folder.
    #[arg(long)]
    port: Option<u16>,
}

impl Up {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let spinner = output::spinner();
        let (local, owner) = if let Some(url) = owner_from_env(context)? {
            if self.postgres.is_some() || self.port.is_some() {
                let message = "DATABASE_URL names a server of your own, so --postgres and --port can't be used";
                return Err(ConflictingArguments(message.to_owned()).into());
            }
            (None, url)
        } else {
            let bar = spinner.clone();
            let on_step = move |step| output::tell(&bar, describe(step));
            let local = LocalServer::up(context.data_dir.clone(), self.postgres, self.port, on_step).await?;
            let owner = local.owner_url()?;
            (Some(local), owner)
        };
        let bar = spinner.clone();
        let before_each = |name: &str| output::tell(&bar, &format!("migrating: {name}"));
        let applied = Migrator::new(&owner, context.config.environment).run(before_each).await?;
        spinner.finish_and_clear();
        report(context, local.as_ref(), &owner, &applied)
    }
}

fn describe(step: StartupStep) -> &'static str {
    match step {
        StartupStep::Waiting => "waiting for another process that uses the same folder",
        StartupStep::Fetching => "downloading PostgreSQL with pgvector, 25 MB, only once",
        StartupStep::Initialising => "creating the data directory",
        StartupStep::Starting => "starting PostgreSQL",
        StartupStep::Preparing => "creating the logins and the database",
    }
}

fn report(context: &Context, local: Option<&LocalServer>, owner: &DatabaseUrl, applied: &[String]) -> Result<()> {
    if context.json {
        let server = local.map(LocalServer::status);
        return output::print_json(&json!({ "database": owner.to_string(), "server": server, "migrated": applied }));
    }
    let mut lines = vec![format!("database  {owner}")];
    if let Some(status) = local.map(LocalServer::status) {
        lines.push(format!("server    PostgreSQL {} in {}", status.postgres, context.data_dir.display()));
    }
    lines.push(match applied.len() {
        0 => "migrated  nothing was pending".to_owned(),
        count => format!("migrated  {count} applied"),
    });
    if output::is_terminal() {
        lines.push("next      workspace-db ingest FOLDER, then workspace-db search \"a question\"".to_owned());
    }
    output::print_lines(lines)
}
