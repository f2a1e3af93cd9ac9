//! The options of an ingestion.

use std::path::PathBuf;

use super::files::DEFAULT_MAX_BYTES;
use super::split::SplitOptions;
use workspace_db::sql_types::LanguageTag;

/// Options of an ingestion.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Folders and files. Each becomes a separate datasource.
    pub roots: Vec<PathBuf>,
    /// Maximum size of a file in bytes; larger files are skipped. A DOCX file may have 32 times that, because of its pictures.
    pub max_bytes: u64,
    /// Sizes of the passages. Other sizes replace all documents.
    pub split: SplitOptions,
    /// Language of all files that do not name their own. Without it, the language of each file is detected; if that is not
    /// clear, it is the workspace's default. Unchanged files keep their language if the workspace's settings change.
    pub language: Option<LanguageTag>,
}

impl IngestOptions {
    /// Creates options for these roots, with files up to [`DEFAULT_MAX_BYTES`] and passages of the default sizes.
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            roots: roots.into_iter().collect(),
            max_bytes: DEFAULT_MAX_BYTES,
            split: SplitOptions::default(),
            language: None,
        }
    }
}
