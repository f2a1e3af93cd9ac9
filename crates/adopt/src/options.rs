//! Options of an adoption.

/// Treatment of columns that the old package does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownColumns {
    /// The adoption is refused.
    #[default]
    Refuse,
    /// Their values become keys of `metadata`, in a table that has it. In other tables they are set aside.
    Metadata,
    /// The rows that have values there are adopted, and the old rows are set aside too.
    SetAside,
}

/// Treatment of vectors with 3072 dimensions of the model `text-embedding-3-large`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongVectors {
    /// The first 1536 dimensions are kept and normalized, which is what the model returns for 1536 dimensions.
    #[default]
    Shorten,
    /// The passages are set aside with their texts.
    SetAside,
}
