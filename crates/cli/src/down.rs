//! `workspace-db down`

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db_embedded::LocalServer;

use super::context::Context;
use super::output;

/// Stop the server that `up` started and keep its data
#[derive(Args, Debug)]
pub(super) struct Down {}

pub(super) async fn run(context: &Context) -> Result<()> {
    let local = LocalServer::open(&context.data_dir)?;
    let spinner = output::spinner().with_message("stopping PostgreSQL");
    let stopped = tokio::task::spawn_blocking(move || local.down()).await??;
    spinner.finish_and_clear();
    if context.json {
        return output::print_json(&json!({ "stopped": stopped }));
    }
    output::print_lines([if stopped { "stopped" } else { "was not running" }.to_owned()])
}
