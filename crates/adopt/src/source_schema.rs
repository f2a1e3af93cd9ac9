//! The schema of a source, compared with that of the TypeScript package.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::GenericClient;

use super::conversion_options::ConversionOptions;
use super::mapping::ValueKind::{self, Bool, Float, Integer, Json, Label, Text, TextArray, Time, Uuid, Vector};
use workspace_db::Result;

/// Tables, each with its columns. Several forms of the package's schema exist, so each column has a kind of value and not
/// one type.
const TABLES: &[(&str, &[(&str, ValueKind)])] = &[
    (
        "admin_users",
        &[
            ("id", Uuid),
            ("email", Text),
            ("password_hash", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("role", Label),
            ("status", Label),
            ("last_login_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "workspaces",
        &[
            ("id", Uuid),
            ("slug", Text),
            ("name", Text),
            ("description", Text),
            ("default_language", Label),
            ("is_active", Bool),
            ("is_published", Bool),
            ("confidence_threshold", Float),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "workspace_settings",
        &[
            ("workspace_id", Uuid),
            ("tone", Text),
            ("primary_color", Text),
            ("accent_color", Text),
            ("background_color", Text),
            ("welcome_message", Text),
            ("logo_url", Text),
            ("banner_url", Text),
            ("support_email", Text),
            ("default_language", Label),
            ("fallback_language", Label),
            ("watermark_enabled", Bool),
            ("confidence_threshold", Float),
            ("webhook_url", Text),
            ("webhook_secret", Text),
            ("webhook_events", TextArray),
            ("is_published", Bool),
            ("temperature", Float),
            ("metadata", Json),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "workspace_admins",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("admin_user_id", Uuid),
            ("role", Label),
            ("invited_at", Time),
            ("joined_at", Time),
            ("created_at", Time),
        ],
    ),
    (
        "datasources",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("name", Text),
            ("description", Text),
            ("type", Label),
            ("config", Json),
            ("sync_status", Label),
            ("sync_cursor", Text),
            ("error_message", Text),
            ("is_managed", Bool),
            ("last_synced_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "documents",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("datasource_id", Uuid),
            ("external_id", Text),
            ("title", Text),
            ("slug", Text),
            ("summary", Text),
            ("content_hash", Text),
            ("metadata", Json),
            ("status", Label),
            ("is_published", Bool),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "document_chunks",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("document_id", Uuid),
            ("chunk_index", Integer),
            ("content", Text),
            ("token_count", Integer),
            ("embedding_model", Text),
            ("vector", Vector),
            ("created_at", Time),
        ],
    ),
    (
        "conversations",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("external_user_id", Text),
            ("title", Text),
            ("status", Label),
            ("metadata", Json),
            ("first_message_at", Time),
            ("last_message_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
            ("closed_at", Time),
        ],
    ),
    (
        "messages",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("conversation_id", Uuid),
            ("role", Label),
            ("content", Text),
            ("tokens", Integer),
            ("confidence", Float),
            ("metadata", Json),
            ("created_at", Time),
        ],
    ),
    (
        "feedback",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("message_id", Uuid),
            ("admin_user_id", Uuid),
            ("score", Integer),
            ("label", Text),
            ("comment", Text),
            ("created_at", Time),
        ],
    ),
    (
        "analytics_events",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("conversation_id", Uuid),
            ("message_id", Uuid),
            ("event_type", Text),
            ("user_identifier", Text),
            ("source", Text),
            ("properties", Json),
            ("occurred_at", Time),
            ("created_at", Time),
        ],
    ),
    (
        "webhook_subscriptions",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("url", Text),
            ("secret", Text),
            ("events", TextArray),
            ("headers", Json),
            ("is_active", Bool),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        "jobs",
        &[
            ("id", Uuid),
            ("workspace_id", Uuid),
            ("job_type", Text),
            ("status", Label),
            ("payload", Json),
            ("attempts", Integer),
            ("max_attempts", Integer),
            ("priority", Integer),
            ("scheduled_at", Time),
            ("started_at", Time),
            ("completed_at", Time),
            ("failed_at", Time),
            ("last_error", Text),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
];

/// Columns that only some forms of the schema have.
const OPTIONAL: &[(&str, &str, ValueKind)] = &[("document_chunks", "metadata", Json)];

impl ValueKind {
    /// Returns the types of the source that can be converted, as `pg_type.typname` has them. An enum is `enum`.
    fn types(self) -> &'static [&'static str] {
        match self {
            Uuid => &["uuid"],
            Text | Label => &["text", "varchar", "bpchar", "citext", "enum"],
            Bool => &["bool"],
            Integer => &["int2", "int4", "int8", "numeric", "float4", "float8"],
            Float => &["float8", "float4", "numeric", "int2", "int4", "int8"],
            Time => &["timestamptz", "timestamp", "date"],
            Json => &["jsonb", "json", "text"],
            TextArray => &["_text", "_varchar", "text", "varchar", "jsonb", "json"],
            Vector => &["vector", "halfvec"],
        }
    }
}

/// Differences between a source and the schema above, object by object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SchemaDifferences {
    /// Missing tables and columns, and columns whose type can't be converted. With any of them the source can't be adopted.
    pub missing: Vec<String>,
    /// Columns that the schema above does not have, and that have no place in the new tables.
    /// [`UnknownColumns`](super::UnknownColumns) determines what becomes of them.
    pub unknown: Vec<String>,
}

/// Columns of the source's tables.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceSchema {
    tables: BTreeMap<&'static str, SourceTable>,
    /// True if its texts can be hashed as they are.
    pub(super) is_utf8: bool,
    /// True if the server has `pg_input_is_valid`, since PostgreSQL 16.
    pub(super) can_validate: bool,
    pub(super) differences: SchemaDifferences,
}

