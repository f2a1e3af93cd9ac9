//! The options that select an embedder.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value};
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings};

type Fields = Map<String, Value>;

fn fields(json: &str) -> serde_json::Result<Fields> {
    serde_json::from_str(json)
}

/// Source of the vectors: feature hashing without a network, or an endpoint.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the options")]
#[command(next_help_heading = "Embeddings")]
pub(super) struct EmbedderArgs {
    /// URL of an OpenAI-compatible endpoint; without it, words are hashed
    ///
    /// An example is http://localhost:11434/v1.
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_URL", value_name = "URL")]
    embeddings_url: Option<String>,
    /// Model of the endpoint
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_MODEL", value_name = "MODEL", default_value = "text-embedding-3-large")]
    embeddings_model: String,
    /// API key of the endpoint
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_KEY", value_name = "KEY", hide_env_values = true)]
    embeddings_key: Option<String>,
    /// Number of dimensions to request; without it, the model's own, or 1536 of text-embedding-3
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_DIMENSIONS", value_name = "NUMBER")]
    embeddings_dimensions: Option<usize>,
    /// Keep the first 1536 dimensions of longer vectors, if the model is trained for it (Matryoshka)
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_SHORTEN")]
    embeddings_shorten: bool,
    /// Text in front of each question, such as "search_query: "
    #[arg(
        long,
        env = "WORKSPACE_DB_EMBEDDINGS_QUESTION_PREFIX",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    embeddings_question_prefix: String,
    /// Text in front of each passage, such as "search_document: "
    #[arg(
        long,
        env = "WORKSPACE_DB_EMBEDDINGS_PASSAGE_PREFIX",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    embeddings_passage_prefix: String,
    /// Further fields of a request for a question, such as {"input_type": "query"}
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_QUESTION_FIELDS", value_name = "JSON", value_parser = fields)]
    embeddings_question_fields: Option<Fields>,
    /// Further fields of a request for passages, such as {"input_type": "document"}
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_PASSAGE_FIELDS", value_name = "JSON", value_parser = fields)]
    embeddings_passage_fields: Option<Fields>,
    /// Timeout of one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    embeddings_timeout: u64,
    /// Number of texts in one request
    #[arg(long, value_name = "TEXTS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=128))]
    embeddings_batch: u16,
}

impl EmbedderArgs {
    /// Returns true if neither the arguments nor the environment name an endpoint.
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
            dimensions: self.embeddings_dimensions,
            shorten: self.embeddings_shorten,
            question_prefix: self.embeddings_question_prefix,
            passage_prefix: self.embeddings_passage_prefix,
            question_fields: self.embeddings_question_fields.unwrap_or_default(),
            passage_fields: self.embeddings_passage_fields.unwrap_or_default(),
            ..OpenAiSettings::new(url)
        })?))
    }
}
