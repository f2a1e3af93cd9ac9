//! Vectors from an endpoint that speaks OpenAI's protocol.

mod response;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use backon::{ExponentialBuilder, Retryable as _};
use futures_util::future::{BoxFuture, FutureExt as _};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Map, Value};
use ureq::http::header::RETRY_AFTER;
use url::Url;

use self::response::{Response, retry_after};
pub use self::settings::OpenAiSettings;
use super::embedder::{Embedder, REFUSED_INPUT};
use crate::error::{Error, ErrorKind, Result};
use crate::sql_types::{DIMENSIONS, Embedding};

/// Longest wait that an endpoint can request with Retry-After.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Maximum size of a response: 64 MiB, enough for two thousand vectors as JSON.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Time within which an endpoint must accept the connection for a question, because a person waits.
const QUESTION_CONNECT: Duration = Duration::from_millis(1500);
/// Longest wait before the retry of a question.
const QUESTION_WAIT: Duration = Duration::from_secs(1);
/// Remedy for vectors with too many dimensions.
const TOO_LONG: &str = "request 1536 dimensions or fewer if the endpoint accepts that, or have the vectors shortened if the model is \
     trained for it";
/// Remedy for vectors with too few dimensions, or without a direction.
const NO_VECTOR: &str = "check the name of the model and the number of dimensions that is requested";
/// Number of characters of a response that an error message shows.
const EXCERPT: usize = 200;

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
    agent: ureq::Agent,
    endpoint: Url,
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

/// Purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Passages to store, for which a run waits as long as it must.
    Store,
    /// A question, for whose answer a person waits.
    Ask,
}

/// Error of one request, and how a retry may resolve it.
struct RequestFailure {
    error: Error,
    retry: Retry,
    wait: Option<Duration>,
}

/// When a retry may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    /// Never.
    Never,
    /// After the endpoint has recovered, because nothing answered.
    OnceItAnswers,
    /// Soon: the endpoint has answered, and is busy.
    Soon,
}

impl OpenAiEmbeddings {
    /// Creates an embedder with these settings; it sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the address is not an HTTP address or contains a password, or
    /// the batch is 0, or more than 1536 dimensions are requested.
    pub fn new(settings: OpenAiSettings) -> Result<Self> {
        settings.check()?;
        let endpoint = settings.endpoint()?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            // A redirect could send the texts to any host.
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Ok(Self { agent, endpoint, settings, is_told: Arc::default() })
    }

