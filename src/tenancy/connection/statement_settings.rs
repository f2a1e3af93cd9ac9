//! Settings of the server for one statement.

use std::fmt::{Display, Write as _};

/// Settings of the server for one statement. They are sent with the `BEGIN` of its transaction. If a transaction is
/// already open, they are sent with the statement and reset afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementSettings {
    pub(super) set: String,
    pub(super) reset: String,
}

impl StatementSettings {
    /// Adds one setting. Neither name nor value may come from outside.
    pub(crate) fn and(mut self, name: &'static str, value: impl Display) -> Self {
        // Writing to a string can't fail.
        let _ = write!(self.set, "; SET LOCAL {name} = {value}");
        let _ = write!(self.reset, "; SET LOCAL {name} TO DEFAULT");
        self
    }
}
