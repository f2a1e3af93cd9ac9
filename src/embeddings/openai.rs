//! Vectors from an endpoint that speaks OpenAI's protocol.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use futures_util::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use ureq::http::header::RETRY_AFTER;

use super::embedder::{Embedder, REFUSED_INPUT};
use crate::error::{Error, ErrorKind, Result};
use crate::noun::noun_for;
use crate::sql_types::{DIMENSIONS, Embedding};

/// Longest wait that an endpoint can request with Retry-After.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Maximum size of a response: 64 MiB, enough for two thousand vectors as JSON.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Time within which an endpoint must accept the connection for a question, because a person waits.
const QUESTION_CONNECT: Duration = Duration::from_millis(1500);
/// Longest wait before the retry of a question.
const QUESTION_WAIT: Duration = Duration::from_secs(1);
/// Number of characters of a response that an error message shows.
const EXCERPT: usize = 200;

/// Settings of an endpoint.
#[derive(Clone, Debug)]
pub struct OpenAiSettings {
    /// Base address, such as `http://localhost:11434/v1`; `/embeddings` is appended if it is missing.
    pub url: String,
    /// Model to request, and the name that is stored with each vector.
    pub model: String,
    /// Bearer token.
    pub api_key: Option<SecretString>,
    /// Number of texts in one request.
    pub batch: usize,
    /// Timeout of one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Maximum number of retries after 429, 5xx, a timeout or a broken connection. A question is retried at most once, within
    /// a second, and only if the endpoint has answered. The waits start at `first_wait` and
    /// double, with jitter. A Retry-After header of the endpoint takes precedence.
    pub retries: usize,
    /// Wait before the first retry.
    pub first_wait: Duration,
}

impl OpenAiSettings {
    /// Returns the default settings for an address: `text-embedding-3-large`, 64 texts a request, 30 s, 4 retries from
    /// 0.5 s.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: "text-embedding-3-large".to_owned(),
            api_key: None,
            batch: 64,
            timeout: Duration::from_secs(30),
            retries: 4,
            first_wait: Duration::from_millis(500),
        }
    }
}

/// Embedder that requests vectors of 1536 dimensions from `POST {url}/embeddings`.
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
#[derive(Clone, Debug)]
pub struct OpenAiEmbeddings {
    agent: ureq::Agent,
    endpoint: String,
    settings: OpenAiSettings,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    dimensions: usize,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Response {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
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
    /// the batch is 0.
    pub fn new(settings: OpenAiSettings) -> Result<Self> {
        let url = url::Url::parse(&settings.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            return Err(Error::invalid(format!("{:?} is not the URL of an embeddings endpoint", settings.url))
                .remedy("use the form http://host:port/v1"));
        }
        if settings.batch == 0 {
            return Err(Error::invalid("a request can't hold 0 texts").remedy("set the batch to 1 or more"));
        }
        if url.is_some_and(|url| url.password().is_some()) {
            return Err(Error::invalid("the URL of the endpoint contains a password, which error messages would show")
                .remedy("pass it as the API key"));
        }
        let base = settings.url.trim_end_matches('/').trim_end_matches("/embeddings");
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            // A redirect could send the texts to any host.
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Ok(Self { agent, endpoint: format!("{base}/embeddings"), settings })
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
        let mut request = self.agent.post(&self.endpoint);
        if purpose == Purpose::Ask {
            let within = QUESTION_CONNECT.min(self.settings.timeout);
            request = request.config().timeout_resolve(Some(within / 3)).timeout_connect(Some(within)).build();
        }
        if let Some(key) = &self.settings.api_key {
            request = request.header("Authorization", format!("Bearer {}", key.expose_secret()));
        }
        let model = self.settings.model.as_str();
        let body = Request { model, input: texts, dimensions: DIMENSIONS, encoding_format: "float" };
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
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string().map_err(|error| {
            RequestFailure {
                error: failed(&format!("the response was interrupted: {error}")).caused_by(error),
                retry: Retry::OnceItAnswers,
                wait: None,
            }
        })?;
        if !status.is_success() {
            let is_busy = status.as_u16() == 429 || status.is_server_error();
            let retry = if is_busy { Retry::Soon } else { Retry::Never };
            let error = failed(&format!("it returned {status}: {}", excerpt(&text)));
            // The error concerns the input: the endpoint may accept another text, or fewer.
            let error = if matches!(status.as_u16(), 400 | 413 | 422) { error.about(REFUSED_INPUT) } else { error };
            return Err(RequestFailure { error, retry, wait: wait.map(Duration::from_secs) });
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
        let mut items = response.data;
        items.sort_by_key(|item| item.index);
        if items.len() != expected || items.iter().enumerate().any(|(place, item)| place != item.index) {
            let (vectors, texts) = (noun_for(items.len(), "vector"), noun_for(expected, "text"));
            return Err(failed(&format!(
                "it returned {} {vectors} for {expected} {texts}, or not one vector for each text",
                items.len()
            )));
        }
        let vectors = items.into_iter().map(|item| {
            let embedding = Embedding::try_from(item.embedding).map_err(|error| {
                failed(&error.to_string())
                    .remedy(format!("choose a model that supports {DIMENSIONS} dimensions"))
                    .caused_by(error)
            })?;
            Ok(embedding.normalized())
        });
        vectors.collect()
    }

    fn failed(&self, why: &str, purpose: Purpose) -> Error {
        let next = match purpose {
            Purpose::Store => "stored data is kept, and the next run continues",
            Purpose::Ask => "a full-text search needs no endpoint",
        };
        Error::new(ErrorKind::Embeddings, format!("the embeddings endpoint {} failed: {why}", self.endpoint))
            .remedy(format!("check its URL, the model and the key; {next}"))
    }
}

impl Embedder for OpenAiEmbeddings {
    fn model(&self) -> &str {
        &self.settings.model
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        async move {
            let mut vectors = Vec::with_capacity(texts.len());
            for batch in texts.chunks(self.settings.batch) {
                vectors.extend(self.embed_batch(batch, Purpose::Store).await?);
            }
            Ok(vectors)
        }
        .boxed()
    }

    fn embed_question<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Embedding>> {
        async move {
            let vector = self.embed_batch(&[question.to_owned()], Purpose::Ask).await?.pop();
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
