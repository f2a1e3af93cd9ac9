//! The one list of what an import writes of rows that come from outside.

use super::layout::{PEOPLE, TableLayout, WORKSPACES};
use super::row::Row;
use crate::error::{Error, Result};
use crate::sql_types::{Name, Slug};

/// Rows of a table, as far as an import writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// As they are; lines of another system may name the table, too.
    Plain,
    /// As they are, from an archive alone: administrators write them.
    Archived,
    /// From an archive and from lines, but at rest unless the operator says otherwise: they would run by themselves.
    AtRest,
    /// With the operator's word alone: no workspace may write them.
    Vouched,
    /// Never: they let somebody in.
    Credential,
}

/// The content of a table of this crate by its name, and of any other by whether a workspace may write it.
pub(super) fn of(table: &str, is_writable: bool) -> Content {
    match table {
        "analytics_events"
        | "chunk_reembeddings"
        | "conversations"
        | "datasources"
        | "document_chunks"
        | "documents"
        | "feedback"
        | "messages"
        | "webhook_subscriptions" => Content::Plain,
        PEOPLE | WORKSPACES | "audit_log" | "workspace_admins" | "workspace_settings" => Content::Archived,
        "job_schedules" | "jobs" => Content::AtRest,
        "service_tokens" => Content::Credential,
        _ if is_writable => Content::Plain,
        _ => Content::Vouched,
    }
}

/// The columns that an import sets by itself. It writes them also where an archive leaves them out, since a default would
/// stand there.
pub(super) fn set_here(table: &str) -> &'static [&'static str] {
    match table {
        WORKSPACES => &["slug", "is_active", "is_published"],
        "audit_log" => &["after", "occurred_at"],
        "job_schedules" => &["next_at"],
        "jobs" => &["status", "cancelled_at", "lease_token", "lease_expires_at", "heartbeat_at", "leased_by"],
        "workspace_admins" => &["joined_at", "invitation_hash", "invitation_expires_at"],
        _ => &[],
    }
}

/// Refuses texts that have a type of their own and are none of it, and entries of the audit log later than `now`, in
/// microseconds of PostgreSQL.
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
        return Err(Error::invalid("an entry of the audit log is of the future, or has no time"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_this_crate_is_decided_on() {
        for table in crate::tenancy::TENANT_TABLES {
            assert_ne!(of(table, false), Content::Vouched, "{table}");
        }
    }
}
