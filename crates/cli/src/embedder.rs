//! The options that select an embedder.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clap::builder::BoolishValueParser;
use secrecy::SecretString;
use serde_json::{Map, Value};
use workspace_db::embeddings::{
    Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings, choose_embedder, live_models,
};
use workspace_db::search::Question;
use workspace_db::tenancy::WorkspaceConnection;
use workspace_db_embedded::cache_dir;
use workspace_db_static_embeddings::{MODEL, StaticEmbeddings};

/// Further fields of a request.
pub(super) type Fields = Map<String, Value>;

/// Parses further fields of a request.
pub(super) fn fields(json: &str) -> serde_json::Result<Fields> {
    serde_json::from_str(json)
}

/// Takes a key without its name in any message.
#[expect(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
pub(super) fn secret(key: &str) -> Result<SecretString, Infallible> {
    Ok(key.into())
}

/// Returns how to get a better model, for a person.
fn better_model(workspace: &str) -> String {
    format!(
        "better     ollama pull nomic-embed-text; export WORKSPACE_DB_EMBEDDINGS_URL=http://localhost:11434/v1 \
         WORKSPACE_DB_EMBEDDINGS_MODEL=nomic-embed-text; workspace-db reembed -w {workspace}"
    )
}

/// Source of the vectors: the built-in model, hashed words, or an endpoint.
#[derive(Args, Debug)]
#[command(next_help_heading = "Embeddings")]
pub(super) struct EmbedderArgs {
    /// Hash words in place of the built-in model, without a download
    ///
    /// Hashed words find passages that share words, and not passages of similar meaning.
    #[arg(long)]
    hash_words: bool,
    /// True if words are hashed unless an endpoint is named
    #[arg(long, hide = true, env = "WORKSPACE_DB_HASH_WORDS", value_parser = BoolishValueParser::new())]
    hash_words_by_default: bool,
    /// URL of an OpenAI-compatible endpoint; without it, the built-in model embeds, which is small and English
    ///
    /// An example is http://localhost:11434/v1.
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_URL", value_name = "URL", hide_env_values = true)]
    embeddings_url: Option<String>,
    /// Model of the endpoint
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_MODEL", value_name = "MODEL", default_value = "text-embedding-3-large")]
    embeddings_model: String,
    /// Name to store with each vector, if a model gets other dimensions, prefixes or fields; default: that of the model
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_NAME", value_name = "NAME")]
    embeddings_name: Option<String>,
    /// API key of the endpoint
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    embeddings_key: Option<SecretString>,
    /// Number of dimensions to request; without it, the model's own, or 1536 of text-embedding-3
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_DIMENSIONS", value_name = "NUMBER")]
    embeddings_dimensions: Option<usize>,
    /// Keep the first 1536 dimensions of longer vectors, if the model is trained for it (Matryoshka)
    #[arg(long, env = "WORKSPACE_DB_EMBEDDINGS_SHORTEN", value_parser = BoolishValueParser::new())]
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

/// Embedders of a command: a preferred one and, if that is the built-in model, hashed words for the workspaces that have them.
pub(super) struct Embedders {
    preferred: Box<dyn Embedder>,
    /// The preferred one, if it is the built-in model.
    built_in: Option<StaticEmbeddings>,
}

impl EmbedderArgs {
    /// Returns true if the arguments or the environment name an endpoint, and words are not hashed instead.
    pub(super) fn has_endpoint(&self) -> bool {
        self.embeddings_url.is_some() && !self.hash_words
    }

    /// Returns true if the arguments request hashed words.
    pub(super) fn hashes_words(&self) -> bool {
        self.hash_words
    }

    /// Returns the named embedder, or the built-in model.
    pub(super) fn embedder(self) -> Result<Box<dyn Embedder>> {
        Ok(self.embedders()?.preferred)
    }

