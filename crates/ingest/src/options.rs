//! The options of an ingestion.

use std::path::PathBuf;

use super::files::DEFAULT_MAX_BYTES;

/// Options of an ingestion.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folders and files. Each becomes a separate datasource.
    pub roots: Vec<PathBuf>,
    /// Maximum size of a file in bytes; larger files are skipped.
    pub max_bytes: u64,
}

impl IngestOptions {
    /// Creates options for these roots, with files up to [`DEFAULT_MAX_BYTES`].
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { roots: roots.into_iter().collect(), max_bytes: DEFAULT_MAX_BYTES }
    }
}
