//! The options that select a reranker.

use anyhow::Result;
use clap::Args;
use secrecy::SecretString;
use workspace_db::reranking::{RerankEndpoint, RerankSettings};
use workspace_db::search::MAX_K;

use crate::embedder::{Fields, fields, secret};

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
    #[arg(long, env = "WORKSPACE_DB_RERANK_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    rerank_key: Option<SecretString>,
    /// Further fields of a request, such as {"truncate_prompt_tokens": 512} for vLLM
    #[arg(long, env = "WORKSPACE_DB_RERANK_FIELDS", value_name = "JSON", value_parser = fields)]
    rerank_fields: Option<Fields>,
    /// Number of passages in one request
    #[arg(long, value_name = "PASSAGES", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    rerank_batch: u16,
    /// Keep the order of the search, whatever the environment names
    #[arg(long)]
    no_rerank: bool,
}

impl RerankArgs {
    /// Returns the named reranker.
    pub(super) fn reranker(self) -> Result<Option<RerankEndpoint>> {
        let Some(url) = self.rerank_url.filter(|_| !self.no_rerank) else { return Ok(None) };
        let settings = RerankSettings {
            model: self.rerank_model,
            api_key: self.rerank_key,
            fields: self.rerank_fields.unwrap_or_default(),
            batch: self.rerank_batch.into(),
            ..RerankSettings::new(url)
        };
        Ok(Some(RerankEndpoint::new(settings)?))
    }
}

/// Returns the number of passages to request of the search, so that the reranker can select `limit` of them.
pub(super) fn candidates(reranker: Option<&RerankEndpoint>, limit: u32) -> u32 {
    // The search rejects a limit out of bounds.
    if reranker.is_none() || !(1..=MAX_K).contains(&limit) {
        return limit;
    }
    limit.saturating_mul(CANDIDATES).clamp(MIN_CANDIDATES, MAX_K)
}
