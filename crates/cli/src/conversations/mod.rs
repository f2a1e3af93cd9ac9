//! `workspace-db conversations`

mod export;
mod list;
mod search;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand};
use workspace_db::tenancy::{Read, WorkspaceConnection};

use self::export::Export;
use self::list::List;
use self::search::Search;
use self::show::Show;
use super::context::Context;
use super::database::DatabaseTarget;
use super::workspace;

/// List, show, search and export the conversations of a workspace
#[derive(Args, Debug)]
pub(super) struct Conversations {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Search(Search),
    Export(Export),
}

#[derive(Args, Debug)]
struct OfWorkspace {
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
}

impl OfWorkspace {
    /// Returns a connection of the workspace that only reads.
    async fn connect(&self, context: &Context) -> Result<WorkspaceConnection<Read>> {
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?.to_read();
        Ok(db.workspace(&scope).await?)
    }
}

impl Conversations {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        match self.action {
            Action::List(list) => list.run(context).await,
            Action::Show(show) => show.run(context).await,
            Action::Search(search) => search.run(context).await,
            Action::Export(export) => export.run(context).await,
        }
    }
}
