//! Scores from an endpoint for reranking.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};

use super::reranker::Reranker;
use super::response::Response;
use crate::error::{Error, ErrorKind, Result};
use crate::model_endpoint::{EndpointErrors, EndpointSettings, ModelEndpoint, Waiting, endpoint_url, shown_url};

const ERRORS: EndpointErrors = EndpointErrors {
    kind: ErrorKind::Reranking,
    name: "reranking",
    input: "passages",
    unaffected: |_| "the search itself needs no reranker (`--no-rerank`)",
};

/// Part of TEI's answer to a request with the field of the others.
const MISSING_TEXTS: &str = "missing field `texts`";
/// Fields of a request that settings supply.
const RESERVED: [&str; 5] = ["model", "query", "documents", "texts", "truncate"];

/// Settings of an endpoint for reranking.
#[derive(Clone)]
pub struct RerankSettings {
    /// Base address, such as `http://localhost:8080` or `https://api.jina.ai/v1`; `/rerank` is appended if it is missing.
    pub url: String,
    /// Model to request. TEI and llama.cpp have one model, and need no name.
    pub model: Option<String>,
    /// API key: a bearer token.
    pub api_key: Option<SecretString>,
    /// Further fields of a request, such as `{"truncate_prompt_tokens": 512}` for vLLM, which refuses longer passages.
    pub fields: Map<String, Value>,
    /// Number of passages in one request. The default, 32, is the limit of TEI. A model that compares the passages of a request
    /// with each other needs all of them in one.
    pub batch: usize,
    /// Timeout of one request, from connecting to the last byte.
    pub timeout: Duration,
}

impl fmt::Debug for RerankSettings {
    /// Shows neither the key nor the query of the address, which may contain one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RerankSettings")
            .field("url", &shown_url(&self.url))
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl RerankSettings {
    /// Returns the default settings for an address: no model, 32 passages a request, 30 s.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: None,
            api_key: None,
            fields: Map::new(),
            batch: 32,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Reranker that requests scores from `POST {url}/rerank`, as TEI, Jina, Cohere, Voyage, vLLM and llama.cpp answer it.
///
/// If nobody answers, it fails within 2 seconds. An endpoint that accepts the connection has the whole timeout for each request.
/// The [field](Error::field) of an error that concerns the passages, and not the endpoint, is `passages`.
///
/// ```no_run
/// use workspace_db::reranking::{RerankEndpoint, RerankSettings, Reranker};
///
/// # async fn example() -> workspace_db::Result<()> {
/// let reranker = RerankEndpoint::new(RerankSettings::new("http://localhost:8080"))?;
/// let passages = ["We are open from nine to five.".to_owned(), "Cats sleep all day.".to_owned()];
/// let scores = reranker.scores("When do you open?", &passages).await?;
/// assert!(scores[0] > scores[1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RerankEndpoint {
    endpoint: ModelEndpoint,
    settings: RerankSettings,
    /// True once the endpoint has asked for TEI's field.
    takes_texts: Arc<AtomicBool>,
}

impl fmt::Debug for RerankEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RerankEndpoint").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Passages to score.
///
/// Sources: <https://huggingface.github.io/text-embeddings-inference/>, <https://docs.cohere.com/reference/rerank>,
/// <https://api.jina.ai/redoc>.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    query: &'a str,
    #[serde(flatten)]
    passages: Passages<'a>,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Passages<'a> {
    /// As all but TEI name them.
    Documents { documents: &'a [String] },
    /// As TEI names them, which fails for long passages unless they may be shortened.
    Texts { texts: &'a [String], truncate: bool },
}

impl RerankEndpoint {
    /// Creates a reranker with these settings; it sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the address is not an HTTP address or contains a password, or the batch
    /// is 0, or a further field is one of a request's own.
    pub fn new(settings: RerankSettings) -> Result<Self> {
        if let Some(field) = settings.fields.keys().find(|field| RESERVED.contains(&field.as_str())) {
            return Err(Error::invalid(format!("the field {field:?} of a request can't be set"))
                .remedy("leave it out: the settings supply it"));
        }
        if settings.batch == 0 {
            return Err(Error::invalid("a request can't hold 0 passages").remedy("set the batch to 1 or more"));
        }
        let url = endpoint_url(&settings.url, "/rerank", ERRORS.name)?;
        let of_requests = EndpointSettings {
            api_key: settings.api_key.clone(),
            timeout: settings.timeout,
            retries: 1,
            first_wait: Duration::from_millis(500),
        };
        let endpoint = ModelEndpoint::new(url, of_requests, ERRORS);
        Ok(Self { endpoint, settings, takes_texts: Arc::default() })
    }

    async fn scores_of_batch(&self, query: &str, batch: &[String]) -> Result<Vec<f64>> {
        let takes_texts = self.takes_texts.load(Ordering::Relaxed);
        let error = match self.request(query, batch, takes_texts).await {
            Err(error) if !takes_texts && error.to_string().contains(MISSING_TEXTS) => error,
            answered => return answered,
        };
        // If the endpoint is no TEI either, the first error is the one that matters.
        let scores = self.request(query, batch, true).await.map_err(|_| error)?;
        self.takes_texts.store(true, Ordering::Relaxed);
        Ok(scores)
    }

    async fn request(&self, query: &str, batch: &[String], takes_texts: bool) -> Result<Vec<f64>> {
        let passages = if takes_texts {
            Passages::Texts { texts: batch, truncate: true }
        } else {
            Passages::Documents { documents: batch }
        };
        let body = Request { model: self.settings.model.as_deref(), query, passages, more: &self.settings.fields };
        let expected = batch.len();
        let read = move |endpoint: &ModelEndpoint, text: &str| {
            let response: Response = endpoint.parsed(text, "scores", Waiting::Person)?;
            response.scores(expected).map_err(|why| endpoint.failed(&why, Waiting::Person))
        };
        self.endpoint.post(&body, Waiting::Person, read).await
    }
}

impl Reranker for RerankEndpoint {
    fn scores<'a>(&'a self, question: &'a str, passages: &'a [String]) -> BoxFuture<'a, Result<Vec<f64>>> {
        async move {
            let mut scores = Vec::with_capacity(passages.len());
            for batch in passages.chunks(self.settings.batch) {
                scores.extend(self.scores_of_batch(question, batch).await?);
            }
            Ok(scores)
        }
        .boxed()
    }
}
