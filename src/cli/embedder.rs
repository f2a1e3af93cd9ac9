//! Which embedder a command uses.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings};

/// Where the vectors come from: feature hashing without a network, or an endpoint.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the options")]
#[command(next_help_heading = "Embeddings")]
pub(super) struct EmbedderArgs {
    /// Endpoint that speaks OpenAI's protocol, such as http://localhost:11434/v1; without it, words are hashed
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_URL", value_name = "URL")]
    embeddings_url: Option<String>,
    /// Model to ask the endpoint for; it must be able to give 1536 dimensions
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_MODEL", value_name = "MODEL", default_value = "text-embedding-3-large")]
    embeddings_model: String,
    /// Key of the endpoint
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_KEY", value_name = "KEY", hide_env_values = true)]
    embeddings_key: Option<String>,
    /// Longest time for one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    embeddings_timeout: u64,
    /// Texts in one request
    #[arg(long, value_name = "TEXTS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=128))]
    embeddings_batch: u16,
}

impl EmbedderArgs {
    /// Whether no endpoint is named, here or in the environment.
    pub(super) fn hashes_words(&self) -> bool {
        self.embeddings_url.is_none()
    }

    pub(super) fn embedder(self) -> Result<Box<dyn Embedder>> {
        let Some(url) = self.embeddings_url else { return Ok(Box::new(FeatureHashing)) };
        Ok(Box::new(OpenAiEmbeddings::new(OpenAiSettings {
            model: self.embeddings_model,
            api_key: self.embeddings_key.map(Into::into),
            timeout: Duration::from_secs(self.embeddings_timeout),
            batch: self.embeddings_batch.into(),
            ..OpenAiSettings::new(url)
        })?))
    }
}
