//! Search for passages of a workspace by vector, by full text, or by both.
//!
//! ```no_run
//! use workspace_db::schema::document_chunks;
//! use workspace_db::search::{Question, SearchChunks};
//! use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
//!
//! # async fn example(ws: &mut WorkspaceConnection, question: Question) -> workspace_db::Result<()> {
//! let chunks = document_chunks::table.in_workspace(&ws);
//! let answer = chunks.nearest(&question, 10).published(true).min_score(0.3).neighbours(1).run(ws).await?;
//! assert!(answer.returned == 10 || !answer.is_bounded(), "fewer than asked for are all that there are");
//! for hit in answer.hits {
//!     println!("{:.3} {} {}", hit.score, hit.title, hit.content);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How does vector search work?
//!
//! In a small workspace, every vector is compared ([`Plan::Exact`], below
//! [`SearchLimits::exact_below`](crate::config::SearchLimits::exact_below) chunks). A larger workspace uses sign bits:
//!
//! The sign bits of a vector take 192 bytes and show nearly as well as the vector which passages are near. An index
//! that stores only sign bits compares every chunk of the workspace, and the best candidates are rescored by cosine
//! ([`Plan::Bits`]). A workspace can have an approximate index of its own, which replaces this scan
//! ([`Plan::Approximate`]). It is an HNSW index on `vector_bits` with `bit_hamming_ops`, for that `workspace_id` only.
//! Its name is `document_chunks_near_` and the id in 32 hexadecimal digits.
//!
//! The search takes more candidates if too few pass the filters, or if a hit is in the worse half of the candidates.
//! [`SearchLimits::max_candidates`](crate::config::SearchLimits::max_candidates) limits their number, and every
//! result reports it. [`Search::exact`] compares all vectors.

mod builder;
mod excerpt;
mod filter;
mod full_text;
mod fusion;
mod messages;
mod mmr;
mod nearest;
mod neighbours;
mod plan;
mod question;
mod rerank;
mod rescored;
mod results;
mod scored_passage;
mod selection;
mod sources;
mod statement;
mod text_query;

pub use self::builder::{MAX_K, MAX_METADATA, MAX_NEIGHBOURS, Search, SearchChunks};
pub use self::messages::{MessageHit, MessageSearch, MessageSearchResults};
pub use self::plan::{OWN_INDEX, Plan, own_index};
pub use self::question::Question;
pub use self::results::{ExcerptPart, Hit, HitRank, Neighbour, RetrievalStats, SearchResults};
pub use self::text_query::{MAX_TEXT, MAX_WORDS};
