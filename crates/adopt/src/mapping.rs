//! The form of a mapping from a table of the old platform to one of the new.

/// Mapping of a table of the old platform to the table with the same name.
pub(super) struct TableMapping {
    pub(super) table: &'static str,
    /// Column that identifies the rows and gives their order.
    pub(super) key: &'static str,
    pub(super) columns: &'static [ColumnMapping],
    /// Reasons to set a row aside: a condition on `s`, the incoming row, and the reason.
    pub(super) refused: &'static [(&'static str, &'static str)],
    /// References to missing rows, which become NULL: the column, a condition on `s` and the reason.
    pub(super) cleared: &'static [(&'static str, &'static str, &'static str)],
    /// Columns that are plain text in the source and sealed in the target.
    pub(super) sealed: &'static [&'static str],
    /// Columns that the target lacks, because the workspace has the same value. Differing values are set aside.
    pub(super) repeated: &'static [&'static str],
    /// Columns that refer to rows of other tables. If these are set aside, the row may have to be, too.
    pub(super) refers: &'static [(&'static str, &'static str)],
    /// Strategy that keeps repeated rows from violating each other's unique keys.
    pub(super) again: ReplayStrategy,
}

/// First step for rows that come again. Otherwise two rows that have exchanged a unique key would conflict.
#[derive(Clone, Copy)]
pub(super) enum ReplayStrategy {
    /// No step, because the table has no other unique key.
    Over,
    /// Deletion of the rows, because nothing refers to them.
    Anew,
    /// Assignment of a temporary key. A row is set aside if another row permanently has its key.
    Parked { assignment: &'static str, is_taken: &'static str },
}

/// Mapping of a column.
pub(super) struct ColumnMapping {
    pub(super) name: &'static str,
    /// SQL expression on `o`, the old row; by default the column with the same name.
    pub(super) old: Option<&'static str>,
    /// Type in which the value arrives.
    pub(super) comes_as: &'static str,
    /// Type in which the value is written.
    pub(super) is_written_as: &'static str,
}

/// Maps a column that is copied as it is.
pub(super) const fn same(name: &'static str, of_type: &'static str) -> ColumnMapping {
    ColumnMapping { name, old: None, comes_as: of_type, is_written_as: of_type }
}

/// Maps an enum, whose labels arrive as text because the old platform has a different type.
pub(super) const fn label(name: &'static str, of_type: &'static str) -> ColumnMapping {
    ColumnMapping { name, old: None, comes_as: "text", is_written_as: of_type }
}

/// Maps a column to an SQL expression on `o`, the old row.
pub(super) const fn made(name: &'static str, old: &'static str, of_type: &'static str) -> ColumnMapping {
    ColumnMapping { name, old: Some(old), comes_as: of_type, is_written_as: of_type }
}
