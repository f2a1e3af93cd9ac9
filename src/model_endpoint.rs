//! Requests to the HTTP endpoint of a model: JSON in both directions, time limits and retries.

use std::time::{Duration, SystemTime};

use backon::{ExponentialBuilder, Retryable as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::header::RETRY_AFTER;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::noun::noun_for;

/// Longest wait that an endpoint can request with Retry-After.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Maximum size of a response: 64 MiB, enough for two thousand vectors as JSON.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Time within which an endpoint must accept the connection while a person waits.
const CONNECT: Duration = Duration::from_millis(1500);
/// Longest wait before a retry while a person waits.
const WAIT: Duration = Duration::from_secs(1);
/// Number of characters of a response that an error message shows.
const EXCERPT: usize = 200;
/// Hosts of Azure, which take a key in a header of its own.
const AZURE: [&str; 4] = [".azure.com", ".azure.us", ".azure.cn", ".azure-api.net"];

/// Time limits, retries and the key of an endpoint.
#[derive(Clone)]
pub(crate) struct EndpointSettings {
    pub(crate) api_key: Option<SecretString>,
    pub(crate) timeout: Duration,
    pub(crate) retries: usize,
    pub(crate) first_wait: Duration,
}

/// Facts about an endpoint that its errors state.
#[derive(Clone, Copy)]
pub(crate) struct EndpointErrors {
    pub(crate) kind: ErrorKind,
    /// Name of the endpoint.
    pub(crate) name: &'static str,
    /// Field of an error that concerns the input of the request and not the endpoint.
    pub(crate) input: &'static str,
    /// Remedy: the work that goes on without the endpoint.
    pub(crate) unaffected: fn(Waiting) -> &'static str,
}

/// Endpoint of a model.
#[derive(Clone)]
pub(crate) struct ModelEndpoint {
    agent: ureq::Agent,
    url: Url,
    settings: EndpointSettings,
    errors: EndpointErrors,
}

/// Reader of a response, who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A run that waits as long as it must.
    Run,
    /// A person.
    Person,
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

impl ModelEndpoint {
    pub(crate) fn new(url: Url, settings: EndpointSettings, errors: EndpointErrors) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            // A redirect could send the texts to any host.
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self { agent, url, settings, errors }
    }

    /// Sends a request, and again if a retry may help. Returns what `read` makes of the response, on a thread for slow work.
    pub(crate) async fn post<T: Send + 'static>(
        &self,
        body: &impl Serialize,
        waiting: Waiting,
        read: impl Fn(&Self, &str) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        let body = serde_json::to_vec(body)
            .map_err(|error| self.failed("the request is not JSON", waiting).caused_by(error))?;
        let (retries, longest) = match waiting {
            Waiting::Run => (self.settings.retries, LONGEST_WAIT),
            Waiting::Person => (self.settings.retries.min(1), WAIT),
        };
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.settings.first_wait)
            .with_max_times(retries)
            .with_jitter();
        (|| self.request_on_a_thread(body.clone(), waiting, read.clone()))
            .retry(waits)
            .when(|failure| match failure.retry {
                Retry::Never => false,
                Retry::OnceItAnswers => waiting == Waiting::Run,
                Retry::Soon => true,
            })
            .adjust(|failure, wait| wait.map(|wait| failure.wait.unwrap_or(wait).min(longest)))
            .notify(|failure, wait| tracing::warn!(error = %failure.error, ?wait, "retrying the request to a model"))
            .await
            .map_err(|failure| failure.error)
    }

    async fn request_on_a_thread<T: Send + 'static>(
        &self,
        body: Vec<u8>,
        waiting: Waiting,
        read: impl Fn(&Self, &str) -> Result<T> + Send + 'static,
    ) -> Result<T, RequestFailure> {
        let this = self.clone();
        let request = move || {
            let text = this.request(&body, waiting)?;
            read(&this, &text).map_err(RequestFailure::final_one)
        };
        tokio::task::spawn_blocking(request).await.map_err(|error| {
            RequestFailure::final_one(Error::new(self.errors.kind, "the request thread panicked").caused_by(error))
        })?
    }

    fn request(&self, body: &[u8], waiting: Waiting) -> Result<String, RequestFailure> {
        let mut request = self.agent.post(self.url.as_str()).content_type("application/json");
        if waiting == Waiting::Person {
            let within = CONNECT.min(self.settings.timeout);
            request = request.config().timeout_resolve(Some(within / 3)).timeout_connect(Some(within)).build();
        }
        if let Some(key) = &self.settings.api_key {
            let (name, word) = key_header(self.url.host_str().unwrap_or_default());
            request = request.header(name, format!("{word}{}", key.expose_secret()));
        }
        let mut response = request.send(body).map_err(|error| {
            let why = match &error {
                ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                    "it accepts no connection".to_owned()
                }
                ureq::Error::Timeout(_) => format!("no answer within {} s", self.settings.timeout.as_secs_f32()),
                other => other.to_string(),
            };
            RequestFailure {
                error: self.failed(&why, waiting).caused_by(error),
                retry: Retry::OnceItAnswers,
                wait: None,
            }
        })?;
        let status = response.status();
        if status.is_redirection() {
            let error = self.failed(&format!("it returned {status}, and redirects are not followed"), waiting);
            return Err(RequestFailure::final_one(error));
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, SystemTime::now()));
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string().map_err(|error| {
            let why = format!("the response was interrupted: {error}");
            RequestFailure {
                error: self.failed(&why, waiting).caused_by(error),
                retry: Retry::OnceItAnswers,
                wait: None,
            }
        })?;
        if status.is_success() {
            return Ok(text);
        }
        let is_busy = status.as_u16() == 429 || status.is_server_error();
        // llama.cpp returns 500 for a text that is longer than its batch.
        let is_too_large = status.as_u16() == 500 && ["too large", "too long"].iter().any(|what| text.contains(what));
        let retry = if is_busy && !is_too_large { Retry::Soon } else { Retry::Never };
        let error = self.failed(&format!("it returned {status}: {}", excerpt(&text)), waiting);
        // The error concerns the input: the endpoint may accept another text, or fewer.
        let concerns_input = is_too_large || matches!(status.as_u16(), 400 | 413 | 422);
        let error = if concerns_input { error.about(self.errors.input) } else { error };
        Err(RequestFailure { error, retry, wait })
    }

    /// Parses a response, which is a list of `items`.
    pub(crate) fn parsed<T: DeserializeOwned>(&self, text: &str, items: &str, waiting: Waiting) -> Result<T> {
        serde_json::from_str(text).map_err(|error| {
            let why = format!("its response is not a list of {items}: {}", excerpt(text));
            self.failed(&why, waiting).caused_by(error)
        })
    }

    /// Returns an error that names the endpoint.
    pub(crate) fn failed(&self, why: &str, waiting: Waiting) -> Error {
        let EndpointErrors { kind, name, unaffected, .. } = self.errors;
        // A query may contain a key.
        let mut url = self.url.clone();
        url.set_query(None);
        Error::new(kind, format!("the {name} endpoint {url} failed: {why}"))
            .remedy(format!("check its URL, the model and the key; {}", unaffected(waiting)))
    }
}

