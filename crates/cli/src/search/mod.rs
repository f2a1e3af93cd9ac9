//! `workspace-db search`

mod answer;
mod eval;
mod method;
mod open;
mod rerank;

use anyhow::Result;
use clap::{Args, Subcommand};
use workspace_db::schema::document_chunks;
use workspace_db::tenancy::InWorkspace as _;

use self::eval::Eval;
use self::method::{FilterArgs, SearchMode, searching};
use self::rerank::{RerankArgs, candidates};
use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::{output, workspace};

/// Print the passages that answer a question
///
/// Each document counts once, with its best passage. The score is from 0 to 1 within the answer of a hybrid search; it is the
/// cosine of a vector search, and the `ts_rank` of a full-text search. With a reranker, it is that
/// of the reranker, and --min-score and --diversify apply before.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub(super) struct Search {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Subcommand, Debug)]
enum Action {
    Eval(Eval),
}

/// Question, and how to answer it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Asked {
    /// The question
    #[arg(required = true)]
    question: Option<String>,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Number of passages
    #[arg(short = 'n', short_alias = 'k', long, alias = "count", value_name = "N", default_value_t = 5)]
    limit: u32,
    /// Maximum number of passages of one document, 0 for all; default: 1, or all with --document
    #[arg(long, value_name = "N")]
    per_document: Option<usize>,
    /// Also print passages that are nearly equal to a better one
    #[arg(long)]
    near_duplicates: bool,
    /// Method of the search
    #[arg(long, value_enum, default_value_t = SearchMode::Hybrid)]
    by: SearchMode,
    /// Compare every vector of the workspace
    #[arg(long)]
    exact: bool,
    /// Print whole passages
    #[arg(long)]
    full: bool,
    /// Open the file of the first match in the editor that VISUAL or EDITOR names
    #[arg(long)]
    open: bool,
    /// Print this number of passages before and after each match, all of them whole
    #[arg(long, value_name = "N", default_value_t = 0)]
    neighbours: u32,
    #[command(flatten)]
    narrowing: FilterArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
    #[command(flatten)]
    rerank: RerankArgs,
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        match self.action {
            Some(Action::Eval(eval)) => eval.run(context).await,
            None => self.asked.run(context).await,
        }
    }
}

impl Asked {
    async fn run(self, context: &Context) -> Result<()> {
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?;
        let mut ws = db.workspace(&scope).await?;
        let spinner = output::spinner().with_message("searching");
        let chunks = document_chunks::table.in_workspace(&ws);
        let embedders = self.embedder.embedders()?;
        let reranker = self.rerank.reranker()?;
        let question = self.question.unwrap_or_default();
        let k = candidates(reranker.as_ref(), self.limit);
        let search =
            searching(self.by, chunks, &question, k, async || embedders.question(&mut ws, &question).await).await?;
        let per_document = self.per_document.unwrap_or_else(|| usize::from(!self.narrowing.has_document()));
        let mut search = self.narrowing.narrow(search.neighbours(self.neighbours))?.excerpts(&question);
        if per_document > 0 {
            search = search.per_document(per_document);
        }
        if !self.near_duplicates {
            search = search.without_near_duplicates();
        }
        let mut results = if self.exact { search.exact() } else { search }.run(&mut ws).await?;
        if let Some(reranker) = &reranker {
            results.rerank(reranker, &question, self.limit as usize).await?;
        }
        spinner.finish_and_clear();
        if context.json {
            output::print_json(&results)?;
        } else {
            answer::print(&results, self.full || self.neighbours > 0)?;
        }
        match results.hits.first().filter(|_| self.open) {
            Some(hit) => open::open(&mut ws, hit).await,
            None => Ok(()),
        }
    }
}