/// Columns of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceTable {
    /// Type of each known column, as [`ValueKind::types`] lists them.
    pub(super) types: BTreeMap<String, String>,
    /// Columns that the new table does not have.
    pub(super) unknown: Vec<String>,
}

const COLUMNS: &str = "
SELECT c.relname::text, a.attname::text, CASE WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname::text END, a.attnotnull
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace($1) AND c.relname = ANY ($2)";

impl SourceSchema {
    /// Reads the columns of the schema with that name.
    pub(super) async fn read(client: &impl GenericClient, schema: &str) -> Result<Self> {
        let names: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        let mut columns: BTreeMap<String, BTreeMap<String, (String, bool)>> = BTreeMap::new();
        for row in client.query(COLUMNS, &[&schema, &names]).await? {
            columns.entry(row.get(0)).or_default().insert(row.get(1), (row.get(2), row.get(3)));
        }
        let server =
            "SELECT current_setting('server_encoding'), current_setting('server_version_num')::integer >= 160000";
        let server = client.query_one(server, &[]).await?;
        let encoding: String = server.get(0);
        let mut source = Self { is_utf8: encoding == "UTF8", can_validate: server.get(1), ..Self::default() };
        if encoding == "SQL_ASCII" {
            source.differences.missing.push(
                "an encoding: the database is SQL_ASCII, whose bytes beyond ASCII stand for no character; dump it, and restore it as UTF8"
                    .to_owned(),
            );
        }
        for (table, expected) in TABLES {
            let Some(found) = columns.remove(*table) else {
                source.differences.missing.push(format!("table {table}"));
                continue;
            };
            let read = SourceTable::compare(table, expected, found, &mut source.differences);
            source.tables.insert(table, read);
        }
        Ok(source)
    }

    /// Returns the columns of a table, none if the source lacks the table.
    pub(super) fn table(&self, name: &str) -> SourceTable {
        self.tables.get(name).cloned().unwrap_or_default()
    }
}

impl SourceTable {
    /// Returns true if unknown columns go into the table's metadata: the new table has it, and the old one has none or JSON
    /// that the source can read.
    pub(super) fn has_room(&self, options: ConversionOptions) -> bool {
        options.keeps_unknown
            && !self.unknown.is_empty()
            && self.types.get("metadata").is_none_or(|type_name| type_name == "jsonb")
    }

    /// Returns the names of all columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.types.keys().chain(&self.unknown).map(String::as_str)
    }

    fn compare(
        table: &str,
        expected: &[(&str, ValueKind)],
        mut found: BTreeMap<String, (String, bool)>,
        differences: &mut SchemaDifferences,
    ) -> Self {
        let mut read = Self::default();
        let optional = OPTIONAL.iter().filter(|(of, ..)| *of == table).map(|(_, name, kind)| (*name, *kind, true));
        let expected = expected.iter().map(|(name, kind)| (*name, *kind, false));
        for (place, (name, kind, is_optional)) in expected.chain(optional).enumerate() {
            match found.remove(name) {
                None if is_optional => {}
                None => differences.missing.push(format!("column {table}.{name}")),
                Some((type_name, _)) if !kind.types().contains(&type_name.as_str()) => {
                    let types = kind.types().join(", ");
                    differences.missing.push(format!("column {table}.{name} is {type_name} instead of {types}"));
                }
                // The first column identifies a row.
                Some((_, false)) if place == 0 => {
                    differences.missing.push(format!("column {table}.{name} may be NULL, so it identifies no row"));
                }
                Some((type_name, _)) => {
                    read.types.insert(name.to_owned(), type_name);
                }
            }
        }
        differences.unknown.extend(found.keys().map(|name| format!("column {table}.{name}")));
        read.unknown = found.into_keys().collect();
        read
    }
}
