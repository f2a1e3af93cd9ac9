//! What is looked for, as a vector.

use crate::embeddings::Embedder;
use crate::error::{Error, Kind, Result};
use crate::sql_types::{Embedding, SignBits};

/// A vector to search with, and the model that made it: vectors of two models are never compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub(super) vector: Embedding,
    pub(super) bits: SignBits,
    pub(super) model: String,
}

impl Question {
    /// A question of a vector that was made elsewhere, by the model of that name.
    ///
    /// The name is compared with `document_chunks.embedding_model` as it is.
    ///
    /// ```
    /// use workspace_db::search::Question;
    /// use workspace_db::sql_types::Embedding;
    ///
    /// let question = Question::new(Embedding::try_from([0.5; 1536])?, "text-embedding-3-large");
    /// assert_eq!(question.model(), "text-embedding-3-large");
    /// # Ok::<(), workspace_db::sql_types::EmbeddingError>(())
    /// ```
    #[must_use]
    pub fn new(vector: Embedding, model: impl Into<String>) -> Self {
        Self { bits: vector.sign_bits(), vector, model: model.into() }
    }

    /// A question of a text, which the embedder turns into a vector.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where the text has no words;
    /// [`is_embeddings_failure`](Error::is_embeddings_failure).
    pub async fn of(embedder: &dyn Embedder, text: &str) -> Result<Self> {
        let mut vectors = embedder.embed(&[text.to_owned()]).await?;
        match vectors.pop() {
            Some(vector) => Ok(Self::new(vector, embedder.model())),
            None => Err(Error::new(Kind::Embeddings, "no vector came for the question")),
        }
    }

    /// What made the vector.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether most components are zero, as those of hashed words are: their signs then tell next to nothing.
    pub(super) fn is_sparse(&self) -> bool {
        let zeros = self.vector.as_slice().iter().filter(|&&component| component == 0.0).count();
        2 * zeros > self.vector.as_slice().len()
    }
}
