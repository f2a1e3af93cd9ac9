//! The methods and filters of a search, as arguments.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use workspace_db::id::{DatasourceId, DocumentId};
use workspace_db::search::{Question, Search, SearchChunks};
use workspace_db::sql_types::LanguageTag;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SearchMode {
    /// The question's vector
    Vector,
    /// The question's words, by full-text search
    #[value(alias = "words")]
    FullText,
    /// Both lists, fused by score
    #[value(alias = "both")]
    Hybrid,
}

/// Filters of the passages to search
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Filters")]
pub(super) struct FilterArgs {
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
    /// Minimum score; in a hybrid search, minimum cosine of passages without a matching word
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f64>,
    /// Prefer passages with new content: 1 is only relevance, 0 only novelty
    #[arg(long, value_name = "WEIGHT")]
    diversify: Option<f64>,
}

/// Returns the search by one method. `embed` returns the vector of the text, and is called only if the method needs it.
pub(super) async fn searching(
    by: SearchMode,
    chunks: impl SearchChunks,
    text: &str,
    k: u32,
    embed: impl AsyncFnOnce() -> workspace_db::Result<Question>,
) -> Result<Search> {
    Ok(match by {
        SearchMode::FullText => chunks.full_text(text, k),
        SearchMode::Vector => chunks.nearest(&embed().await?, k),
        SearchMode::Hybrid => chunks.hybrid(&embed().await?, text, k),
    })
}

impl FilterArgs {
    /// Returns true if the search is limited to one document.
    pub(super) fn has_document(&self) -> bool {
        self.document.is_some()
    }

    pub(super) fn narrow(self, mut search: Search) -> Result<Search> {
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
