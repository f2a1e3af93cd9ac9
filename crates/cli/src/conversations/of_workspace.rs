//! The workspace of a command.

use anyhow::Result;
use clap::Args;
use workspace_db::tenancy::{Read, WorkspaceConnection};

use crate::context::Context;
use crate::database::DatabaseTarget;
use crate::workspace;

#[derive(Args, Debug)]
pub(super) struct OfWorkspace {
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
}

impl OfWorkspace {
    /// Returns a connection of the workspace that only reads.
    pub(super) async fn connect(&self, context: &Context) -> Result<WorkspaceConnection<Read>> {
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?.to_read();
        Ok(db.workspace(&scope).await?)
    }
}
