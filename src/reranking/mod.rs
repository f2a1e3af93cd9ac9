//! Rerankers, which read a question and a passage together and score how well the passage answers it.
//!
//! A cross-encoder is slower and more exact than the vectors of both. So a search selects some tens of passages, and
//! [`SearchResults::rerank`](crate::search::SearchResults::rerank) orders them.

#[cfg(feature = "openai")]
mod endpoint;
mod reranker;
#[cfg(feature = "openai")]
mod response;

#[cfg(feature = "openai")]
pub use self::endpoint::{RerankEndpoint, RerankSettings};
pub use self::reranker::Reranker;
