//! A document to load, with its passages.

use serde_json::{Map, Value};

use crate::models::NewDocument;
use crate::sql_types::{Embedding, LanguageTag};

/// Document to load, with all of its passages.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDocument {
    /// Document without passages. The required `external_id` identifies it in later loads. Its datasource is that of the
    /// load. A missing `content_hash` is computed from the passages.
    pub document: NewDocument,
    /// Model that computed the vectors.
    pub model: String,
    /// Passages in their order, at most [`MAX_PASSAGES`](super::MAX_PASSAGES).
    pub passages: Vec<Passage>,
}

/// Passage with its vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Text of the passage.
    pub content: String,
    /// Embedding of the text.
    pub vector: Embedding,
    /// Length in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// Language by which the words are stemmed; without one, the default language of the workspace. `und` stands for none. The
    /// crate `workspace-db-ingest` detects it: `with_languages`.
    pub language: Option<LanguageTag>,
    /// Facts about the passage, such as its page, which a search can filter by.
    pub metadata: Map<String, Value>,
}

impl Passage {
    /// Creates a passage of unknown length, in the default language of its workspace.
    #[must_use]
    pub fn new(content: impl Into<String>, vector: Embedding) -> Self {
        Self { content: content.into(), vector, token_count: None, language: None, metadata: Map::new() }
    }
}