impl RequestFailure {
    fn final_one(error: Error) -> Self {
        Self { error, retry: Retry::Never, wait: None }
    }
}

/// Returns the address of an endpoint: the base address with a path, unless it ends with that path. A query is kept.
pub(crate) fn endpoint_url(base: &str, path: &str, name: &str) -> Result<Url> {
    let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(mut url) = url else {
        return Err(Error::invalid(format!("{:?} is not the URL of the {name} endpoint", shown_url(base)))
            .remedy("use the form http://host:port/v1"));
    };
    if url.password().is_some() || !url.username().is_empty() {
        return Err(Error::invalid(
            "the URL of the endpoint contains a user or a password, which error messages would show",
        )
        .remedy("pass it as the API key"));
    }
    let base = url.path().trim_end_matches('/').trim_end_matches(path).trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{path}"));
    Ok(url)
}

/// Returns an address without the parts that may contain a secret: the query, and a user with a password.
pub(crate) fn shown_url(url: &str) -> &str {
    // A password may itself contain ? or #, so the user ends at the last @.
    let address = url.rsplit('@').next().unwrap_or_default();
    address.split(['?', '#']).next().unwrap_or_default()
}

/// Returns the items of a response in the order of the request, if there is one for each of the `expected` inputs.
///
/// `item` and `input` are their names for messages, such as "vector" and "text".
pub(crate) fn in_order<T>(
    mut items: Vec<(usize, T)>,
    expected: usize,
    item: &str,
    input: &str,
) -> Result<Vec<T>, String> {
    items.sort_by_key(|(index, _)| *index);
    if items.len() != expected {
        let (found, items, inputs) = (items.len(), noun_for(items.len(), item), noun_for(expected, input));
        return Err(format!("it returned {found} {items} for {expected} {inputs}"));
    }
    if items.iter().zip(0..).any(|((index, _), place)| *index != place) {
        return Err(format!("it did not return exactly one {item} for each {input}"));
    }
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// Returns the beginning of a response, in quotation marks.
fn excerpt(text: &str) -> String {
    let text: String = text.chars().take(EXCERPT).collect();
    format!("{text:?}")
}

/// Returns the header of the API key, and the word in front of the key.
fn key_header(host: &str) -> (&'static str, &'static str) {
    if AZURE.iter().any(|azure| host.ends_with(azure)) { ("api-key", "") } else { ("Authorization", "Bearer ") }
}

/// Returns the wait that a Retry-After header requests: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_stays_behind_the_path_of_the_endpoint() {
        for (url, expected) in [
            ("http://localhost:11434/v1", "http://localhost:11434/v1/embeddings"),
            ("http://localhost:11434/v1/embeddings/", "http://localhost:11434/v1/embeddings"),
            (
                "https://a.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
                "https://a.openai.azure.com/openai/deployments/small/embeddings?api-version=2024-10-21",
            ),
        ] {
            assert_eq!(endpoint_url(url, "/embeddings", "embeddings").unwrap().as_str(), expected);
        }
        assert_eq!(key_header("a.openai.azure.com"), ("api-key", ""));
        assert_eq!(key_header("api.openai.com"), ("Authorization", "Bearer "));
    }

    #[test]
    fn an_address_is_shown_without_secrets() {
        for url in ["http://user:pa#ss@host/v1?key=1", "http://user:pa?ss@host/v1#key", "http://host/v1?key=1"] {
            assert!(shown_url(url).ends_with("host/v1"), "{}", shown_url(url));
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Mon, 30 Nov 2026 15:00:00 GMT").unwrap();
        let wait = |value| retry_after(value, now);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Mon, 30 Nov 2026 15:00:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(wait("Mon, 30 Nov 2026 14:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
