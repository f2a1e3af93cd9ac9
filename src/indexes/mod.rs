//! Maintenance of the vector indexes: their status, retraining, and the recall of searches.
//!
//! `document_chunks` has two kinds of index. The shared index, IVFFlat over all vectors, answers queries that order by the
//! distance themselves; its lists reflect the data at the time of its build. A workspace with many chunks has an index of
//! its own, HNSW over the sign bits of its vectors, which [`search`](mod@crate::search) uses.

mod catalog;
mod retrain;
mod status;
mod vacuum;
mod verify;

pub use self::retrain::{IndexProgress, retrain};
pub use self::status::{IndexAction, IndexStatus, SharedIndex, WorkspaceIndex, status};
pub use self::vacuum::vacuum_after_load;
pub use self::verify::{Recall, VerifyOptions, verify};
