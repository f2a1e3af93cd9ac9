//! `workspace-db search`

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use workspace_db::id::{DatasourceId, DocumentId};
use workspace_db::noun::noun_for;
use workspace_db::schema::document_chunks;
use workspace_db::search::{Hit, Question, Search as Searching, SearchChunks as _, SearchResults};
use workspace_db::sql_types::LanguageTag;
use workspace_db::tenancy::InWorkspace as _;

use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::{output, workspace};

/// Number of lines of a passage shown for a person; `--json` and `--full` show all.
const SHOWN: usize = 8;

/// Print passages that match a question by vector or full text
#[derive(Args, Debug)]
pub(super) struct Search {
    /// The question
    question: String,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Number of passages
    #[arg(short = 'k', long = "limit", alias = "count", value_name = "N", default_value_t = 5)]
    k: u32,
    /// Method of the search
    #[arg(long, value_enum, default_value_t = SearchMode::Vector)]
    by: SearchMode,
    /// Compare every vector of the workspace
    #[arg(long)]
    exact: bool,
    /// Print whole passages
    #[arg(long)]
    full: bool,
    /// Print this number of passages before and after each match
    #[arg(long, value_name = "N", default_value_t = 0)]
    neighbours: u32,
    #[command(flatten)]
    narrowing: FilterArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SearchMode {
    /// The question's vector
    Vector,
    /// The question's words, by full-text search
    #[value(alias = "words")]
    FullText,
    /// Both lists, fused by rank
    #[value(alias = "both")]
    Hybrid,
}

/// Filters of the passages to search
#[derive(Args, Debug)]
#[command(next_help_heading = "Filters")]
struct FilterArgs {
    /// Id of a datasource
    #[arg(long, value_name = "ID")]
    datasource: Option<DatasourceId>,
    /// Id of a document
    #[arg(long, value_name = "ID")]
    document: Option<DocumentId>,
    /// Status of the documents: draft, processing, ready, archived, error or any
    #[arg(long, value_name = "STATUS", default_value = "ready")]
    status: String,
    /// Search only documents that the public side may quote, or only others
    #[arg(long, value_name = "BOOL")]
    published: Option<bool>,
    /// JSON that the documents' metadata must contain
    #[arg(long, value_name = "JSON", value_parser = |text: &str| serde_json::from_str::<serde_json::Value>(text))]
    metadata: Option<serde_json::Value>,
    /// JSON that the passages' own metadata must contain
    #[arg(long, value_name = "JSON", value_parser = |text: &str| serde_json::from_str::<serde_json::Value>(text))]
    chunk_metadata: Option<serde_json::Value>,
    /// Language of the passages, such as en
    #[arg(long, value_name = "TAG")]
    language: Option<LanguageTag>,
    /// Search documents changed since this time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Minimum score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f64>,
    /// Prefer passages with new content: 1 is only relevance, 0 only novelty
    #[arg(long, value_name = "WEIGHT")]
    diversify: Option<f64>,
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?;
        let mut ws = db.workspace(&scope).await?;
        let spinner = output::spinner().with_message("searching");
        let chunks = document_chunks::table.in_workspace(&ws);
        let embedder = self.embedder.embedder()?;
        let search = match self.by {
            SearchMode::FullText => chunks.full_text(&self.question, self.k),
            SearchMode::Vector => chunks.nearest(&Question::embed(embedder.as_ref(), &self.question).await?, self.k),
            SearchMode::Hybrid => {
                let question = Question::embed(embedder.as_ref(), &self.question).await?;
                chunks.hybrid(&question, &self.question, self.k)
            }
        };
        let search = self.narrowing.narrow(search.neighbours(self.neighbours))?;
        let answer = if self.exact { search.exact() } else { search }.run(&mut ws).await?;
        spinner.finish_and_clear();
        if context.json {
            return output::print_json(&answer);
        }
        let shown = if self.full { usize::MAX } else { SHOWN };
        let hits = answer.hits.iter().enumerate().flat_map(|(rank, hit)| describe(rank + 1, hit, shown));
        output::print_lines(hits.chain([summary(&answer)]))
    }
}

impl FilterArgs {
    fn narrow(self, mut search: Searching) -> Result<Searching> {
        search = match self.status.as_str() {
            "any" => search.any_status(),
            status => search.status(status.parse()?),
        };
        macro_rules! narrowed {
            ($($value:expr => $method:ident),+) => {$(
                if let Some(value) = $value {
                    search = search.$method(value);
                }
            )+};
        }
        narrowed!(
            self.datasource => datasource,
            self.document => document,
            self.published => published,
            self.metadata => metadata,
            self.chunk_metadata => chunk_metadata,
            self.language => language,
            self.since => changed_since,
            self.min_score => min_score,
            self.diversify => diversify
        );
        Ok(search)
    }
}

fn describe(rank: usize, hit: &Hit, shown: usize) -> Vec<String> {
    let name = hit.external_id.as_deref().filter(|name| *name != hit.title);
    let name = name.map(|name| format!("  ({name})")).unwrap_or_default();
    let mut lines = vec![format!("{rank}. {:.3}  {}{name}  #{}", hit.score, hit.title, hit.chunk_index)];
    let before = hit.before.iter().map(|neighbour| &neighbour.content);
    let after = hit.after.iter().map(|neighbour| &neighbour.content);
    let passages: Vec<&String> = before.chain([&hit.content]).chain(after).collect();
    let mut text = passages.iter().flat_map(|passage| passage.lines());
    lines.extend(text.by_ref().take(shown).map(|line| format!("   {line}")));
    let rest = text.count();
    if rest > 0 {
        lines.push(format!("   … {rest} more lines"));
    }
    lines.push(String::new());
    lines
}

/// Summarizes the number of matches and the search methods.
fn summary(answer: &SearchResults) -> String {
    let lists: Vec<String> =
        [&answer.by_vector, &answer.by_words].into_iter().flatten().map(ToString::to_string).collect();
    format!(
        "{} of {} {}: {}",
        answer.returned,
        answer.requested,
        noun_for(answer.requested, "passage"),
        lists.join("; ")
    )
}
