//! `workspace-db conversations`

mod export;
mod list;
mod of_workspace;
mod search;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::export::Export;
use self::list::List;
use self::search::Search;
use self::show::Show;
use super::context::Context;

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
