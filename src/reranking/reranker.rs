//! The trait of all rerankers.

use futures_util::future::BoxFuture;

use crate::error::Result;

/// Model that scores how well passages answer a question.
///
/// ```
/// use futures_util::FutureExt as _;
/// use futures_util::future::BoxFuture;
/// use workspace_db::reranking::Reranker;
///
/// /// Prefers short passages.
/// struct Shortest;
///
/// impl Reranker for Shortest {
///     fn scores<'a>(&'a self, _: &'a str, passages: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<f64>>> {
///         let scores = passages.iter().map(|passage| -(passage.len() as f64)).collect();
///         async { Ok(scores) }.boxed()
///     }
/// }
/// ```
pub trait Reranker: Send + Sync {
    /// Returns one score for each passage, in their order. A higher one means a better answer; it must be finite.
    ///
    /// # Errors
    ///
    /// [`is_reranking_failure`](crate::Error::is_reranking_failure).
    fn scores<'a>(&'a self, question: &'a str, passages: &'a [String]) -> BoxFuture<'a, Result<Vec<f64>>>;
}
