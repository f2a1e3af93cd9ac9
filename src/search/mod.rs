//! The passages of a workspace that are nearest to a question, or share its words, or both.
//!
//! ```no_run
//! use workspace_db::schema::document_chunks;
//! use workspace_db::search::{Question, SearchChunks};
//! use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
//!
//! # async fn example(ws: &mut WorkspaceConnection, scope: &WorkspaceScope, question: Question) -> workspace_db::Result<()> {
//! let chunks = document_chunks::table.in_workspace(scope);
//! let answer = chunks.nearest(&question, 10).published(true).min_score(0.3).neighbours(1).run(ws).await?;
//! assert!(answer.returned == 10 || !answer.is_bounded(), "fewer than asked for are all that there are");
//! for hit in answer.hits {
//!     println!("{:.3} {} {}", hit.score, hit.title, hit.content);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How the list by vector is made
//!
//! Of a small workspace every vector is compared ([`Plan::Exact`], below
//! [`SearchLimits::exact_below`](crate::config::SearchLimits::exact_below) chunks). Of a larger one not:
//!
//! The signs of a vector's components, 192 bytes, tell nearly as well as the vector which passages are near. So every
//! chunk of the workspace is compared by its signs, in an index that holds nothing else, and the best of them again by
//! cosine ([`Plan::Bits`]). A workspace that has an approximate index of its own asks that instead ([`Plan::Approximate`]):
//! an HNSW index on `vector_bits` with `bit_hamming_ops`, for that `workspace_id` alone, named `document_chunks_near_` and
//! the id in 32 hexadecimal digits. Where too few candidates pass the filters, or a hit stands
//! among the worse half of the candidates, more are taken, up to [`SearchLimits::most_candidates`](crate::config::SearchLimits::most_candidates); every answer says so.
//! [`Search::exact`] compares all vectors.

mod builder;
mod filter;
mod full_text;
mod mmr;
mod nearest;
mod plan;
mod question;
mod reranked;
mod results;
mod scored_passage;

pub use self::builder::{MAX_K, MAX_METADATA, MAX_NEIGHBOURS, Search, SearchChunks};
pub use self::full_text::{MAX_TEXT, MAX_WORDS};
pub use self::plan::Plan;
pub(crate) use self::plan::{OWN_INDEX, own_index};
pub use self::question::Question;
pub use self::results::{Hit, HitRank, Neighbour, RetrievalStats, SearchResults};
