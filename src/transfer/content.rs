//! The single list of tables and of how an import treats their rows.

/// Table of the workspaces. An archive contains one row of it.
pub(super) const WORKSPACES: &str = "workspaces";
/// Table of the administrators. An archive contains the identity of those that its rows name, and no credentials.
pub(super) const PEOPLE: &str = "admin_users";

/// Table of the passages, whose vectors are of models.
pub(super) const CHUNKS: &str = "document_chunks";

/// Treatment of a table's rows by an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Written unchanged, from archives and from lines of another system.
    Plain,
    /// Written unchanged, but only from an archive, because administrators write these rows.
    Archived,
    /// Written from archives and lines, but suspended unless the operator decides otherwise: they would run by themselves.
    AtRest,
    /// Written only if the operator vouches for them, because no workspace may write them.
    Vouched,
    /// Never written, because they grant access.
    Credential,
}

/// Returns the treatment of a table of this crate by its name, and of others by `is_writable`: a workspace may write them.
pub(super) fn of(table: &str, is_writable: bool) -> Content {
    match table {
        "analytics_events"
        | "chunk_reembeddings"
        | "conversations"
        | "datasources"
        | CHUNKS
        | "documents"
        | "feedback"
        | "message_deltas"
        | "message_sources"
        | "messages"
        | "model_calls"
        | "webhook_subscriptions" => Content::Plain,
        PEOPLE | WORKSPACES | "audit_log" | "workspace_admins" | "workspace_settings" => Content::Archived,
        "job_schedules" | "jobs" => Content::AtRest,
        "service_tokens" => Content::Credential,
        _ if is_writable => Content::Plain,
        _ => Content::Vouched,
    }
}

/// Returns the columns that an import sets by itself. It also writes them if an archive omits them, because they would
/// otherwise get their default.
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
