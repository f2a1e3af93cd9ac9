//! `workspace-db psql`

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use workspace_db::db;
use workspace_db::db::roles::{APP_ROLE, PLATFORM_ROLE};
use workspace_db_embedded::{MajorVersion, cache_dir, install};

use super::context::Context;
use super::database::DatabaseTarget;
use super::output;

/// Open psql on the database with access to every workspace
#[derive(Args, Debug)]
pub(super) struct Psql {
    /// Log in as the application
    ///
    /// The application sees no rows until `SET app.workspace_id = '...'` names a workspace.
    #[arg(long)]
    app: bool,
    /// Log in as the owner, who changes tables and sees no rows
    #[arg(long, conflicts_with = "app")]
    owner: bool,
    /// Arguments of psql, such as -c "SELECT 1"
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Psql {
    /// Replaces the process with psql. Returns only if psql could not be started.
    pub(super) fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        let config = database.config()?;
        let own_login = if self.app { config.database_app_url } else { config.database_platform_url };
        let (url, role) = match own_login.filter(|_| !self.owner) {
            Some(url) => (url, None),
            None if self.owner => (database.owner_url()?, None),
            None => (database.owner_url()?, Some(if self.app { APP_ROLE } else { PLATFORM_ROLE })),
        };
        let program = match &database {
            // The installation is located again, because that verifies the downloaded files.
            DatabaseTarget::LocalServer { local, .. } => psql_of(Some(local.install().major))?,
            DatabaseTarget::Given { .. } => which::which("psql").or_else(|_| psql_of(None))?,
        };
        let mut command = Command::new(&program);
        // The URL goes into the environment, because every user of the machine can read arguments.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        let variables = url.libpq_environment();
        let has_roots = variables.iter().any(|(name, _)| *name == "PGSSLROOTCERT");
        let options = variables.iter().find(|(name, _)| *name == "PGOPTIONS");
        let options = options.map(|(_, options)| format!("{options} ")).unwrap_or_default();
        command.envs(variables).args(self.arguments);
        // libpq by default sends a password to any server that requests one, and `require` does not verify the server.
        if db::is_verified(&url)? {
            command.env("PGSSLMODE", "verify-full");
            if !has_roots {
                command.env("PGSSLROOTCERT", "system");
            }
        } else {
            command.env("PGSSLMODE", "disable").env("PGREQUIREAUTH", "!password,!md5");
        }
        if let Some(role) = role {
            command.env("PGOPTIONS", format!("{options}-c role={role}"));
        }
        Err(command.exec()).with_context(|| format!("{} could not be started", program.display()))
    }
}

fn psql_of(major: Option<MajorVersion>) -> Result<PathBuf> {
    let folder = cache_dir()?;
    let install =
        install(major, || output::note(format_args!("downloading psql with PostgreSQL into {}", folder.display())))?;
    Ok(install.program("psql"))
}
