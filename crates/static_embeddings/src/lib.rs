//! Embeddings from a small model that runs in the program itself, without a service.
//!
//! [`StaticEmbeddings`] finds passages that are near in meaning to a question, in English. It is coarser than a large model behind
//! an endpoint, and takes less than a millisecond for a passage on one core.
//!
//! ```toml
//! [dependencies]
//! workspace-db-static-embeddings = { path = "../workspace-db/crates/static_embeddings" }
//! ```

mod model;
mod package;
mod tokenizer;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use workspace_db::embeddings::{Embedder, embed_on_every_core};
use workspace_db::sql_types::Embedding;
use workspace_db::{Error, ErrorKind, Result};

use self::model::Model;

/// Name that is stored with each vector.
///
/// It contains the version of this crate's own part: the weights of the tokens.
pub const MODEL: &str = "wordllama-l2-256-v1";

/// Cosine below which a passage is no answer: nonsense has at most 0.27 to the passages of four corpora, and 95 in 100 questions
/// that they answer have more than 0.3 (docs/decisions/search-quality.md).
const MIN_COSINE: f64 = 0.3;

/// Embedder by the static vectors of WordLlama 0.4.0: 256 dimensions, for English.
///
/// A vector is the weighted mean of the vectors of the text's tokens. In other languages of the Latin script it adds little to a
/// full-text search. A hybrid search with a question in another script finds only passages with its words.
///
/// pip downloads the model once, 19 MB, and each process compares it with its pinned hash; it takes 36 MB of memory. WordLlama is under the MIT licence. Its vectors are trained from the
/// token embeddings of Llama 2 and Phi 3, so check the licence of Llama 2 as well if you pass the model on.
///
/// ```no_run
/// use workspace_db::embeddings::Embedder;
/// use workspace_db_embedded::cache_dir;
/// use workspace_db_static_embeddings::StaticEmbeddings;
///
/// # async fn example() -> workspace_db::Result<()> {
/// let embedder = StaticEmbeddings::new(cache_dir()?);
/// let vectors = embedder.embed(&["a red bicycle".to_owned()]).await?;
/// assert_eq!(vectors[0].dimensions(), Some(256));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StaticEmbeddings {
    cache: PathBuf,
    model: Arc<OnceCell<Arc<Model>>>,
}

impl StaticEmbeddings {
    /// Creates an embedder whose model is in this cache. The first text loads the model, or downloads it.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), model: Arc::default() }
    }

    /// Returns true if the model need not be downloaded.
    #[must_use]
    pub fn is_downloaded(&self) -> bool {
        package::is_downloaded(&self.cache)
    }

    /// Loads the model, or downloads it first.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if there is no pip, uv or Python, or the download fails;
    /// [`is_conflict`](Error::is_conflict) if a file differs from the pinned one; [`is_io_failure`](Error::is_io_failure).
    pub async fn load(&self) -> Result<()> {
        self.model().await.map(drop)
    }

    async fn model(&self) -> Result<Arc<Model>> {
        let load = || async {
            let cache = self.cache.clone();
            let loaded = spawn_blocking(move || package::load(&cache)).await.map_err(|error| {
                Error::new(ErrorKind::Embeddings, "the thread that loads the embedding model panicked").caused_by(error)
            })?;
            Ok(Arc::new(loaded?))
        };
        self.model.get_or_try_init(load).await.cloned()
    }
}

impl Embedder for StaticEmbeddings {
    fn model(&self) -> &'static str {
        MODEL
    }

    fn min_cosine(&self, question: &str) -> Option<f64> {
        Some(if is_latin(question) { MIN_COSINE } else { 1.0 })
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        async move {
            let model = self.model().await?;
            embed_on_every_core(texts, move |text| model.embed(text)).await
        }
        .boxed()
    }
}

/// Returns true if most letters of a text are Latin. The vocabulary has few words of other scripts, and the vectors of their single
/// characters are near to each other, whatever they say.
fn is_latin(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    2 * letters.clone().filter(|&c| c < '\u{250}').count() >= letters.count()
}
