//! The mapping of the old platform's tables and columns, and the reasons to set rows aside.

use super::mapping::{
    ColumnMapping, ReplayStrategy, Rule, TableMapping, boolean, float, integer, json, label, own, relative, smallint,
    text, texts, time, uuid, vector,
};

const ID: ColumnMapping = uuid("id");
const WORKSPACE: ColumnMapping = uuid("workspace_id");
const CREATED: ColumnMapping = time("created_at").or_earlier();
const UPDATED: ColumnMapping = time("updated_at").or_earlier();

const NO_WORKSPACE: Rule = relative(
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
    altered: &[],
    sealed: &[],
    repeated: &[],
    refers: &[],
    again: ReplayStrategy::Over,
};

/// Condition on an old job that has no place among the new queue's states as it is.
pub(super) const IS_INCOMPLETE_JOB: &str = "o.status::text = 'completed' AND o.completed_at IS NULL
    OR o.status::text <> 'completed' AND o.completed_at IS NOT NULL
    OR o.status::text = 'failed' AND (o.failed_at IS NULL OR o.last_error IS NULL)
    OR o.attempts < 0 OR o.attempts > o.max_attempts OR o.max_attempts NOT BETWEEN 1 AND 1000 OR o.scheduled_at IS NULL
    OR o.status::text IN ('queued', 'running') AND o.attempts >= o.max_attempts";
/// Condition that a password hash can't be verified: it is none, it is cut off, or it would take too long.
pub(super) const IS_NO_HASH: &str = r"s.password_hash !~ '^\$2[abxy]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$' AND s.password_hash !~ '^\$argon2id\$v=\d+\$m=([1-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-6]),t=[1-6],p=[1-4]\$[+/A-Za-z0-9]+\$[+/A-Za-z0-9]+$'";

/// Condition that the language of an old workspace is not a language tag.
pub(super) const HAS_NO_LANGUAGE: &str =
    "coalesce(o.default_language::text, '') !~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'";
/// Condition that the threshold of an old workspace is none.
pub(super) const HAS_NO_THRESHOLD: &str = "(o.confidence_threshold BETWEEN 0 AND 1) IS NOT TRUE";

