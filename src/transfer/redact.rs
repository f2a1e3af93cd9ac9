//! Redaction of one person's texts.

use std::collections::BTreeMap;

use base16ct::lower::encode_string as hex;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use postgres_protocol::escape::escape_identifier;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::content::WORKSPACES;
use super::layout::Layout;
use super::lock::lock;
use super::mentions::{MENTIONS, OF_JOB, OF_SCHEDULE, mentions_person};
use super::person::{PERSON, check_person, set_for};
use super::selection::Selection;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::models::NewAuditEntry;
use crate::tenancy::{Administer, Database, TENANT_TABLES, WorkspaceScope};

/// Columns that a program fills, and no person. Every other column of a text or JSON is redacted, new ones too.
const PROGRAM_TEXTS: [(&str, &[&str]); 6] = [
    // The ids that the embedding application gave the person: without them, nothing could be erased later.
    ("conversations", &["external_user_id"]),
    ("analytics_events", &["event_type", "source", "user_identifier"]),
    ("jobs", &["job_type", "leased_by", "queue"]),
    ("message_sources", &["content_hash", "method"]),
    ("messages", &["language"]),
    ("model_calls", &["model", "price_version", "stop_reason"]),
];

/// Maximum number of jobs and schedules that an error names.
const MAX_TOLD: usize = 5;
/// Text in place of a person's.
const REDACTED: &str = "[redacted]";

/// Result of [`redact_person`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RedactionReport {
    /// Number of rows of each table whose texts were redacted.
    pub rows: BTreeMap<String, u64>,
    /// Your own tables that refer to such rows, directly or through another table. They are unchanged: redact them yourself.
    pub unchanged_tables: Vec<String>,
}

#[derive(QueryableByName)]
struct TextColumn {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = Bool)]
    is_unique: bool,
}

/// Query for the columns that contain a text, JSON, or a list of them, and for those with the time of the last change.
const COLUMNS: &str = "
SELECT c.relname::text AS table, a.attname::text AS column, format_type(a.atttypid, a.atttypmod) AS type_name,
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS is_unique
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND (t.typcategory = 'S' OR t.typname IN ('json', 'jsonb') OR e.typcategory = 'S' OR e.typname IN ('json', 'jsonb')
        OR a.attname = 'updated_at')
ORDER BY c.relname, a.attnum";

/// Query for tables of others that refer to a person's rows, directly or through another table.
const OTHER_TABLES: &str = "
WITH RECURSIVE referring AS (
    SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relname IN ('conversations', 'messages', 'feedback', 'analytics_events')
    UNION
    SELECT f.conrelid FROM referring JOIN pg_constraint f ON f.confrelid = referring.oid AND f.contype = 'f'
)
SELECT oid::regclass::text AS told FROM referring JOIN pg_class USING (oid)
WHERE NOT (relnamespace = current_schema()::regnamespace AND relname = ANY ($1)) ORDER BY 1";

#[derive(QueryableByName)]
struct Told {
    #[diesel(sql_type = Text)]
    told: String,
}

