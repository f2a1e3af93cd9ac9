//! The result of a load.

use serde::Serialize;

/// Result of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// Number of new documents.
    pub added: usize,
    /// Number of documents whose passages have changed.
    pub replaced: usize,
    /// Number of documents whose passages are the same.
    pub unchanged: usize,
    /// Number of documents skipped, because another document of the workspace has the same passages.
    pub duplicates: usize,
    /// Number of passages written.
    pub chunks: usize,
}

impl LoadReport {
    pub(super) fn add(&mut self, more: Self) {
        self.added += more.added;
        self.replaced += more.replaced;
        self.unchanged += more.unchanged;
        self.duplicates += more.duplicates;
        self.chunks += more.chunks;
    }
}
