//! Question of a search, as a vector.

use crate::embeddings::{Embedder, FeatureHashing, choose_embedder, live_models};
use crate::error::Result;
use crate::sql_types::{Embedding, SignBits};
use crate::tenancy::{Access, WorkspaceConnection};

/// Vector to search with, and the model that created it. Vectors of two models are never compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub(super) vector: Embedding,
    pub(super) bits: SignBits,
    pub(super) model: String,
    /// Cosine below which a passage that shares no word is no answer, if the embedder knows it.
    pub(super) min_cosine: Option<f64>,
}

impl Question {
    /// Creates a question from an existing vector of the model with this name.
    ///
    /// The name must equal `document_chunks.embedding_model` exactly.
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
        Self { bits: vector.sign_bits(), vector, model: model.into(), min_cosine: None }
    }

    /// Embeds a text as a question.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](crate::Error::is_invalid_input) if the text has no words;
    /// [`is_embeddings_failure`](crate::Error::is_embeddings_failure).
    pub async fn embed(embedder: &dyn Embedder, text: &str) -> Result<Self> {
        let question = Self::new(embedder.embed_question(text).await?, embedder.model());
        Ok(Self { min_cosine: embedder.min_cosine(text), ..question })
    }

    /// Embeds a text as a question, with the embedder whose model created the workspace's current vectors.
    ///
    /// Use it while a workspace is [switched](mod@crate::reembed) to another model: the old embedder applies before the
    /// switch, the new one after it. If the switch happens between embedding and search, the search is rejected,
    /// because it would find nothing; repeat it. If the workspace has no vectors, no embedder is needed, and words are hashed.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](crate::Error::is_invalid_input) if none of the embedders created the workspace's vectors;
    /// otherwise the same as [`embed`](Self::embed).
    ///
    /// ```no_run
    /// use workspace_db::embeddings::Embedder;
    /// use workspace_db::search::Question;
    /// use workspace_db::tenancy::WorkspaceConnection;
    ///
    /// # async fn example(ws: &mut WorkspaceConnection, old: impl Embedder, new: impl Embedder) -> workspace_db::Result<()> {
    /// let question = Question::embed_for_workspace(ws, &[&old, &new], "When do you open?").await?;
    /// # drop(question);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn embed_for_workspace(
        ws: &mut WorkspaceConnection<impl Access>,
        embedders: &[&dyn Embedder],
        text: &str,
    ) -> Result<Self> {
        let models = live_models(ws).await?;
        // Without vectors no passage can be found, and a model might have to be downloaded first.
        let embedder = if models.is_empty() { &FeatureHashing } else { choose_embedder(&models, embedders)? };
        Self::embed(embedder, text).await
    }

    /// Returns the name of the model that created the vector.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns true if most components are zero, as with hashed words. Their signs then carry almost no information.
    pub(super) fn is_sparse(&self) -> bool {
        let zeros = self.vector.as_slice().iter().filter(|&&component| component == 0.0).count();
        2 * zeros > self.vector.as_slice().len()
    }
}
