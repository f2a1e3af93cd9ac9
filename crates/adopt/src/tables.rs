//! The mapping of the old platform's tables and columns, and the reasons to set rows aside.

use super::mapping::{ColumnMapping, ReplayStrategy, TableMapping, label, made, same};

const ID: ColumnMapping = same("id", "uuid");
const WORKSPACE: ColumnMapping = same("workspace_id", "uuid");
const CREATED: ColumnMapping = same("created_at", "timestamptz");
const UPDATED: ColumnMapping = same("updated_at", "timestamptz");

const NO_WORKSPACE: (&str, &str) = (
    "NOT EXISTS (SELECT FROM workspaces w WHERE w.id = s.workspace_id)",
    "it has no workspace, or its workspace was not adopted",
);
/// Condition that the row names an administrator that does not exist, in any workspace.
const NOBODY: &str =
    "s.admin_user_id IS NOT NULL AND NOT EXISTS (SELECT FROM admin_users a WHERE a.id = s.admin_user_id)";

const NOTHING: TableMapping = TableMapping {
    table: "",
    key: "id",
    columns: &[],
    refused: &[],
    cleared: &[],
    sealed: &[],
    repeated: &[],
    refers: &[],
    again: ReplayStrategy::Over,
};

/// Mappings of all tables, parents before children.
pub(super) const TABLES: &[TableMapping] = &[
    TableMapping {
        table: "admin_users",
        columns: &[
            ID,
            same("email", "text"),
            same("password_hash", "text"),
            same("first_name", "text"),
            same("last_name", "text"),
            label("role", "admin_role"),
            label("status", "admin_status"),
            same("last_login_at", "timestamptz"),
            CREATED,
            UPDATED,
        ],
        refused: &[(r"s.password_hash !~ '^\$(argon2id|2[abxy])\$'", "its password is not a bcrypt or argon2id hash")],
        again: ReplayStrategy::Parked { assignment: "email = id::text", is_taken: "false" },
        ..NOTHING
    },
    TableMapping {
        table: "workspaces",
        columns: &[
            ID,
            same("slug", "text"),
            same("name", "text"),
            same("description", "text"),
            made("default_language", "o.default_language::text", "text"),
            same("is_active", "boolean"),
            same("is_published", "boolean"),
            made("confidence_threshold", "o.confidence_threshold::float8", "double precision"),
            CREATED,
            UPDATED,
        ],
        refused: &[("s.id = '00000000-0000-0000-0000-000000000000'", "its id is reserved for the platform")],
        again: ReplayStrategy::Parked { assignment: "slug = id::text", is_taken: "false" },
        ..NOTHING
    },
    TableMapping {
        table: "workspace_settings",
        key: "workspace_id",
        columns: &[
            WORKSPACE,
            same("tone", "text"),
            same("primary_color", "text"),
            same("accent_color", "text"),
            same("background_color", "text"),
            same("welcome_message", "text"),
            same("logo_url", "text"),
            same("banner_url", "text"),
            same("support_email", "text"),
            made("fallback_language", "o.fallback_language::text", "text"),
            same("watermark_enabled", "boolean"),
            same("webhook_url", "text"),
            made("webhook_events", "ARRAY(SELECT one FROM unnest(o.webhook_events) AS one WHERE one IS NOT NULL)", "text[]"),
            made("temperature", "o.temperature::float8", "double precision"),
            same("metadata", "jsonb"),
            CREATED,
            UPDATED,
        ],
        refused: &[NO_WORKSPACE],
        sealed: &["webhook_secret"],
        repeated: &["default_language", "confidence_threshold", "is_published"],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "workspace_admins",
        columns: &[
            ID,
            WORKSPACE,
            same("admin_user_id", "uuid"),
            label("role", "admin_role"),
            same("invited_at", "timestamptz"),
            same("joined_at", "timestamptz"),
            CREATED,
        ],
        refused: &[NO_WORKSPACE, (NOBODY, "its administrator was not adopted")],
        refers: &[("admin_user_id", "admin_users")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "datasources",
        columns: &[
            ID,
            WORKSPACE,
            same("name", "text"),
            same("description", "text"),
            label("type", "datasource_type"),
            same("config", "jsonb"),
            label("sync_status", "datasource_sync_status"),
            same("sync_cursor", "text"),
            same("error_message", "text"),
            same("is_managed", "boolean"),
            same("last_synced_at", "timestamptz"),
            CREATED,
            UPDATED,
        ],
        refused: &[NO_WORKSPACE],
        ..NOTHING
    },
    TableMapping {
        table: "documents",
        columns: &[
            ID,
            WORKSPACE,
            same("datasource_id", "uuid"),
            same("external_id", "text"),
            same("title", "text"),
            same("slug", "text"),
            same("summary", "text"),
            same("content_hash", "text"),
            same("metadata", "jsonb"),
            label("status", "document_status"),
            same("is_published", "boolean"),
            CREATED,
            UPDATED,
        ],
        refused: &[
            NO_WORKSPACE,
            (
                "s.status NOT IN ('draft', 'processing', 'ready', 'archived', 'error')",
                "its status is unknown",
            ),
        ],
        cleared: &[(
            "datasource_id",
            "NOT EXISTS (SELECT FROM datasources d WHERE d.workspace_id = s.workspace_id AND d.id = s.datasource_id)",
            "its datasource belongs to another workspace, or was not adopted",
        )],
        refers: &[("datasource_id", "datasources")],
        again: ReplayStrategy::Parked {
            assignment: "external_id = NULL",
            is_taken: "s.external_id IS NOT NULL AND (EXISTS (
                SELECT FROM documents d WHERE d.workspace_id = s.workspace_id AND d.external_id = s.external_id AND d.id <> s.id
                    AND d.datasource_id IS NOT DISTINCT FROM (
                        SELECT x.id FROM datasources x WHERE x.workspace_id = s.workspace_id AND x.id = s.datasource_id)
            ) OR EXISTS (
                SELECT FROM workspace_db_adopting e WHERE e.workspace_id = s.workspace_id AND e.external_id = s.external_id
                    AND e.datasource_id IS NOT DISTINCT FROM s.datasource_id AND e.id < s.id
            ))",
        },
        ..NOTHING
    },
    TableMapping {
        table: "document_chunks",
        columns: &[
            ID,
            WORKSPACE,
            same("document_id", "uuid"),
            same("chunk_index", "integer"),
            same("content", "text"),
            same("token_count", "integer"),
            same("embedding_model", "text"),
            same("vector", "vector"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            (
                "NOT EXISTS (SELECT FROM documents d WHERE d.workspace_id = s.workspace_id AND d.id = s.document_id)",
                "its document belongs to another workspace, or was not adopted",
            ),
            ("s.vector IS NULL OR vector_dims(s.vector) <> 1536", "its vector does not have 1536 dimensions"),
            ("vector_norm(s.vector) NOT BETWEEN 1e-15 AND 1e15", "its vector is too short or too long to be compared with another"),
        ],
        refers: &[("document_id", "documents")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "conversations",
        columns: &[
            ID,
            WORKSPACE,
            same("external_user_id", "text"),
            same("title", "text"),
            label("status", "conversation_status"),
            same("metadata", "jsonb"),
            same("first_message_at", "timestamptz"),
            same("last_message_at", "timestamptz"),
            CREATED,
            UPDATED,
            same("closed_at", "timestamptz"),
        ],
        refused: &[NO_WORKSPACE],
        ..NOTHING
    },
    TableMapping {
        table: "messages",
        columns: &[
            ID,
            WORKSPACE,
            same("conversation_id", "uuid"),
            label("role", "message_role"),
            same("content", "text"),
            same("tokens", "integer"),
            made("confidence", "o.confidence::float8", "double precision"),
            same("metadata", "jsonb"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            (
                "NOT EXISTS (SELECT FROM conversations c WHERE c.workspace_id = s.workspace_id AND c.id = s.conversation_id)",
                "its conversation belongs to another workspace, or was not adopted",
            ),
        ],
        refers: &[("conversation_id", "conversations")],
        ..NOTHING
    },
    TableMapping {
        table: "feedback",
        columns: &[
            ID,
            WORKSPACE,
            same("message_id", "uuid"),
            same("admin_user_id", "uuid"),
            same("score", "smallint"),
            same("label", "text"),
            same("comment", "text"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            (
                "NOT EXISTS (SELECT FROM messages m WHERE m.workspace_id = s.workspace_id AND m.id = s.message_id)",
                "its message belongs to another workspace, or was not adopted",
            ),
        ],
        cleared: &[("admin_user_id", NOBODY, "its administrator was not adopted")],
        refers: &[("message_id", "messages"), ("admin_user_id", "admin_users")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "analytics_events",
        columns: &[
            ID,
            WORKSPACE,
            same("conversation_id", "uuid"),
            same("message_id", "uuid"),
            same("event_type", "text"),
            same("user_identifier", "text"),
            same("source", "text"),
            same("properties", "jsonb"),
            same("occurred_at", "timestamptz"),
            CREATED,
        ],
        refused: &[NO_WORKSPACE],
        cleared: &[
            (
                "conversation_id",
                "NOT EXISTS (SELECT FROM conversations c WHERE c.workspace_id = s.workspace_id AND c.id = s.conversation_id)",
                "its conversation belongs to another workspace, or was not adopted",
            ),
            (
                "message_id",
                "NOT EXISTS (SELECT FROM messages m WHERE m.workspace_id = s.workspace_id AND m.id = s.message_id)",
                "its message belongs to another workspace, or was not adopted",
            ),
        ],
        refers: &[("conversation_id", "conversations"), ("message_id", "messages")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "webhook_subscriptions",
        columns: &[
            ID,
            WORKSPACE,
            same("url", "text"),
            made("events", "ARRAY(SELECT one FROM unnest(o.events) AS one WHERE one IS NOT NULL)", "text[]"),
            same("headers", "jsonb"),
            same("is_active", "boolean"),
            CREATED,
            UPDATED,
        ],
        refused: &[NO_WORKSPACE],
        sealed: &["secret"],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    // The new queue has stricter states: a running job is queued again, and an ended job has the time at which it ended.
    TableMapping {
        table: "jobs",
        columns: &[
            ID,
            WORKSPACE,
            same("job_type", "text"),
            ColumnMapping {
                name: "status",
                old: Some("CASE o.status::text WHEN 'running' THEN 'queued' ELSE o.status::text END"),
                comes_as: "text",
                is_written_as: "job_status",
            },
            same("payload", "jsonb"),
            made("attempts", "greatest(o.attempts, 0)", "integer"),
            made(
                "max_attempts",
                "least(greatest(o.max_attempts, greatest(o.attempts, 0) + (o.status::text IN ('queued', 'running'))::integer, 1), 1000)",
                "integer",
            ),
            same("priority", "integer"),
            made("scheduled_at", "coalesce(o.scheduled_at, o.created_at)", "timestamptz"),
            same("started_at", "timestamptz"),
            made(
                "completed_at",
                "CASE o.status::text WHEN 'completed' THEN coalesce(o.completed_at, o.updated_at) END",
                "timestamptz",
            ),
            made(
                "failed_at",
                "CASE o.status::text WHEN 'failed' THEN coalesce(o.failed_at, o.updated_at) ELSE o.failed_at END",
                "timestamptz",
            ),
            made(
                "last_error",
                "CASE o.status::text WHEN 'failed' THEN coalesce(o.last_error, 'the reason was not kept') ELSE o.last_error END",
                "text",
            ),
            made("cancelled_at", "CASE o.status::text WHEN 'cancelled' THEN o.updated_at END", "timestamptz"),
            CREATED,
            UPDATED,
        ],
        refused: &[
            NO_WORKSPACE,
            ("length(s.job_type) NOT BETWEEN 1 AND 100", "its kind is empty, or has more than 100 characters"),
            ("pg_column_size(s.payload) > 1048576", "its arguments are larger than a megabyte"),
            ("s.attempts > 999", "it has more attempts than a job can have"),
        ],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
];
