//! The plan of an adoption, before anything changes.

use postgres_protocol::escape::escape_identifier;
use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;

use super::conversion::{is_no_plain_list, is_shortenable};
use super::conversion_options::ConversionOptions;
use super::dependents::{AdoptionDependent, dependents};
use super::generated_checks::generated_checks;
use super::report::AdoptionOutcome;
use super::source_schema::{SchemaDifferences, SourceSchema};
use super::tables::{HAS_NO_LANGUAGE, HAS_NO_THRESHOLD, IS_INCOMPLETE_JOB, IS_NO_HASH, TABLES};
use workspace_db::{Error, ErrorKind, Result};

/// Plan of an adoption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptionPlan {
    /// Differences from the schema of the TypeScript package. If anything is missing, the rest of the plan is empty.
    pub differences: SchemaDifferences,
    /// Number of rows in each table.
    pub rows: BTreeMap<String, u64>,
    /// Rows that are changed, set aside or inconsistent. Cases without rows are not listed.
    pub findings: Vec<AdoptionFinding>,
    /// Objects of yours that depend on the old tables, in an adoption in place.
    pub dependents: Vec<AdoptionDependent>,
}

/// Rows that are not copied unchanged, or that need attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptionFinding {
    /// Table of the rows.
    pub table: &'static str,
    /// Problem of the rows.
    pub what: String,
    /// Number of rows.
    pub rows: u64,
    /// Outcome for the rows.
    pub becomes: AdoptionOutcome,
    /// Consequences, and possible actions.
    pub note: &'static str,
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
        what: "a password that is not a bcrypt or argon2id hash, or one that is cut off or costs too much",
        becomes: AdoptionOutcome::SetAside,
        note: "their memberships are set aside too; create their accounts again",
        count: "SELECT count(*) FROM {old}.admin_users s WHERE s.password_hash IS NULL OR {is_no_hash}",
    },
    PlanCheck {
        table: "admin_users",
        what: "the same email as another administrator, without regard to case",
        becomes: AdoptionOutcome::SetAside,
        note: "the first by id is adopted; give the others another address",
        count: "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM {old}.admin_users
            GROUP BY lower(email::text) HAVING count(*) > 1) AS same",
    },
    PlanCheck {
        table: "workspaces",
        what: "the nil UUID, which is reserved for the platform",
        becomes: AdoptionOutcome::SetAside,
        note: "all of its rows are set aside too",
        count: "SELECT count(*) FROM {old}.workspaces WHERE id = '00000000-0000-0000-0000-000000000000'",
    },
    PlanCheck {
        table: "workspaces",
        what: "a default_language that is missing or not a language tag",
        becomes: AdoptionOutcome::Changed,
        note: "they get the nearest tag, such as en-US for en_US, or else en; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.workspaces o WHERE {has_no_language}",
    },
    PlanCheck {
        table: "workspaces",
        what: "a confidence_threshold that is missing or not between 0 and 1",
        becomes: AdoptionOutcome::Changed,
        note: "they get 0.7; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.workspaces o WHERE {has_no_threshold}",
    },
    PlanCheck {
        table: "workspace_settings",
        what: "default_language, confidence_threshold or is_published differs from that of the workspace",
        becomes: AdoptionOutcome::Kept,
        note: "the value of the workspace is used; the other value is set aside with its row",
        count: "SELECT count(*) FROM {old}.workspace_settings s JOIN {old}.workspaces w ON w.id = s.workspace_id
            WHERE s.default_language::text <> w.default_language::text OR s.confidence_threshold <> w.confidence_threshold
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
        note: "they are queued again, because their worker is unknown; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.jobs WHERE status::text = 'running' AND workspace_id IS NOT NULL",
    },
    PlanCheck {
        table: "jobs",
        what: "ended without a time or a reason, or with more attempts than allowed",
        becomes: AdoptionOutcome::Changed,
        note: "the time of the last change is used instead; the limit is raised to the number of attempts; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.jobs o WHERE workspace_id IS NOT NULL AND ({is_incomplete_job})",
    },
    PlanCheck {
        table: "jobs",
        what: "a kind that is empty or has more than 100 characters, more than 999 attempts, or arguments longer than a megabyte",
        becomes: AdoptionOutcome::SetAside,
        note: "the queue does not accept such jobs",
        count: "SELECT count(*) FROM {old}.jobs WHERE workspace_id IS NOT NULL
            AND (length(job_type) NOT BETWEEN 1 AND 100 OR octet_length(payload::text) > 1048576 OR attempts > 999)",
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
        table: "document_chunks",
        what: "a document of another workspace",
        becomes: AdoptionOutcome::SetAside,
        note: "it is unknown which of the two is wrong",
        count: "SELECT count(*) FROM {old}.document_chunks c JOIN {old}.documents p ON p.id = c.document_id
            WHERE p.workspace_id <> c.workspace_id",
    },
    PlanCheck {
        table: "document_chunks",
        what: "a vector that does not have 1536 dimensions, or is too short or too long to be compared",
        becomes: AdoptionOutcome::SetAside,
        note: "the rows with their texts are in the file of the last step; ingest their documents again",
        count: "SELECT count(*) FROM {old}.document_chunks s
            WHERE vector IS NULL OR vector_dims(vector) <> 1536 AND NOT ({is_shortened})
                OR NOT vector_norm(vector::vector) BETWEEN 1e-15 AND 1e15",
    },
    PlanCheck {
        table: "document_chunks",
        what: "a vector of text-embedding-3-large with 3072 dimensions",
        becomes: AdoptionOutcome::Changed,
        note: "its first 1536 dimensions are kept and normalized, as the model permits",
        count: "SELECT count(*) FROM {old}.document_chunks s WHERE {is_shortened}",
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
        table: "feedback",
        what: "a score that is not -1, 0 or 1",
        becomes: AdoptionOutcome::SetAside,
        note: "they are not rounded, because nobody knows their scale",
        count: "SELECT count(*) FROM {old}.feedback WHERE score NOT IN (-1, 0, 1)",
    },
    PlanCheck {
        table: "messages",
        what: "a confidence outside of 0 to 1, or negative tokens",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without it; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.messages WHERE confidence NOT BETWEEN 0 AND 1 OR tokens < 0",
    },
    PlanCheck {
        table: "workspace_settings",
        what: "a temperature outside of 0 to 2",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without it; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.workspace_settings WHERE temperature NOT BETWEEN 0 AND 2",
    },
    PlanCheck {
        table: "workspace_settings",
        what: "a fallback_language that is not a language tag",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without it; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.workspace_settings
            WHERE fallback_language::text !~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'",
    },
    PlanCheck {
        table: "document_chunks",
        what: "a negative token_count",
        becomes: AdoptionOutcome::Changed,
        note: "they are adopted without it; the old rows are set aside too",
        count: "SELECT count(*) FROM {old}.document_chunks WHERE token_count < 0",
    },
    PlanCheck {
        table: "jobs",
        what: "a negative priority",
        becomes: AdoptionOutcome::SetAside,
        note: "the queue does not accept such jobs",
        count: "SELECT count(*) FROM {old}.jobs WHERE workspace_id IS NOT NULL AND priority < 0",
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

/// Lists of texts, which other systems write as texts, with NULLs or in several dimensions.
const LISTS: &[(&str, &str)] = &[("workspace_settings", "webhook_events"), ("webhook_subscriptions", "events")];

/// Queries a source, and returns the plan of its adoption.
pub(super) async fn plan(
    client: &impl GenericClient,
    schema: &str,
    source: &SourceSchema,
    options: ConversionOptions,
    is_in_place: bool,
) -> Result<AdoptionPlan> {
    let dependents = if is_in_place { dependents(client, schema).await?.0 } else { Vec::new() };
    let mut plan = AdoptionPlan {
        differences: source.differences.clone(),
        rows: BTreeMap::new(),
        findings: Vec::new(),
        dependents,
    };
    if !plan.differences.missing.is_empty() {
        return Ok(plan);
    }
    let old = escape_identifier(schema);
    let count = async |query: String| -> Result<u64> {
        let rows: i64 = client.query_one(&query, &[]).await.map_err(hidden)?.get(0);
        Ok(rows.unsigned_abs())
    };
    for mapping in TABLES {
        plan.rows
            .insert(mapping.table.to_owned(), count(format!("SELECT count(*) FROM {old}.{}", mapping.table)).await?);
    }
    let shortened = if options.can_shorten { is_shortenable("s") } else { "false".to_owned() };
    for question in QUESTIONS {
        let query = question.count.replace("{old}", &old).replace("{is_shortened}", &shortened);
        let query = query.replace("{is_no_hash}", IS_NO_HASH).replace("{is_incomplete_job}", IS_INCOMPLETE_JOB);
        let query = query.replace("{has_no_language}", HAS_NO_LANGUAGE).replace("{has_no_threshold}", HAS_NO_THRESHOLD);
        let PlanCheck { table, what, becomes, note, .. } = *question;
        plan.add(count(query).await?, table, what.to_owned(), becomes, note);
    }
    for (table, column) in LISTS {
        let source_type = source.table(table).types.get(*column).cloned();
        let condition = is_no_plain_list(column, matches!(source_type.as_deref(), Some("_text" | "_varchar")));
        let rows = count(format!("SELECT count(*) FROM {old}.{table} WHERE {condition}")).await?;
        let what = format!("{column} that are not a plain list of texts");
        plan.add(
            rows,
            table,
            what,
            AdoptionOutcome::Changed,
            "they become a plain list; the old rows are set aside too",
        );
    }
    for check in generated_checks(source, &old) {
        plan.add(count(check.query).await?, check.table, check.what, check.becomes, check.note);
    }
    Ok(plan)
}

impl AdoptionPlan {
    fn add(&mut self, rows: u64, table: &'static str, what: String, becomes: AdoptionOutcome, note: &'static str) {
        if rows > 0 {
            self.findings.push(AdoptionFinding { table, what, rows, becomes, note });
        }
    }
}

/// Returns the error of a query from which a policy would hide rows.
fn hidden(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let said = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
            Error::new(
                ErrorKind::MissingPrerequisite,
                format!("this login does not see all rows of the old tables: {said}"),
            )
            .remedy("use a login that may read the tables and has BYPASSRLS, or disable row-level security on them")
            .caused_by(error)
        }
        _ => error.into(),
    }
}
