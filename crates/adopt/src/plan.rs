//! The plan of an adoption, before anything changes.

use postgres_protocol::escape::escape_identifier;
use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::GenericClient;

use super::source_schema::{self, SchemaDifferences};
use super::tables::TABLES;
use workspace_db::Result;

/// Plan of an adoption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptionPlan {
    /// Differences from the schema of the TypeScript package. If anything is missing, the rest of the plan is empty.
    pub differences: SchemaDifferences,
    /// Number of rows in each table.
    pub rows: BTreeMap<String, u64>,
    /// Rows that are changed, set aside or inconsistent. Cases without rows are not listed.
    pub findings: Vec<AdoptionFinding>,
}

/// Rows that are not copied unchanged, or that need attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptionFinding {
    /// Table of the rows.
    pub table: &'static str,
    /// Problem of the rows.
    pub what: &'static str,
    /// Number of rows.
    pub rows: u64,
    /// Outcome for the rows.
    pub becomes: AdoptionOutcome,
    /// Consequences, and possible actions.
    pub note: &'static str,
}

/// Outcome for rows in an adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptionOutcome {
    /// The rows are copied unchanged.
    Kept,
    /// The rows are copied with a value changed.
    Changed,
    /// The rows are not copied, but set aside with the reason.
    SetAside,
}

struct PlanCheck {
    table: &'static str,
    what: &'static str,
    becomes: AdoptionOutcome,
    note: &'static str,
    /// Query that counts the rows; `{old}` is the schema of the source.
    count: &'static str,
}

