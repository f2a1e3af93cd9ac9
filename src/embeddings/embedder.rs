//! The trait of all embedders.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};
use crate::noun::noun_for;
use crate::sql_types::Embedding;

/// [Field](crate::Error::field) of an embedder's error that concerns one of the texts and not the endpoint. A retry
/// does not help then.
pub const REFUSED_INPUT: &str = "input";

/// Model that turns texts into vectors.
///
/// ```
/// use workspace_db::embeddings::{Embedder, FeatureHashing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> workspace_db::Result<()> {
/// let texts = ["a red bicycle".to_owned(), "the theory of sets".to_owned()];
/// let vectors = FeatureHashing.embed(&texts).await?;
/// assert_eq!(vectors.len(), 2);
/// # Ok(())
/// # }
/// ```
pub trait Embedder: Send + Sync {
    /// Returns the name that is stored with each vector. Vectors of two names are never compared.
    fn model(&self) -> &str;

    /// Returns the cosine to a question below which a passage is no answer, if the embedder knows one; 1 if its vectors say
    /// nothing about this question.
    ///
    /// A [hybrid search](crate::search::SearchChunks::hybrid) leaves out passages below it that share no word with the question, so
    /// that it may find none. The default is `None`: the nearest passages are always found.
    fn min_cosine(&self, question: &str) -> Option<f64> {
        let _ = question;
        None
    }

    /// Returns one vector per text, in the order of the texts, each of length 1.
    ///
    /// # Errors
    ///
    /// If one of the texts gets no vector, the call fails as a whole.
    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>>;

    /// Returns the vector of a question. A person waits for it, so an embedder should fail soon rather than retry for long.
    ///
    /// The default embeds it as [`embed`](Self::embed) does a text.
    ///
    /// # Errors
    ///
    /// Those of [`embed`](Self::embed); [`is_embeddings_failure`](Error::is_embeddings_failure) if it returns no vector.
    fn embed_question<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Embedding>> {
        async move {
            let texts = [question.to_owned()];
            let vector = self.embed(&texts).await?.pop();
            vector.ok_or_else(|| Error::new(ErrorKind::Embeddings, "the embedder returned no vector for the question"))
        }
        .boxed()
    }
}

/// Returns one vector per text, in the order of the texts, and checks their number and that of their dimensions.
///
/// # Errors
///
/// The errors of [`Embedder::embed`]; [`is_embeddings_failure`](Error::is_embeddings_failure) if one of the numbers differs.
///
/// ```
/// use workspace_db::embeddings::{FeatureHashing, embed};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> workspace_db::Result<()> {
/// assert_eq!(embed(&FeatureHashing, &["a red bicycle".to_owned()]).await?.len(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn embed(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Embedding>> {
    let vectors = embedder.embed(texts).await?;
    if vectors.len() != texts.len() {
        let (returned, expected) = (vectors.len(), texts.len());
        let message = format!(
            "the embedder {} returned {returned} {} for {expected} {}",
            embedder.model(),
            noun_for(returned, "vector"),
            noun_for(expected, "text")
        );
        return Err(Error::new(ErrorKind::Embeddings, message)
            .remedy("use an embedder that returns one vector for each text, in the same order"));
    }
    let dimensions = vectors.first().and_then(Embedding::dimensions);
    if let Some(dimensions) = dimensions.filter(|&it| vectors.iter().any(|vector| !vector.may_have_dimensions(it))) {
        let message =
            format!("the embedder {} returned vectors of {dimensions} and of other dimensions", embedder.model());
        return Err(Error::new(ErrorKind::Embeddings, message)
            .remedy("use an embedder whose vectors have one number of dimensions"));
    }
    Ok(vectors)
}
