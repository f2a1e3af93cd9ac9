//! The progress that a transfer reports.

/// Progress of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferProgress {
    /// Current step.
    pub step: TransferStep,
    /// Number of rows processed in this step.
    pub rows: u64,
    /// Total number of rows of this step.
    pub of: u64,
}

/// Step of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// Export of rows from the database into an archive.
    Exporting,
    /// Check of the archive, before anything is written.
    Checking,
    /// Insertion of rows.
    Importing,
    /// Comparison of the written rows with the expected ones.
    Verifying,
    /// Deletion of rows.
    Erasing,
}