/// Mappings of all tables, parents before children.
pub(super) const TABLES: &[TableMapping] = &[
    TableMapping {
        table: "admin_users",
        columns: &[
            ID,
            text("email").required(),
            text("password_hash").required(),
            text("first_name"),
            text("last_name"),
            label("role", "admin_role").or("admin"),
            label("status", "admin_status").or("disabled"),
            time("last_login_at"),
            CREATED,
            UPDATED,
        ],
        refused: &[own(
            IS_NO_HASH,
            "its password is not a bcrypt or argon2id hash that can be verified",
        )],
        again: ReplayStrategy::Parked {
            assignment: "email = id::text",
            is_taken: "EXISTS (SELECT FROM admin_users a WHERE lower(a.email) = lower(s.email) AND a.id <> s.id)
                OR EXISTS (SELECT FROM workspace_db_adopting e WHERE lower(e.email) = lower(s.email) AND e.id < s.id)",
        },
        ..NOTHING
    },
    TableMapping {
        table: "workspaces",
        columns: &[
            ID,
            text("slug").required(),
            text("name").required(),
            text("description"),
            text("default_language").from(
                "CASE WHEN replace(o.default_language::text, '_', '-') ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'
                    THEN replace(o.default_language::text, '_', '-') ELSE 'en' END",
            ),
            boolean("is_active").or("false"),
            boolean("is_published").or("false"),
            float("confidence_threshold").from(
                "CASE WHEN o.confidence_threshold::float8 BETWEEN 0 AND 1 THEN o.confidence_threshold::float8 ELSE 0.7 END",
            ),
            CREATED,
            UPDATED,
        ],
        refused: &[own("s.id = '00000000-0000-0000-0000-000000000000'", "its id is reserved for the platform")],
        altered: &[
            (HAS_NO_LANGUAGE, "its default_language is not a language tag; the new row has the nearest tag, or en"),
            (HAS_NO_THRESHOLD, "its confidence_threshold is not between 0 and 1; the new row has 0.7"),
        ],
        again: ReplayStrategy::Parked {
            assignment: "slug = id::text",
            is_taken: "EXISTS (SELECT FROM workspaces w WHERE w.slug = s.slug AND w.id <> s.id)
                OR EXISTS (SELECT FROM workspace_db_adopting e WHERE e.slug = s.slug AND e.id < s.id)",
        },
        ..NOTHING
    },
    TableMapping {
        table: "workspace_settings",
        key: "workspace_id",
        columns: &[
            WORKSPACE,
            text("tone"),
            text("primary_color"),
            text("accent_color"),
            text("background_color"),
            text("welcome_message"),
            text("logo_url"),
            text("banner_url"),
            text("support_email"),
            text("fallback_language"),
            boolean("watermark_enabled").or("false"),
            text("webhook_url"),
            texts("webhook_events").or("{}"),
            float("temperature"),
            json("metadata").or("{}"),
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
            uuid("admin_user_id").required(),
            label("role", "admin_role").or("admin"),
            time("invited_at").or_earlier(),
            time("joined_at"),
            CREATED,
        ],
        refused: &[NO_WORKSPACE, relative(NOBODY, "its administrator was not adopted")],
        refers: &[("admin_user_id", "admin_users")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "datasources",
        columns: &[
            ID,
            WORKSPACE,
            text("name").required(),
            text("description"),
            label("type", "datasource_type").required(),
            json("config").or("{}"),
            label("sync_status", "datasource_sync_status").or("idle"),
            text("sync_cursor"),
            text("error_message"),
            boolean("is_managed").or("true"),
            time("last_synced_at"),
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
            uuid("datasource_id"),
            text("external_id"),
            text("title").required(),
            text("slug"),
            text("summary"),
            text("content_hash"),
            json("metadata").or("{}"),
            label("status", "document_status").or("draft"),
            boolean("is_published").or("false"),
            CREATED,
            UPDATED,
        ],
        refused: &[NO_WORKSPACE],
        cleared: &[(
            "datasource_id",
            relative(
                "NOT EXISTS (SELECT FROM datasources d WHERE d.workspace_id = s.workspace_id AND d.id = s.datasource_id)",
                "its datasource belongs to another workspace, or was not adopted",
            ),
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
            uuid("document_id").required(),
            integer("chunk_index").required(),
            text("content").required(),
            integer("token_count"),
            text("embedding_model").or("text-embedding-3-large"),
            vector("vector").required(),
            json("metadata").or("{}"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            relative(
                "NOT EXISTS (SELECT FROM documents d WHERE d.workspace_id = s.workspace_id AND d.id = s.document_id)",
                "its document belongs to another workspace, or was not adopted",
            ),
            own(
                "vector_norm(s.vector) NOT BETWEEN 1e-15 AND 1e15",
                "its vector is too short or too long to be compared with another",
            ),
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
            text("external_user_id"),
            text("title"),
            label("status", "conversation_status").or("open"),
            json("metadata").or("{}"),
            time("first_message_at"),
            time("last_message_at"),
            CREATED,
            UPDATED,
            time("closed_at"),
        ],
        refused: &[NO_WORKSPACE],
        ..NOTHING
    },
    TableMapping {
        table: "messages",
        columns: &[
            ID,
            WORKSPACE,
            uuid("conversation_id").required(),
            label("role", "message_role").required(),
            text("content").required(),
            integer("tokens"),
            float("confidence"),
            json("metadata").or("{}"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            relative(
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
            uuid("message_id").required(),
            uuid("admin_user_id"),
            smallint("score").or("0"),
            text("label"),
            text("comment"),
            CREATED,
        ],
        refused: &[
            NO_WORKSPACE,
            relative(
                "NOT EXISTS (SELECT FROM messages m WHERE m.workspace_id = s.workspace_id AND m.id = s.message_id)",
                "its message belongs to another workspace, or was not adopted",
            ),
        ],
        cleared: &[("admin_user_id", relative(NOBODY, "its administrator was not adopted"))],
        altered: &[("o.score IS NULL", "it had no score, and the new row has 0")],
        refers: &[("message_id", "messages"), ("admin_user_id", "admin_users")],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
    TableMapping {
        table: "analytics_events",
        columns: &[
            ID,
            WORKSPACE,
            uuid("conversation_id"),
            uuid("message_id"),
            text("event_type").required(),
            text("user_identifier"),
            text("source"),
            json("properties").or("{}"),
            time("occurred_at").or_earlier(),
            CREATED,
        ],
        refused: &[NO_WORKSPACE],
        cleared: &[
            (
                "conversation_id",
                relative(
                    "NOT EXISTS (SELECT FROM conversations c WHERE c.workspace_id = s.workspace_id AND c.id = s.conversation_id)",
                    "its conversation belongs to another workspace, or was not adopted",
                ),
            ),
            (
                "message_id",
                relative(
                    "NOT EXISTS (SELECT FROM messages m WHERE m.workspace_id = s.workspace_id AND m.id = s.message_id)",
                    "its message belongs to another workspace, or was not adopted",
                ),
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
            text("url").required(),
            texts("events").or("{}"),
            json("headers").or("{}"),
            boolean("is_active").or("false"),
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
            text("job_type").required(),
            label("status", "job_status")
                .from("CASE o.status::text WHEN 'running' THEN 'queued' ELSE coalesce(o.status::text, 'queued') END")
                .required(),
            json("payload").or("{}"),
            integer("attempts").from("least(greatest(o.attempts, 0), 1000)"),
            integer("max_attempts").from(
                "least(greatest(o.max_attempts, least(greatest(o.attempts, 0), 1000) + (o.status::text IN ('queued', 'running'))::integer, 1), 1000)",
            ),
            integer("priority").or("5"),
            time("scheduled_at").from("coalesce(o.scheduled_at, o.created_at, 'epoch')"),
            time("started_at"),
            time("completed_at").from(
                "CASE o.status::text WHEN 'completed' THEN coalesce(o.completed_at, o.updated_at, o.created_at, 'epoch') END",
            ),
            time("failed_at").from(
                "CASE o.status::text WHEN 'failed' THEN coalesce(o.failed_at, o.updated_at, o.created_at, 'epoch') ELSE o.failed_at END",
            ),
            text("last_error").from(
                "CASE o.status::text WHEN 'failed' THEN coalesce(o.last_error, 'the reason was not kept') ELSE o.last_error END",
            ),
            time("cancelled_at")
                .from("CASE o.status::text WHEN 'cancelled' THEN coalesce(o.updated_at, o.created_at, 'epoch') END"),
            CREATED,
            UPDATED,
        ],
        refused: &[
            NO_WORKSPACE,
            own("length(s.job_type) NOT BETWEEN 1 AND 100", "its kind is empty, or has more than 100 characters"),
            own("octet_length(s.payload::text) > 1048576", "its arguments are longer than a megabyte as text"),
            own("s.attempts > 999", "it has more attempts than a job can have"),
        ],
        altered: &[
            ("o.status::text = 'running'", "it was running, and is queued again because its worker is unknown"),
            (IS_INCOMPLETE_JOB, "it lacked a time, a reason or an attempt that the new queue requires"),
        ],
        again: ReplayStrategy::Anew,
        ..NOTHING
    },
];
