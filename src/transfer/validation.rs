//! Validation of an archive's values that no constraint of a table checks.

use super::content::{PEOPLE, WORKSPACES};
use super::layout::TableLayout;
use super::row::Row;
use crate::error::{Error, Result};
use crate::sql_types::{Name, Slug};

/// Rejects invalid slugs and names. Also rejects audit entries without a time or with one later than `now`, in microseconds
/// of PostgreSQL.
pub(super) fn check(table: &TableLayout, row: &Row, now: i64) -> Result<()> {
    for (at, column) in table.columns.iter().enumerate() {
        let Some(text) = row.text(at) else { continue };
        match (table.name.as_str(), column.name.as_str()) {
            (WORKSPACES, "slug") => drop(text.parse::<Slug>()?),
            (WORKSPACES, "name") | (PEOPLE, "first_name" | "last_name") => drop(text.parse::<Name>()?),
            _ => {}
        }
    }
    let occurred_at = table.position("occurred_at").and_then(|at| row.time(at));
    if table.name == "audit_log" && occurred_at.is_none_or(|at| at > now) {
        return Err(Error::invalid("an entry of the audit log has no time, or a time in the future"));
    }
    Ok(())
}
