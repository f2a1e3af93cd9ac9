//! `workspace-db search`

use anyhow::Result;
use clap::Args;
use workspace_db::search::{Hit, search};

use super::database::Database;
use super::embedder::EmbedderArgs;
use super::{Context, output, workspace};

/// Lines of a passage that are shown for a person; `--json` and `--full` show all.
const SHOWN: usize = 8;

/// Print the passages of a workspace that are nearest to a question
#[derive(Args, Debug)]
pub(super) struct Search {
    /// The question
    question: String,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// How many passages
    #[arg(short = 'k', long = "count", value_name = "N", default_value_t = 5)]
    k: u32,
    /// Print whole passages
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = Database::of(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?;
        let mut ws = db.workspace(&scope).await?;
        let embedder = self.embedder.embedder()?;
        let spinner = output::spinner().with_message("searching");
        let hits = search(&mut ws, &scope, embedder.as_ref(), &self.question, self.k).await?;
        spinner.finish_and_clear();
        if context.json {
            return output::print_json(&hits);
        }
        if hits.is_empty() {
            return output::print_lines([format!("the workspace {} has no passages yet; ingest some", self.workspace)]);
        }
        let shown = if self.full { usize::MAX } else { SHOWN };
        output::print_lines(hits.iter().enumerate().flat_map(|(rank, hit)| describe(rank + 1, hit, shown)))
    }
}

fn describe(rank: usize, hit: &Hit, shown: usize) -> Vec<String> {
    let name = hit.external_id.as_deref().filter(|name| *name != hit.title);
    let name = name.map(|name| format!("  ({name})")).unwrap_or_default();
    let mut lines = vec![format!("{rank}. {:.3}  {}{name}  #{}", hit.score, hit.title, hit.chunk_index)];
    let mut passage = hit.content.lines();
    lines.extend(passage.by_ref().take(shown).map(|line| format!("   {line}")));
    let rest = passage.count();
    if rest > 0 {
        lines.push(format!("   … {rest} more lines"));
    }
    lines.push(String::new());
    lines
}