#[derive(QueryableByName)]
struct RowCount {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// Replaces the texts of one person of the scope's workspace by `[redacted]`, and returns the number of rows by table. No row is
/// deleted, so counts and reports stay.
///
/// - Redacted are titles, messages, sources, feedback and the properties of events: every text and JSON in the person's rows. Columns
///   that a program fills, such as the name of a model, stay.
/// - Jobs that mention the person have their arguments, results and errors redacted. A job mentions the person by the person's id as
///   a value or, if the id has 8 characters or more, as a word; by the id of a conversation or message of the person; or by one of
///   `mentions` as a word, such as a name or an email address. A short id, such as `30`, also matches values that mean something else.
///   An unfinished job or a schedule that does is an error, since it needs
///   its arguments. A redacted job that is retried runs without arguments.
/// - Unique keys of jobs and client ids of messages are replaced too: the same job can be enqueued again, and the same message
///   appended.
/// - The person's own id stays in `conversations` and `analytics_events`. [`erase_person`](super::erase_person()) deletes those
///   rows.
///
/// The audit log is append-only and stays as it is, as do documents. Old versions of rows remain in files of the server until a
/// vacuum, and in backups. Everything happens in one transaction.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the id is empty or a mention has a NUL character; [`is_conflict`](Error::is_conflict) if an answer to the person is
/// being made, an unfinished job or a schedule mentions the person, or another transfer of the workspace runs;
/// [`is_not_found`](Error::is_not_found) and [`is_forbidden`](Error::is_forbidden) if the scope's administrator may no longer do
/// this; [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use workspace_db::tenancy::{Administer, Database, WorkspaceScope};
/// use workspace_db::transfer::redact_person;
///
/// # async fn example(db: &Database, scope: &WorkspaceScope<Administer>) -> workspace_db::Result<()> {
/// let report = redact_person(db, scope, "visitor-42", &["jane@example.com"]).await?;
/// println!("{} messages", report.rows.get("messages").copied().unwrap_or(0));
/// # Ok(())
/// # }
/// ```
pub async fn redact_person(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    external_user_id: &str,
    mentions: &[&str],
) -> Result<RedactionReport> {
    check_person(external_user_id)?;
    if mentions.iter().any(|mention| mention.contains('\0')) {
        return Err(Error::invalid("a mention has a NUL character, which PostgreSQL can't store").about("mentions"));
    }
    let workspace = scope.workspace();
    let _held = lock(db, workspace).await?;
    let layout = Layout::of(db).await?;
    db.platform(async |conn| {
        let actor = scope.actor(conn, db).await?;
        set_person(conn, external_user_id, mentions).await?;
        let columns: Vec<TextColumn> = diesel::sql_query(COLUMNS).load(conn).await?;
        let others = diesel::sql_query(OTHER_TABLES).bind::<Array<Text>, _>(TENANT_TABLES);
        let others: Vec<Told> = others.load(conn).await?;
        let unchanged_tables = others.into_iter().map(|table| table.told).collect();
        let mut report = RedactionReport { rows: BTreeMap::new(), unchanged_tables };
        for table in &layout.tables {
            let Some(condition) = Selection::Person.condition(table, workspace) else { continue };
            if !TENANT_TABLES.contains(&table.name.as_str()) {
                continue;
            }
            if table.name == "conversations" {
                // As every append does: the conversation before its messages.
                let held = format!("SELECT FROM conversations WHERE {condition} ORDER BY id FOR NO KEY UPDATE");
                diesel::sql_query(held).execute(conn).await?;
            }
            if table.name == "messages" {
                reject_unfinished_answers(conn, &condition).await?;
            }
            if let Some(update) = redaction(&columns, &table.name, &condition) {
                let rows = diesel::sql_query(update).execute(conn).await?;
                report.rows.insert(table.name.clone(), u64::try_from(rows).unwrap_or(u64::MAX));
            }
        }
        report.rows.insert("jobs".to_owned(), redact_jobs(conn, &columns, workspace).await?);
        let told = json!({ "external_user_id_sha256": hex(&Sha256::digest(external_user_id)), "rows": report.rows });
        let entry = NewAuditEntry::new(actor, "person.redact", WORKSPACES, Some(*workspace.as_uuid()));
        entry.for_workspace(workspace).made(&told).insert(conn).await?;
        Ok(report)
    })
    .await
}

/// Redacts the jobs that mention the person, before an erasure deletes the rows by which they are found.
pub(super) async fn redact_jobs_of(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    external_user_id: &str,
) -> Result<()> {
    set_person(conn, external_user_id, &[]).await?;
    let columns: Vec<TextColumn> = diesel::sql_query(COLUMNS).load(conn).await?;
    redact_jobs(conn, &columns, workspace).await.map(drop)
}

async fn set_person(conn: &mut AsyncPgConnection, person: &str, mentions: &[&str]) -> Result<()> {
    let mentions: Vec<&str> =
        mentions.iter().map(|mention| mention.trim()).filter(|mention| !mention.is_empty()).collect();
    set_for(conn, PERSON, person).await?;
    set_for(conn, MENTIONS, &json!(mentions).to_string()).await
}

async fn reject_unfinished_answers(conn: &mut AsyncPgConnection, condition: &str) -> Result<()> {
    let query = format!("SELECT count(*) AS rows FROM messages WHERE {condition} AND lease_token IS NOT NULL");
    match diesel::sql_query(query).get_result::<RowCount>(conn).await?.rows {
        0 => Ok(()),
        answers => Err(Error::new(ErrorKind::Conflict, format!("answers to the person are being made: {answers}"))
            .remedy("stop them with conversations::stop_answer, or wait until they have ended")),
    }
}

async fn redact_jobs(conn: &mut AsyncPgConnection, columns: &[TextColumn], workspace: WorkspaceId) -> Result<u64> {
    let of_workspace = format!("workspace_id = '{workspace}'");
    let [job, schedule] = [OF_JOB, OF_SCHEDULE].map(|texts| mentions_person(&texts, workspace));
    let to_do = "status IN ('queued', 'running')";
    let Some(update) = redaction(columns, "jobs", &format!("{of_workspace} AND NOT {to_do} AND {job}")) else {
        return Ok(0);
    };
    let rows = diesel::sql_query(update).execute(conn).await?;
    // Afterwards: a job that was retried or enqueued meanwhile is found too, and the error takes back what was redacted.
    let unfinished = format!(
        "SELECT 'job ' || id AS told FROM jobs WHERE {of_workspace} AND {to_do} AND {job}
        UNION ALL SELECT 'schedule ' || name FROM job_schedules WHERE {of_workspace} AND {schedule} LIMIT {MAX_TOLD}"
    );
    let unfinished: Vec<Told> = diesel::sql_query(unfinished).load(conn).await?;
    if unfinished.is_empty() {
        return Ok(u64::try_from(rows).unwrap_or(u64::MAX));
    }
    let told = unfinished.iter().map(|one| one.told.as_str()).collect::<Vec<_>>().join(", ");
    Err(Error::new(ErrorKind::Conflict, format!("unfinished jobs or schedules mention the person: {told}"))
        .remedy("wait until the jobs have ended, or cancel them, and change the schedules"))
}

/// Returns the statement that redacts a table's rows, or none if the table has no text.
fn redaction(columns: &[TextColumn], table: &str, condition: &str) -> Option<String> {
    let kept = PROGRAM_TEXTS.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, kept)| *kept);
    let sets: Vec<String> = columns
        .iter()
        .filter(|column| column.table == table && !kept.contains(&column.column.as_str()))
        .map(|column| {
            let (name, type_name) = (escape_identifier(&column.column), &column.type_name);
            // NULL stays NULL: without a text there is nothing to redact, and constraints tell the two apart.
            let redacted = match type_name.as_str() {
                _ if column.column == "updated_at" => "now()".to_owned(),
                _ if type_name.ends_with("[]") => "'{}'".to_owned(),
                "json" | "jsonb" => format!("CASE {type_name}_typeof({name}) WHEN 'array' THEN '[]' ELSE '{{}}' END"),
                _ if column.is_unique => format!("'{REDACTED} ' || id"),
                _ => format!("'{REDACTED}'"),
            };
            format!("{name} = CASE WHEN {name} IS NOT NULL THEN ({redacted})::{type_name} END")
        })
        .collect();
    (!sets.is_empty()).then(|| format!("UPDATE {} SET {} WHERE {condition}", escape_identifier(table), sets.join(", ")))
}