    async fn embed_batch(&self, texts: &[String], purpose: Purpose) -> Result<Vec<Embedding>> {
        let (retries, longest) = match purpose {
            Purpose::Store => (self.settings.retries, LONGEST_WAIT),
            Purpose::Ask => (self.settings.retries.min(1), QUESTION_WAIT),
        };
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.settings.first_wait)
            .with_max_times(retries)
            .with_jitter();
        (|| self.request_on_a_thread(texts.to_vec(), purpose))
            .retry(waits)
            .when(|failure| match failure.retry {
                Retry::Never => false,
                Retry::OnceItAnswers => purpose == Purpose::Store,
                Retry::Soon => true,
            })
            .adjust(|failure, wait| wait.map(|wait| failure.wait.unwrap_or(wait).min(longest)))
            .notify(|failure, wait| tracing::warn!(error = %failure.error, ?wait, "retrying the embeddings request"))
            .await
            .map_err(|failure| failure.error)
    }

    async fn request_on_a_thread(
        &self,
        texts: Vec<String>,
        purpose: Purpose,
    ) -> Result<Vec<Embedding>, RequestFailure> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.request(&texts, purpose)).await.map_err(|error| {
            let error = Error::new(ErrorKind::Embeddings, "the request thread panicked").caused_by(error);
            RequestFailure { error, retry: Retry::Never, wait: None }
        })?
    }

    fn request(&self, texts: &[String], purpose: Purpose) -> Result<Vec<Embedding>, RequestFailure> {
        let failed = |why: &str| self.failed(why, purpose);
        let mut request = self.agent.post(self.endpoint.as_str());
        if purpose == Purpose::Ask {
            let within = QUESTION_CONNECT.min(self.settings.timeout);
            request = request.config().timeout_resolve(Some(within / 3)).timeout_connect(Some(within)).build();
        }
        if let Some(key) = &self.settings.api_key {
            let (name, word) = OpenAiSettings::key_header(self.endpoint.host_str().unwrap_or_default());
            request = request.header(name, format!("{word}{}", key.expose_secret()));
        }
        let body = Request {
            model: &self.settings.model,
            input: texts,
            dimensions: self.settings.requested_dimensions(),
            encoding_format: self.settings.base64.then_some("base64"),
            more: match purpose {
                Purpose::Store => &self.settings.passage_fields,
                Purpose::Ask => &self.settings.question_fields,
            },
        };
        let mut response = request.send_json(&body).map_err(|error| {
            let why = match &error {
                ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                    "it accepts no connection".to_owned()
                }
                ureq::Error::Timeout(_) => format!("no answer within {} s", self.settings.timeout.as_secs_f32()),
                other => other.to_string(),
            };
            RequestFailure { error: failed(&why).caused_by(error), retry: Retry::OnceItAnswers, wait: None }
        })?;
        let status = response.status();
        if status.is_redirection() {
            let error = failed(&format!("it returned {status}, and redirects are not followed"));
            return Err(RequestFailure { error, retry: Retry::Never, wait: None });
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, SystemTime::now()));
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string().map_err(|error| {
            RequestFailure {
                error: failed(&format!("the response was interrupted: {error}")).caused_by(error),
                retry: Retry::OnceItAnswers,
                wait: None,
            }
        })?;
        if !status.is_success() {
            let is_busy = status.as_u16() == 429 || status.is_server_error();
            // llama.cpp returns 500 for a text that is longer than its batch.
            let is_too_large =
                status.as_u16() == 500 && ["too large", "too long"].iter().any(|what| text.contains(what));
            let retry = if is_busy && !is_too_large { Retry::Soon } else { Retry::Never };
            let error = failed(&format!("it returned {status}: {}", excerpt(&text)));
            // The error concerns the input: the endpoint may accept another text, or fewer.
            let concerns_input = is_too_large || matches!(status.as_u16(), 400 | 413 | 422);
            let error = if concerns_input { error.about(REFUSED_INPUT) } else { error };
            return Err(RequestFailure { error, retry, wait });
        }
        self.read(&text, texts.len(), purpose).map_err(|error| RequestFailure {
            error,
            retry: Retry::Never,
            wait: None,
        })
    }

    fn read(&self, text: &str, expected: usize, purpose: Purpose) -> Result<Vec<Embedding>> {
        let failed = |why: &str| self.failed(why, purpose);
        let response: Response = serde_json::from_str(text).map_err(|error| {
            failed(&format!("its response is not a list of embeddings: {}", excerpt(text))).caused_by(error)
        })?;
        let vectors = response.vectors(expected).map_err(|why| failed(&why))?;
        vectors.into_iter().map(|components| self.embedding(components, purpose)).collect()
    }

    fn embedding(&self, components: Vec<f32>, purpose: Purpose) -> Result<Embedding> {
        let (model, found) = (self.model(), components.len());
        let expected = self.settings.requested_dimensions().unwrap_or(found.min(DIMENSIONS));
        if found < expected || (found > expected && !self.settings.shortens()) {
            let why = format!("it returned vectors of {found} dimensions instead of {expected}");
            let remedy = if found > expected { TOO_LONG } else { NO_VECTOR };
            return Err(self.failed(&why, purpose).remedy(remedy));
        }
        if found > expected && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("vectors of {model} are shortened from {found} to {expected} dimensions");
        }
        let embedding = Embedding::shortened(components, expected)
            .map_err(|error| self.failed(&error.to_string(), purpose).remedy(NO_VECTOR).caused_by(error))?;
        Ok(embedding.normalized())
    }

    fn failed(&self, why: &str, purpose: Purpose) -> Error {
        let next = match purpose {
            Purpose::Store => "stored data is kept, and the next run continues",
            Purpose::Ask => "a full-text search needs no endpoint",
        };
        // A query may contain a key.
        let mut endpoint = self.endpoint.clone();
        endpoint.set_query(None);
        Error::new(ErrorKind::Embeddings, format!("the embeddings endpoint {endpoint} failed: {why}"))
            .remedy(format!("check its URL, the model and the key; {next}"))
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
                vectors.extend(self.embed_batch(batch, Purpose::Store).await?);
            }
            Ok(vectors)
        }
        .boxed()
    }

    fn embed_question<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Embedding>> {
        async move {
            let question = format!("{}{question}", self.settings.question_prefix);
            let vector = self.embed_batch(&[question], Purpose::Ask).await?.pop();
            // `read` has checked the number of vectors.
            vector.ok_or_else(|| self.failed("it returned no vector", Purpose::Ask))
        }
        .boxed()
    }
}

fn excerpt(text: &str) -> String {
    let text: String = text.chars().take(EXCERPT).collect();
    format!("{text:?}")
}
