//! The schema of the TypeScript package, which a source must have.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::GenericClient;

use workspace_db::Result;

/// Tables, each with its columns and their types as `pg_type.typname` has them.
const TABLES: &[(&str, &str)] = &[
    (
        "admin_users",
        "id uuid, email text, password_hash text, first_name text, last_name text, role admin_role, status admin_status, \
         last_login_at timestamptz, created_at timestamptz, updated_at timestamptz",
    ),
    (
        "workspaces",
        "id uuid, slug text, name text, description text, default_language language, is_active bool, is_published bool, \
         confidence_threshold numeric, created_at timestamptz, updated_at timestamptz",
    ),
    (
        "workspace_settings",
        "workspace_id uuid, tone text, primary_color text, accent_color text, background_color text, welcome_message text, \
         logo_url text, banner_url text, support_email text, default_language language, fallback_language language, \
         watermark_enabled bool, confidence_threshold numeric, webhook_url text, webhook_secret text, webhook_events _text, \
         is_published bool, temperature numeric, metadata jsonb, created_at timestamptz, updated_at timestamptz",
    ),
    (
        "workspace_admins",
        "id uuid, workspace_id uuid, admin_user_id uuid, role admin_role, invited_at timestamptz, joined_at timestamptz, \
         created_at timestamptz",
    ),
    (
        "datasources",
        "id uuid, workspace_id uuid, name text, description text, type datasource_type, config jsonb, \
         sync_status datasource_sync_status, sync_cursor text, error_message text, is_managed bool, \
         last_synced_at timestamptz, created_at timestamptz, updated_at timestamptz",
    ),
    (
        "documents",
        "id uuid, workspace_id uuid, datasource_id uuid, external_id text, title text, slug text, summary text, \
         content_hash text, metadata jsonb, status text, is_published bool, created_at timestamptz, updated_at timestamptz",
    ),
    (
        "document_chunks",
        "id uuid, workspace_id uuid, document_id uuid, chunk_index int4, content text, token_count int4, \
         embedding_model text, vector vector, created_at timestamptz",
    ),
    (
        "conversations",
        "id uuid, workspace_id uuid, external_user_id text, title text, status conversation_status, metadata jsonb, \
         first_message_at timestamptz, last_message_at timestamptz, created_at timestamptz, updated_at timestamptz, \
         closed_at timestamptz",
    ),
    (
        "messages",
        "id uuid, workspace_id uuid, conversation_id uuid, role message_role, content text, tokens int4, \
         confidence numeric, metadata jsonb, created_at timestamptz",
    ),
    (
        "feedback",
        "id uuid, workspace_id uuid, message_id uuid, admin_user_id uuid, score int2, label text, comment text, \
         created_at timestamptz",
    ),
    (
        "analytics_events",
        "id uuid, workspace_id uuid, conversation_id uuid, message_id uuid, event_type text, user_identifier text, \
         source text, properties jsonb, occurred_at timestamptz, created_at timestamptz",
    ),
    (
        "webhook_subscriptions",
        "id uuid, workspace_id uuid, url text, secret text, events _text, headers jsonb, is_active bool, \
         created_at timestamptz, updated_at timestamptz",
    ),
    (
        "jobs",
        "id uuid, workspace_id uuid, job_type text, status job_status, payload jsonb, attempts int4, max_attempts int4, \
         priority int4, scheduled_at timestamptz, started_at timestamptz, completed_at timestamptz, failed_at timestamptz, \
         last_error text, created_at timestamptz, updated_at timestamptz",
    ),
];

/// Differences between a source and the schema above, object by object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SchemaDifferences {
    /// Missing tables and columns, and columns of another type. With any of them the source can't be adopted.
    pub missing: Vec<String>,
    /// Columns that the schema above does not have. They would not be copied, so an adoption rejects them.
    pub unknown: Vec<String>,
}

const COLUMNS: &str = "
SELECT c.relname::text, a.attname::text, t.typname::text
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace($1) AND c.relname = ANY ($2)";

/// Returns the differences between the schema with that name and the schema above.
pub(super) async fn differences(client: &impl GenericClient, schema: &str) -> Result<SchemaDifferences> {
    let names: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    let mut there: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[&schema, &names]).await? {
        there.entry(row.get(0)).or_default().insert(row.get(1), row.get(2));
    }
    let mut differences = SchemaDifferences::default();
    for (table, columns) in TABLES {
        let Some(mut found) = there.remove(*table) else {
            differences.missing.push(format!("table {table}"));
            continue;
        };
        for column in columns.split(", ") {
            let (name, wanted) = column.split_once(' ').unwrap_or((column, ""));
            match found.remove(name) {
                None => differences.missing.push(format!("column {table}.{name}")),
                Some(of) if of != wanted => {
                    differences.missing.push(format!("column {table}.{name} is {of} instead of {wanted}"));
                }
                Some(_) => {}
            }
        }
        differences.unknown.extend(found.into_keys().map(|name| format!("column {table}.{name}")));
    }
    Ok(differences)
}
