//! The options of an ingestion.

use std::path::PathBuf;

use super::files::DEFAULT_MAX_BYTES;
use super::split::OVERLAP_TOKENS;

/// Options of an ingestion.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folders and files. Each becomes a separate datasource.
    pub roots: Vec<PathBuf>,
    /// Maximum size of a file in bytes; larger files are skipped.
    pub max_bytes: u64,
    /// Maximum part of a passage that the next one repeats, in tokens. Another value replaces all documents.
    pub overlap_tokens: usize,
}

impl IngestOptions {
    /// Creates options for these roots, with files up to [`DEFAULT_MAX_BYTES`] and an overlap of
    /// [`OVERLAP_TOKENS`].
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { roots: roots.into_iter().collect(), max_bytes: DEFAULT_MAX_BYTES, overlap_tokens: OVERLAP_TOKENS }
    }
}
