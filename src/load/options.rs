//! The options of a load.

use crate::id::DatasourceId;

/// Options of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Datasource of the documents.
    pub datasource: DatasourceId,
    /// True if the load commits everything or nothing. Otherwise it commits about every thousand passages, and an
    /// interrupted load resumes when it is run again.
    pub all_or_nothing: bool,
    /// True if the load keeps a document although another document of the workspace has the same passages.
    pub keep_duplicates: bool,
}

impl LoadOptions {
    /// Creates options that commit batch by batch and skip duplicates.
    #[must_use]
    pub fn new(datasource: DatasourceId) -> Self {
        Self { datasource, all_or_nothing: false, keep_duplicates: false }
    }
}
