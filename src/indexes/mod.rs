//! Upkeep of the vector indexes: how they stand, bringing them up to date, and measuring what searches find.
//!
//! Two kinds of index stand on `document_chunks`. The shared one, IVFFlat over all vectors, answers a query that orders by
//! the distance itself; it knows the data that was there when it was built. And a workspace of many chunks has one
//! of its own, HNSW over the signs of its vectors, which [`search`](mod@crate::search) uses.

mod catalog;
mod retrain;
mod status;
mod verify;

pub use self::retrain::{IndexProgress, retrain};
pub use self::status::{IndexAction, IndexStatus, SharedIndex, WorkspaceIndex, status};
pub use self::verify::{Recall, VerifyOptions, verify};
