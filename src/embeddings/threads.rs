//! Embedding on every core.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::task::spawn_blocking;

use crate::error::{Error, ErrorKind, Result};
use crate::sql_types::Embedding;

/// Returns the vectors of the texts, in their order, by a model that computes in this process. Each core computes a part of them.
///
/// # Errors
///
/// The first error of `embed`; [`is_embeddings_failure`](Error::is_embeddings_failure) if it panics.
///
/// ```
/// use workspace_db::embeddings::{FeatureHashing, embed_on_every_core};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> workspace_db::Result<()> {
/// let texts = ["a red bicycle".to_owned(), "the theory of sets".to_owned()];
/// assert_eq!(embed_on_every_core(&texts, FeatureHashing::vector).await?.len(), 2);
/// # Ok(())
/// # }
/// ```
pub async fn embed_on_every_core(
    texts: &[String],
    embed: impl Fn(&str) -> Result<Embedding> + Clone + Send + 'static,
) -> Result<Vec<Embedding>> {
    let threads = available_parallelism().map_or(1, NonZero::get);
    let start = |part: &[String]| {
        let (part, embed) = (part.to_vec(), embed.clone());
        spawn_blocking(move || part.iter().map(|text| embed(text)).collect::<Result<Vec<_>>>())
    };
    let parts: Vec<_> = texts.chunks(texts.len().div_ceil(threads).max(1)).map(start).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for part in parts {
        let part = part.await.map_err(|error| {
            Error::new(ErrorKind::Embeddings, "the thread that embeds texts panicked").caused_by(error)
        })?;
        vectors.extend(part?);
    }
    Ok(vectors)
}
