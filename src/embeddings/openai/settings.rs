//! Settings of an endpoint.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model_endpoint::{EndpointSettings, shown_url};
use crate::sql_types::{DIMENSIONS, MIN_DIMENSIONS};

/// Models with more dimensions than the column whose vectors may be shortened, by the documentation of their makers
/// (November 2026). The name of an endpoint's model contains one of these.
const SHORTENED_MODELS: [&str; 5] =
    ["text-embedding-3-large", "gemini-embedding", "qwen3-embedding", "jina-embeddings-v4", "voyage-3"];
/// Fields of a request that settings supply.
const RESERVED: [&str; 4] = ["model", "input", "dimensions", "encoding_format"];
/// Models of OpenAI that accept a number of dimensions.
const SIZED_MODELS: &str = "text-embedding-3-";

/// Settings of an endpoint.
#[derive(Clone)]
pub struct OpenAiSettings {
    /// Base address, such as `http://localhost:11434/v1`; `/embeddings` is appended if it is missing. A query, such as Azure's
    /// `?api-version=...`, is kept.
    pub url: String,
    /// Model to request.
    pub model: String,
    /// Name that is stored with each vector; by default that of the model. Another name is needed if a model gets other
    /// dimensions, prefixes or fields, because its old and new vectors can't be compared.
    pub name: Option<String>,
    /// API key: a bearer token, or the header `api-key` for a host of Azure.
    pub api_key: Option<SecretString>,
    /// Number of dimensions to request. Without it, 1536 are requested of OpenAI's `text-embedding-3` models, and other models
    /// return what they have.
    pub dimensions: Option<usize>,
    /// True to keep only the first 1536 dimensions of a longer vector. It suits models that are trained for it (Matryoshka);
    /// those of text-embedding-3-large, gemini-embedding, Qwen3-Embedding, jina-embeddings-v4 and voyage-3 are shortened in any case.
    pub shorten: bool,
    /// True to request vectors in base64, a quarter of the size. Responses are read in both forms.
    pub base64: bool,
    /// Number of texts in one request.
    pub batch: usize,
    /// Number of tokens in one request, estimated as a third of the bytes. A longer text gets a request of its own.
    pub batch_tokens: usize,
    /// Text in front of each question, such as `search_query: ` for nomic-embed-text.
    pub question_prefix: String,
    /// Text in front of each passage, such as `search_document: ` for nomic-embed-text.
    pub passage_prefix: String,
    /// Further fields of a request for a question, such as `{"input_type": "query"}` for Voyage.
    pub question_fields: Map<String, Value>,
    /// Further fields of a request for passages, such as `{"input_type": "document"}`.
    pub passage_fields: Map<String, Value>,
    /// Timeout of one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Maximum number of retries after 429, 5xx, a timeout or a broken connection. A question is retried at most once, within
    /// a second, and only if the endpoint has answered. The waits start at `first_wait` and
    /// double, with jitter. A Retry-After header of the endpoint takes precedence.
    pub retries: usize,
    /// Wait before the first retry.
    pub first_wait: Duration,
}

impl fmt::Debug for OpenAiSettings {
    /// Shows neither the key nor the query of the address, which may contain one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiSettings")
            .field("url", &shown_url(&self.url))
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl OpenAiSettings {
    /// Returns the default settings for an address: `text-embedding-3-large`, 64 texts and 100,000 tokens a request, 30 s, 4
    /// retries from 0.5 s, no prefixes.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: "text-embedding-3-large".to_owned(),
            name: None,
            api_key: None,
            dimensions: None,
            shorten: false,
            base64: false,
            batch: 64,
            batch_tokens: 100_000,
            question_prefix: String::new(),
            passage_prefix: String::new(),
            question_fields: Map::new(),
            passage_fields: Map::new(),
            timeout: Duration::from_secs(30),
            retries: 4,
            first_wait: Duration::from_millis(500),
        }
    }

    /// Returns the settings of its requests.
    pub(super) fn of_requests(&self) -> EndpointSettings {
        let Self { api_key, timeout, retries, first_wait, .. } = self;
        EndpointSettings { api_key: api_key.clone(), timeout: *timeout, retries: *retries, first_wait: *first_wait }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.batch == 0 || self.batch_tokens == 0 {
            return Err(Error::invalid("a request can't hold 0 texts or tokens").remedy("set the batch to 1 or more"));
        }
        if let Some(dimensions) = self.dimensions.filter(|it| !(MIN_DIMENSIONS..=DIMENSIONS).contains(it)) {
            return Err(Error::invalid(format!("{dimensions} dimensions can't be requested"))
                .remedy(format!("request {MIN_DIMENSIONS} to {DIMENSIONS}")));
        }
        if self.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(
                Error::invalid("the name of the vectors is empty").remedy("leave it out, or use the model's name")
            );
        }
        let mut fields = self.question_fields.keys().chain(self.passage_fields.keys());
        if let Some(field) = fields.find(|field| RESERVED.contains(&field.as_str())) {
            return Err(Error::invalid(format!("the field {field:?} of a request can't be set twice"))
                .remedy("use the setting of that name"));
        }
        Ok(())
    }

    /// Returns the number of dimensions to request.
    pub(super) fn requested_dimensions(&self) -> Option<usize> {
        self.dimensions.or_else(|| self.model.starts_with(SIZED_MODELS).then_some(DIMENSIONS))
    }

    /// Returns true if longer vectors are shortened.
    pub(super) fn shortens(&self) -> bool {
        let model = self.model.to_lowercase();
        self.shorten || SHORTENED_MODELS.iter().any(|known| model.contains(known))
    }

    /// Returns the texts in the batches of the requests.
    pub(super) fn batches<'a>(&self, texts: &'a [String]) -> Vec<&'a [String]> {
        let mut batches = Vec::new();
        let mut rest = texts;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fitting = rest.iter().take(self.batch).take_while(|text| {
                tokens += text.len().div_ceil(3);
                tokens <= self.batch_tokens
            });
            // The number is at most that of the rest, so `split_at` can't panic.
            let (batch, after) = rest.split_at(fitting.count().max(1));
            batches.push(batch);
            rest = after;
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_with_its_texts_or_its_tokens() {
        let settings = OpenAiSettings { batch: 3, batch_tokens: 10, ..OpenAiSettings::new("http://localhost/v1") };
        let texts: Vec<String> = [3, 3, 3, 3, 27, 300, 15, 15].map(|bytes| "x".repeat(bytes)).into();
        let sizes: Vec<usize> = settings.batches(&texts).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [3, 2, 1, 2]);
        assert!(settings.batches(&[]).is_empty());
    }
}
