//! Vectors from an endpoint that speaks OpenAI's protocol.

mod response;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use serde_json::{Map, Value};

use self::response::Response;
pub use self::settings::OpenAiSettings;
use super::embedder::{Embedder, REFUSED_INPUT};
use crate::error::{ErrorKind, Result};
use crate::model_endpoint::{EndpointErrors, ModelEndpoint, Waiting, endpoint_url};
use crate::sql_types::{DIMENSIONS, Embedding};

/// Remedy for vectors with too many dimensions.
const TOO_LONG: &str = "request 1536 dimensions or fewer if the endpoint accepts that, or have the vectors shortened if the model is \
     trained for it";
/// Remedy for vectors with too few dimensions, or without a direction.
const NO_VECTOR: &str = "check the name of the model and the number of dimensions that is requested";
const ERRORS: EndpointErrors = EndpointErrors {
    kind: ErrorKind::Embeddings,
    name: "embeddings",
    input: REFUSED_INPUT,
    unaffected: |waiting| match waiting {
        Waiting::Run => "stored data is kept, and the next run continues",
        Waiting::Person => "a full-text search needs no endpoint",
    },
};

/// Embedder that requests vectors from `POST {url}/embeddings`, as OpenAI, Azure, Ollama, vLLM, llama.cpp, TEI, LM Studio,
/// Voyage, Jina and Cohere answer it.
///
/// The vectors may have 32 to 1536 dimensions ([`Embedding::placed`]); longer ones are shortened where the model allows it.
///
/// If nobody answers, a question fails within 2 seconds. An endpoint that accepts the connection has the whole timeout, since
/// it may load its model first.
///
/// ```no_run
/// use workspace_db::embeddings::{Embedder, OpenAiEmbeddings, OpenAiSettings};
///
/// # async fn example() -> workspace_db::Result<()> {
/// let embedder = OpenAiEmbeddings::new(OpenAiSettings::new("http://localhost:11434/v1"))?;
/// let vectors = embedder.embed(&["a red bicycle".to_owned()]).await?;
/// # drop(vectors);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OpenAiEmbeddings {
    endpoint: ModelEndpoint,
    settings: OpenAiSettings,
    /// True once the shortening of vectors was logged.
    is_told: Arc<AtomicBool>,
}

impl fmt::Debug for OpenAiEmbeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiEmbeddings").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    /// Voyage rejects the name of the default, `float`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl OpenAiEmbeddings {
    /// Creates an embedder with these settings; it sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](crate::Error::is_invalid_input) if the address is not an HTTP address or contains a password, or
    /// the batch is 0, or more than 1536 dimensions are requested.
    pub fn new(settings: OpenAiSettings) -> Result<Self> {
        settings.check()?;
        let endpoint = endpoint_url(&settings.url, "/embeddings", ERRORS.name)?;
        let endpoint = ModelEndpoint::new(endpoint, settings.of_requests(), ERRORS);
        Ok(Self { endpoint, settings, is_told: Arc::default() })
    }

    async fn embed_batch(&self, texts: &[String], waiting: Waiting) -> Result<Vec<Embedding>> {
        let body = Request {
            model: &self.settings.model,
            input: texts,
            dimensions: self.settings.requested_dimensions(),
            encoding_format: self.settings.base64.then_some("base64"),
            more: match waiting {
                Waiting::Run => &self.settings.passage_fields,
                Waiting::Person => &self.settings.question_fields,
            },
        };
        let (this, expected) = (self.clone(), texts.len());
        self.endpoint.post(&body, waiting, move |_, text| this.read(text, expected, waiting)).await
    }

    fn read(&self, text: &str, expected: usize, waiting: Waiting) -> Result<Vec<Embedding>> {
        let response: Response = self.endpoint.parsed(text, "embeddings", waiting)?;
        let vectors = response.vectors(expected).map_err(|why| self.endpoint.failed(&why, waiting))?;
        vectors.into_iter().map(|components| self.embedding(components, waiting)).collect()
    }

    fn embedding(&self, components: Vec<f32>, waiting: Waiting) -> Result<Embedding> {
        let (model, found) = (self.model(), components.len());
        let expected = self.settings.requested_dimensions().unwrap_or(found.min(DIMENSIONS));
        if found < expected || (found > expected && !self.settings.shortens()) {
            let why = format!("it returned vectors of {found} dimensions instead of {expected}");
            let remedy = if found > expected { TOO_LONG } else { NO_VECTOR };
            return Err(self.endpoint.failed(&why, waiting).remedy(remedy));
        }
        if found > expected && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("vectors of {model} are shortened from {found} to {expected} dimensions");
        }
        let embedding = Embedding::shortened(components, expected)
            .map_err(|error| self.endpoint.failed(&error.to_string(), waiting).remedy(NO_VECTOR).caused_by(error))?;
        Ok(embedding.normalized())
    }
}

impl Embedder for OpenAiEmbeddings {
    fn model(&self) -> &str {
        self.settings.name.as_ref().unwrap_or(&self.settings.model)
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        async move {
            let prefixed: Vec<String>;
            let texts = if self.settings.passage_prefix.is_empty() {
                texts
            } else {
                prefixed = texts.iter().map(|text| format!("{}{text}", self.settings.passage_prefix)).collect();
                &prefixed
            };
            let mut vectors = Vec::with_capacity(texts.len());
            for batch in self.settings.batches(texts) {
                vectors.extend(self.embed_batch(batch, Waiting::Run).await?);
            }
            Ok(vectors)
        }
        .boxed()
    }

    fn embed_question<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Embedding>> {
        async move {
            let question = format!("{}{question}", self.settings.question_prefix);
            let vector = self.embed_batch(&[question], Waiting::Person).await?.pop();
            // `read` has checked the number of vectors.
            vector.ok_or_else(|| self.endpoint.failed("it returned no vector", Waiting::Person))
        }
        .boxed()
    }
}
