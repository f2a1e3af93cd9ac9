//! `workspace-db psql`

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use workspace_db::embedded::{cache_dir, install};

use super::Context;
use super::database::Database;

/// Open psql on the database, as its owner
#[derive(Args, Debug)]
pub(super) struct Psql {
    /// Log in as the application instead
    #[arg(long)]
    app: bool,
    /// What psql takes, such as -c "SELECT 1"
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Psql {
    /// Returns only where psql could not be started.
    pub(super) fn run(self, context: &Context) -> Result<()> {
        let database = Database::of(context)?;
        let url = if self.app { database.data_url()? } else { database.owner_url()? };
        let program = match &database {
            Database::Local(local) => local.install().program("psql"),
            Database::Given { .. } => psql_on_this_machine()?,
        };
        let mut command = Command::new(&program);
        // The environment and not the arguments: everyone on the machine can read those.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.envs(url.libpq_environment()).args(self.arguments);
        Err(command.exec()).with_context(|| format!("{} could not be started", program.display()))
    }
}

fn psql_on_this_machine() -> Result<PathBuf> {
    if let Ok(found) = which::which("psql") {
        return Ok(found);
    }
    let folder = cache_dir()?;
    let install = install(None, || eprintln!("fetching psql with PostgreSQL into {}", folder.display()))?;
    Ok(install.program("psql"))
}
