//! Defects that the suite reports.

use std::fmt;

/// A defect that lets one workspace reach another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The table, role, key or function.
    pub object: String,
    /// Description of the defect.
    pub fault: String,
    /// True if [`fit_to_serve`](workspace_db::doctor::fit_to_serve) refuses to serve, because a session could see or change another
    /// workspace's rows.
    pub is_grave: bool,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.fault)
    }
}
