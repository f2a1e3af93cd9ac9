//! `workspace-db status`

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::db::migrations::{MigrationStatus, Migrator};
use workspace_db::noun::noun_for;

use super::context::Context;
use super::database::DatabaseTarget;
use super::output;

/// Show the status of the server and the number of pending migrations
#[derive(Args, Debug)]
pub(super) struct Status {}

/// Prints the status and succeeds. It fails only if the status can't be determined.
pub(super) async fn run(context: &Context) -> Result<()> {
    let database = DatabaseTarget::from_context(context)?;
    let server = match &database {
        DatabaseTarget::LocalServer { local, .. } => Some(local.status()),
        DatabaseTarget::Given { .. } => None,
    };
    let stopped = server.as_ref().is_some_and(|status| !status.running);
    let (owner, migrations) = if stopped {
        (None, None)
    } else {
        let owner = database.owner_url()?;
        let migrations = Migrator::new(&owner, context.config.environment).status().await?;
        (Some(owner.to_string()), Some(migrations))
    };
    let pending = migrations
        .as_ref()
        .map(|all| all.iter().filter(|migration| migration.status == MigrationStatus::Pending).count());
    if context.json {
        return output::print_json(&json!({ "database": owner, "server": server, "pending": pending }));
    }
    let mut lines = Vec::new();
    if let Some(status) = server {
        let place = match (status.port, &status.socket) {
            (Some(port), _) => format!(", port {port}"),
            (None, Some(socket)) => format!(", socket {}", socket.display()),
            (None, None) => String::new(),
        };
        let running = match status.pid {
            Some(pid) => format!("running, process {pid}{place}"),
            None => "stopped; start it with `workspace-db up`".to_owned(),
        };
        lines.push(format!("server    PostgreSQL {}, {running}", status.postgres));
        lines.push(format!("folder    {}", context.data_dir.display()));
    }
    if let (Some(owner), Some(pending)) = (owner, pending) {
        lines.push(format!("database  {owner}"));
        lines.push(format!("pending   {pending} {}", noun_for(pending, "migration")));
    }
    output::print_lines(lines)
}
