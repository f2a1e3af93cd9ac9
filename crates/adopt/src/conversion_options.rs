//! Options that the conversion of a column depends on.

/// Options of a source that its conversions depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConversionOptions {
    /// True if the source has pgvector's functions that shorten a vector.
    pub(super) can_shorten: bool,
    /// True if unknown columns go into the metadata.
    pub(super) keeps_unknown: bool,
}
