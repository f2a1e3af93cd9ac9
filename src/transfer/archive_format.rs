//! The format of archives: its name and version, and the names and limits of the files.

pub(super) const FORMAT: &str = "workspace-db archive";
/// Version of the format. The schema has its own version.
pub(super) const VERSION: u32 = 1;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SUMS: &str = "SHA256SUMS";

/// Number of bytes after which a file of rows is complete.
pub(super) const PART_BYTES: usize = 8 << 20;
/// Maximum size of a row as a line, in bytes. A row is in memory several times, so a larger one can't be streamed.
pub(super) const MAX_ROW_BYTES: u64 = 64 << 20;
/// Maximum size of a file of rows: an almost full one and the largest row after it.
pub(super) const MAX_PART_BYTES: u64 = PART_BYTES as u64 + MAX_ROW_BYTES;
/// Maximum factor by which compression may shrink a file.
pub(super) const MAX_RATIO: usize = 100;
