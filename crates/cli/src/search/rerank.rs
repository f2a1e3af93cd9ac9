//! The options that select a reranker.

use anyhow::Result;
use clap::Args;
use workspace_db::reranking::{RerankEndpoint, RerankSettings};
use workspace_db::search::MAX_K;

/// Number of passages that the reranker scores, as a multiple of the requested number.
const CANDIDATES: u32 = 4;
/// Minimum of that number. The right passage of a test question is seldom beyond it.
const MIN_CANDIDATES: u32 = 20;

/// Endpoint that orders the best passages
#[derive(Args, Debug)]
#[command(next_help_heading = "Reranking")]
pub(super) struct RerankArgs {
    /// URL of an endpoint that orders the best passages, such as http://localhost:8080; TEI, Jina, Cohere and vLLM have one
    #[arg(long, env = "WORKSPACE_DB_RERANK_URL", value_name = "URL", hide_env_values = true)]
    rerank_url: Option<String>,
    /// Model of that endpoint, if it has several
    #[arg(long, env = "WORKSPACE_DB_RERANK_MODEL", value_name = "MODEL")]
    rerank_model: Option<String>,
    /// API key of that endpoint
    #[arg(long, env = "WORKSPACE_DB_RERANK_KEY", value_name = "KEY", hide_env_values = true)]
    rerank_key: Option<String>,
}

impl RerankArgs {
    /// Returns the named reranker.
    pub(super) fn reranker(self) -> Result<Option<RerankEndpoint>> {
        let Some(url) = self.rerank_url else { return Ok(None) };
        let settings = RerankSettings {
            model: self.rerank_model,
            api_key: self.rerank_key.map(Into::into),
            ..RerankSettings::new(url)
        };
        Ok(Some(RerankEndpoint::new(settings)?))
    }
}

/// Returns the number of passages to request of the search, so that the reranker can select `limit` of them.
pub(super) fn candidates(reranker: Option<&RerankEndpoint>, limit: u32) -> u32 {
    // A limit out of bounds is refused by the search.
    if reranker.is_none() || !(1..=MAX_K).contains(&limit) {
        return limit;
    }
    limit.saturating_mul(CANDIDATES).clamp(MIN_CANDIDATES, MAX_K)
}
