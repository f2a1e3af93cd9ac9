//! The form of a mapping from a table of the old platform to one of the new.

/// Mapping of a table of the old platform to the table with the same name.
pub(super) struct TableMapping {
    pub(super) table: &'static str,
    /// Column that identifies the rows and gives their order.
    pub(super) key: &'static str,
    pub(super) columns: &'static [ColumnMapping],
    /// Rules by which a row is set aside.
    pub(super) refused: &'static [Rule],
    /// References to missing rows, which become NULL: the column, and the rule.
    pub(super) cleared: &'static [(&'static str, Rule)],
    /// Rows that are written with another value, and are set aside too: a condition on `o`, the old row, and the reason.
    pub(super) altered: &'static [(&'static str, &'static str)],
    /// Columns that are plain text in the source and sealed in the target.
    pub(super) sealed: &'static [&'static str],
    /// Columns that the target lacks, because the workspace has the same value. Differing values are set aside.
    pub(super) repeated: &'static [&'static str],
    /// Columns that refer to rows of other tables. If these are set aside, the row may have to be, too.
    pub(super) refers: &'static [(&'static str, &'static str)],
    /// Strategy that keeps repeated rows from violating each other's unique keys.
    pub(super) again: ReplayStrategy,
}

/// Rule by which a row is not copied as it is.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// SQL condition on `s`, the incoming row.
    pub(super) condition: &'static str,
    pub(super) reason: &'static str,
    /// True if the condition depends on other rows, so that it may change although this row does not.
    pub(super) is_relative: bool,
}

/// Creates a rule that depends on the row alone.
pub(super) const fn own(condition: &'static str, reason: &'static str) -> Rule {
    Rule { condition, reason, is_relative: false }
}

/// Creates a rule that also depends on other rows.
pub(super) const fn relative(condition: &'static str, reason: &'static str) -> Rule {
    Rule { condition, reason, is_relative: true }
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
#[derive(Clone, Copy)]
pub(super) struct ColumnMapping {
    pub(super) name: &'static str,
    pub(super) kind: ValueKind,
    /// Type of the column in the target.
    pub(super) target_type: &'static str,
    pub(super) null: NullValue,
    /// SQL expression on `o`, the old row; by default the column with the same name.
    pub(super) old: Option<&'static str>,
}

/// Kind of a column's values, which selects the conversion from the type in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Uuid,
    Text,
    /// Label of an enum, which arrives as text because the old platform has a different type.
    Label,
    Bool,
    Integer,
    Float,
    Time,
    Json,
    TextArray,
    Vector,
}

/// Meaning of NULL in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NullValue {
    /// NULL stays.
    Kept,
    /// The column gets this value, because the target has no NULL there.
    Becomes(&'static str),
    /// The column gets the time at which the row was inserted or last changed.
    Earlier,
    /// The row is set aside.
    Refused,
}

impl ColumnMapping {
    /// Returns the same mapping for a column that is NOT NULL in the target. NULL becomes `value`.
    pub(super) const fn or(self, value: &'static str) -> Self {
        Self { null: NullValue::Becomes(value), ..self }
    }

    /// Returns the same mapping for a column that is NOT NULL in the target. A row with NULL is set aside.
    pub(super) const fn required(self) -> Self {
        Self { null: NullValue::Refused, ..self }
    }

    /// Returns the same mapping for a time that is NOT NULL in the target.
    pub(super) const fn or_earlier(self) -> Self {
        Self { null: NullValue::Earlier, ..self }
    }

    /// Returns the same mapping with an SQL expression on `o`, which has the type of the target.
    pub(super) const fn from(self, old: &'static str) -> Self {
        Self { old: Some(old), ..self }
    }
}

const fn column(name: &'static str, kind: ValueKind, target_type: &'static str) -> ColumnMapping {
    ColumnMapping { name, kind, target_type, null: NullValue::Kept, old: None }
}

pub(super) const fn uuid(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Uuid, "uuid")
}

pub(super) const fn text(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Text, "text")
}

pub(super) const fn label(name: &'static str, of_type: &'static str) -> ColumnMapping {
    column(name, ValueKind::Label, of_type)
}

pub(super) const fn boolean(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Bool, "boolean")
}

pub(super) const fn integer(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Integer, "integer")
}

pub(super) const fn smallint(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Integer, "smallint")
}

pub(super) const fn float(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Float, "double precision")
}

pub(super) const fn time(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Time, "timestamptz")
}

pub(super) const fn json(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Json, "jsonb")
}

pub(super) const fn texts(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::TextArray, "text[]")
}

pub(super) const fn vector(name: &'static str) -> ColumnMapping {
    column(name, ValueKind::Vector, "vector")
}