const QUESTIONS: &[PlanCheck] = &[
    PlanCheck {
        table: "admin_users",
        what: "a password that is not a bcrypt or argon2id hash",
        becomes: AdoptionOutcome::SetAside,
        note: "their memberships are set aside too; create their accounts again",
        count: r"SELECT count(*) FROM {old}.admin_users WHERE password_hash !~ '^\$(argon2id|2[abxy])\$'",
    },
    PlanCheck {
        table: "workspace_settings",
        what: "default_language, confidence_threshold or is_published differs from that of the workspace",
        becomes: AdoptionOutcome::Kept,
        note: "the value of the workspace is used; the other value is set aside with its row",
        count: "SELECT count(*) FROM {old}.workspace_settings s JOIN {old}.workspaces w ON w.id = s.workspace_id
            WHERE s.default_language <> w.default_language OR s.confidence_threshold <> w.confidence_threshold
                OR s.is_published <> w.is_published",
    },
    PlanCheck {
        table: "jobs",
        what: "no workspace, because it was deleted",
        becomes: AdoptionOutcome::SetAside,
        note: "their arguments belong to a deleted tenant",
        count: "SELECT count(*) FROM {old}.jobs WHERE workspace_id IS NULL",
    },
    PlanCheck {
        table: "jobs",
        what: "running",
        becomes: AdoptionOutcome::Changed,
        note: "they are queued again, because their worker is unknown",
        count: "SELECT count(*) FROM {old}.jobs WHERE status::text = 'running' AND workspace_id IS NOT NULL",
    },
    PlanCheck {
        table: "jobs",
        what: "ended without a time or a reason, or with more attempts than allowed",
        becomes: AdoptionOutcome::Changed,
        note: "the time of the last change is used instead; the limit is raised to the number of attempts",
        count: "SELECT count(*) FROM {old}.jobs WHERE workspace_id IS NOT NULL AND (
            status::text = 'completed' AND completed_at IS NULL OR status::text <> 'completed' AND completed_at IS NOT NULL
            OR status::text = 'failed' AND (failed_at IS NULL OR last_error IS NULL)
            OR attempts < 0 OR attempts > max_attempts OR max_attempts NOT BETWEEN 1 AND 1000 OR scheduled_at IS NULL
            OR status::text IN ('queued', 'running') AND attempts >= max_attempts)",
    },
    PlanCheck {
        table: "jobs",
        what: "a kind that is empty or has more than 100 characters, more than 999 attempts, or more than a megabyte of arguments",
        becomes: AdoptionOutcome::SetAside,
        note: "the queue does not accept such jobs",
        count: "SELECT count(*) FROM {old}.jobs WHERE workspace_id IS NOT NULL
            AND (length(job_type) NOT BETWEEN 1 AND 100 OR pg_column_size(payload) > 1048576 OR attempts > 999)",
    },
    PlanCheck {
        table: "documents",
        what: "a datasource of another workspace",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without a datasource",
        count: "SELECT count(*) FROM {old}.documents c JOIN {old}.datasources p ON p.id = c.datasource_id
            WHERE p.workspace_id <> c.workspace_id",
    },
    PlanCheck {
        table: "documents",
        what: "the same external id as another document of the datasource",
        becomes: AdoptionOutcome::SetAside,
        note: "the first by id is adopted; the others and their chunks are not",
        count: "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM {old}.documents
            WHERE external_id IS NOT NULL GROUP BY workspace_id, datasource_id, external_id HAVING count(*) > 1) AS same",
    },
    PlanCheck {
        table: "documents",
        what: "a status that is not one of the five",
        becomes: AdoptionOutcome::SetAside,
        note: "their chunks are set aside too",
        count: "SELECT count(*) FROM {old}.documents WHERE status NOT IN ('draft', 'processing', 'ready', 'archived', 'error')",
    },
    PlanCheck {
        table: "document_chunks",
        what: "a document of another workspace",
        becomes: AdoptionOutcome::SetAside,
        note: "it is unknown which of the two is wrong",
        count: "SELECT count(*) FROM {old}.document_chunks c JOIN {old}.documents p ON p.id = c.document_id
            WHERE p.workspace_id <> c.workspace_id",
    },
    PlanCheck {
        table: "document_chunks",
        what: "a vector that does not have 1536 dimensions, or has the length 0",
        becomes: AdoptionOutcome::SetAside,
        note: "they can't be compared with others; ingest their documents again",
        count: "SELECT count(*) FROM {old}.document_chunks
            WHERE vector IS NULL OR vector_dims(vector) <> 1536 OR vector_norm(vector) = 0",
    },
    PlanCheck {
        table: "messages",
        what: "a conversation of another workspace",
        becomes: AdoptionOutcome::SetAside,
        note: "it is unknown which of the two is wrong",
        count: "SELECT count(*) FROM {old}.messages c JOIN {old}.conversations p ON p.id = c.conversation_id
            WHERE p.workspace_id <> c.workspace_id",
    },
    PlanCheck {
        table: "feedback",
        what: "a message of another workspace",
        becomes: AdoptionOutcome::SetAside,
        note: "it is unknown which of the two is wrong",
        count: "SELECT count(*) FROM {old}.feedback c JOIN {old}.messages p ON p.id = c.message_id
            WHERE p.workspace_id <> c.workspace_id",
    },
    PlanCheck {
        table: "analytics_events",
        what: "a conversation or a message of another workspace",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without it",
        count: "SELECT count(*) FROM {old}.analytics_events e
            LEFT JOIN {old}.conversations c ON c.id = e.conversation_id LEFT JOIN {old}.messages m ON m.id = e.message_id
            WHERE c.workspace_id <> e.workspace_id OR m.workspace_id <> e.workspace_id",
    },
    PlanCheck {
        table: "workspace_admins",
        what: "not joined yet",
        becomes: AdoptionOutcome::Kept,
        note: "a membership is valid from joined_at on: invite them again, or set joined_at",
        count: "SELECT count(*) FROM {old}.workspace_admins WHERE joined_at IS NULL",
    },
    PlanCheck {
        table: "workspace_settings",
        what: "a webhook secret in plain text",
        becomes: AdoptionOutcome::Changed,
        note: "it is sealed, which needs the secret key",
        count: "SELECT count(*) FROM {old}.workspace_settings WHERE webhook_secret IS NOT NULL",
    },
    PlanCheck {
        table: "webhook_subscriptions",
        what: "a secret in plain text",
        becomes: AdoptionOutcome::Changed,
        note: "it is sealed, which needs the secret key",
        count: "SELECT count(*) FROM {old}.webhook_subscriptions WHERE secret IS NOT NULL",
    },
];

/// Queries a source, and returns the plan of its adoption.
pub(super) async fn plan(client: &impl GenericClient, schema: &str) -> Result<AdoptionPlan> {
    let differences = source_schema::differences(client, schema).await?;
    let mut plan = AdoptionPlan { differences, rows: BTreeMap::new(), findings: Vec::new() };
    if !plan.differences.missing.is_empty() {
        return Ok(plan);
    }
    let old = escape_identifier(schema);
    for mapping in TABLES {
        let count = format!("SELECT count(*) FROM {old}.{}", mapping.table);
        let rows: i64 = client.query_one(&count, &[]).await?.get(0);
        plan.rows.insert(mapping.table.to_owned(), rows.unsigned_abs());
    }
    for question in QUESTIONS {
        let rows: i64 = client.query_one(&question.count.replace("{old}", &old), &[]).await?.get(0);
        let PlanCheck { table, what, becomes, note, .. } = *question;
        if rows > 0 {
            plan.findings.push(AdoptionFinding { table, what, rows: rows.unsigned_abs(), becomes, note });
        }
    }
    Ok(plan)
}