    /// Returns the named embedder. If none is named, returns the built-in model, and hashed words for the workspaces that have
    /// them.
    pub(super) fn embedders(self) -> Result<Embedders> {
        let hashed = || Ok(Embedders { preferred: Box::new(FeatureHashing), built_in: None });
        // The option has priority over an endpoint in the environment, so that no text leaves the machine.
        let Some(url) = self.embeddings_url.filter(|_| !self.hash_words) else {
            return if self.hash_words || self.hash_words_by_default { hashed() } else { Embedders::built_in() };
        };
        let endpoint = OpenAiEmbeddings::new(OpenAiSettings {
            model: self.embeddings_model,
            name: self.embeddings_name,
            api_key: self.embeddings_key,
            timeout: Duration::from_secs(self.embeddings_timeout),
            batch: self.embeddings_batch.into(),
            dimensions: self.embeddings_dimensions,
            shorten: self.embeddings_shorten,
            question_prefix: self.embeddings_question_prefix,
            passage_prefix: self.embeddings_passage_prefix,
            question_fields: self.embeddings_question_fields.unwrap_or_default(),
            passage_fields: self.embeddings_passage_fields.unwrap_or_default(),
            ..OpenAiSettings::new(url)
        })?;
        Ok(Embedders { preferred: Box::new(endpoint), built_in: None })
    }
}

impl Embedders {
    /// Returns the built-in model, and hashed words for the workspaces that have them.
    pub(super) fn built_in() -> Result<Self> {
        let built_in = StaticEmbeddings::new(cache_dir()?);
        Ok(Self { preferred: Box::new(built_in.clone()), built_in: Some(built_in) })
    }

    /// Returns the preferred embedder, and the one for the workspaces that have its vectors.
    pub(super) fn into_parts(self) -> (Box<dyn Embedder>, Option<FeatureHashing>) {
        (self.preferred, self.built_in.map(|_| FeatureHashing))
    }

    fn all(&self) -> Vec<&dyn Embedder> {
        let other = self.built_in.as_ref().map(|_| &FeatureHashing as &dyn Embedder);
        std::iter::once(self.preferred.as_ref()).chain(other).collect()
    }

    /// Returns the vector of a question, by the embedder of the workspace's vectors.
    pub(super) async fn question(&self, ws: &mut WorkspaceConnection, text: &str) -> workspace_db::Result<Question> {
        match self.all()[..] {
            [only] => Question::embed(only, text).await,
            ref all => Question::embed_for_workspace(ws, all, text).await,
        }
    }

    /// Returns the embedder for new passages of the workspace: that of its vectors, or the preferred one if it has none. In that
    /// case, also returns what to tell a person about the choice.
    ///
    /// If the built-in model can't be downloaded, words are hashed.
    pub(super) async fn for_passages(
        &self,
        ws: &mut WorkspaceConnection,
        workspace: &str,
    ) -> Result<(&dyn Embedder, Vec<String>)> {
        let Some(built_in) = &self.built_in else { return Ok((self.preferred.as_ref(), Vec::new())) };
        let models = live_models(ws).await?;
        let has_vectors = !models.is_empty();
        let chosen = choose_embedder(&models, &self.all())?;
        if chosen.model() != MODEL {
            return Ok((chosen, Vec::new()));
        }
        let notes = |embedder: &str| vec![format!("embedded   by {embedder}"), better_model(workspace)];
        match load(built_in).await {
            Ok(()) if has_vectors => Ok((chosen, Vec::new())),
            Ok(()) => {
                let what = "small, for English; under the MIT licence, trained from the embeddings of Llama 2";
                Ok((chosen, notes(&format!("{MODEL}: {what}"))))
            }
            Err(error) if !has_vectors && (error.is_missing_prerequisite() || error.is_io_failure()) => {
                tracing::warn!("words are hashed, because the embedding model can't be had: {error}");
                Ok((&FeatureHashing, notes("hashed words, because the embedding model could not be downloaded")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Loads the built-in model. Says so before a download, also without a terminal.
async fn load(built_in: &StaticEmbeddings) -> workspace_db::Result<()> {
    if !built_in.is_downloaded() {
        tracing::warn!("downloading the embedding model, 19 MB, once");
    }
    built_in.load().await
}
