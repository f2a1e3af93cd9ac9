//! Checks of a plan that follow from the mappings: NULLs, labels, references, unique keys and times.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::conversion::is_integer;
use super::mapping::{ColumnMapping, NullValue, TableMapping, ValueKind};
use super::report::AdoptionOutcome;
use super::source_schema::SourceSchema;
use super::tables::TABLES;

/// Check of one table.
pub(super) struct GeneratedCheck {
    pub(super) table: &'static str,
    pub(super) what: String,
    pub(super) becomes: AdoptionOutcome,
    pub(super) note: &'static str,
    /// Query that counts the rows.
    pub(super) query: String,
}

/// Labels of the new enums.
const LABELS: &[(&str, &[&str])] = &[
    ("admin_role", &["superadmin", "admin"]),
    ("admin_status", &["active", "disabled"]),
    ("datasource_type", &["web", "file", "api", "notion", "slack", "manual"]),
    ("datasource_sync_status", &["idle", "running", "failed", "completed"]),
    ("document_status", &["draft", "processing", "ready", "archived", "error"]),
    ("conversation_status", &["open", "pending", "resolved", "closed"]),
    ("message_role", &["system", "user", "assistant", "tool"]),
    ("job_status", &["queued", "running", "completed", "failed", "cancelled"]),
];

/// Unique keys of the new tables that an old database may lack, apart from emails and external ids.
const UNIQUE_KEYS: &[(&str, &str)] = &[
    ("workspaces", "slug"),
    ("workspace_admins", "workspace_id, admin_user_id"),
    ("document_chunks", "document_id, chunk_index"),
    ("feedback", "message_id"),
    ("webhook_subscriptions", "workspace_id, url"),
];

/// Returns the checks of all tables.
pub(super) fn generated_checks(source: &SourceSchema, old: &str) -> Vec<GeneratedCheck> {
    let mut checks = Vec::new();
    for mapping in TABLES {
        let present = source.table(mapping.table).types;
        for column in mapping.columns {
            if let Some(source_type) = present.get(column.name) {
                checks.extend(of_column(mapping, column, old));
                checks.extend(of_conversion(mapping, column, source_type, source.can_validate, old));
            }
        }
        checks.extend(of_references(mapping, old));
    }
    checks.extend(UNIQUE_KEYS.iter().map(|(table, key)| GeneratedCheck {
        table,
        what: format!("the same {key} as another row"),
        becomes: AdoptionOutcome::SetAside,
        note: "the first by id is adopted",
        query: format!(
            "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM {old}.{table}
             GROUP BY {key} HAVING count(*) > 1) AS same"
        ),
    }));
    checks
}

fn of_column(mapping: &'static TableMapping, column: &ColumnMapping, old: &str) -> Vec<GeneratedCheck> {
    let name = escape_identifier(column.name);
    let check = |what: String, becomes, note, condition: String| GeneratedCheck {
        table: mapping.table,
        what,
        becomes,
        note,
        query: format!("SELECT count(*) FROM {old}.{} WHERE {condition}", mapping.table),
    };
    let mut checks = Vec::new();
    // Vectors, passwords and the computed columns of jobs have checks of their own.
    let has_own = column.old.is_some() || ["vector", "password_hash"].contains(&column.name);
    let null = match column.null {
        NullValue::Refused => Some((AdoptionOutcome::SetAside, "the new table requires a value")),
        NullValue::Becomes(_) => Some((AdoptionOutcome::Changed, "the new rows have the default, or are not active")),
        NullValue::Earlier => Some((
            AdoptionOutcome::Changed,
            "the new rows have the time at which the row was inserted or changed, or else 1970",
        )),
        NullValue::Kept => None,
    };
    if let Some((becomes, note)) = null.filter(|_| !has_own) {
        checks.push(check(format!("no {}", column.name), becomes, note, format!("{name} IS NULL")));
    }
    if column.kind == ValueKind::Label {
        let labels = LABELS.iter().find(|(of_type, _)| *of_type == column.target_type).map_or(&[][..], |(_, all)| all);
        let labels = labels.iter().map(|label| escape_literal(label)).collect::<Vec<_>>().join(", ");
        let note = "the rows that refer to them are set aside too";
        let condition = format!("{name}::text <> ALL (ARRAY[{labels}])");
        checks.push(check(format!("an unknown {}", column.name), AdoptionOutcome::SetAside, note, condition));
    }
    if column.kind == ValueKind::Time {
        let note = "the new rows have the nearest time; the old rows are set aside too";
        let condition = format!("NOT ({name} >= '0001-01-01' AND {name} < '10000-01-01')");
        let what = format!("{} beyond the years 1 to 9999", column.name);
        checks.push(check(what, AdoptionOutcome::Changed, note, condition));
    }
    checks
}

/// Returns the check for values that have another type in the source, and do not fit into the new one.
fn of_conversion(
    mapping: &'static TableMapping,
    column: &ColumnMapping,
    source_type: &str,
    can_validate: bool,
    old: &str,
) -> Option<GeneratedCheck> {
    let name = escape_identifier(column.name);
    let condition = match (column.kind, source_type, column.target_type) {
        // Scores have a check of their own.
        _ if column.old.is_some() || column.name == "score" => return None,
        (ValueKind::Integer, "int2", _) | (ValueKind::Integer, "int4", "integer") => return None,
        (ValueKind::Integer, _, target) => {
            format!("NOT ({})", is_integer(&format!("{name}::numeric"), target))
        }
        (ValueKind::Json, "text" | "varchar", _) if can_validate => {
            format!("btrim({name}::text) <> '' AND NOT pg_input_is_valid({name}::text, 'jsonb')")
        }
        _ => return None,
    };
    let (becomes, note) = if column.null == NullValue::Kept {
        (AdoptionOutcome::Changed, "they are adopted without it; the old rows are set aside too")
    } else {
        (AdoptionOutcome::SetAside, "the new column has another type")
    };
    Some(GeneratedCheck {
        table: mapping.table,
        what: format!("a {} that does not fit into {}", column.name, column.target_type),
        becomes,
        note,
        query: format!("SELECT count(*) FROM {old}.{} WHERE {condition}", mapping.table),
    })
}

/// Returns the checks for references to rows that do not exist in any workspace.
fn of_references(mapping: &'static TableMapping, old: &str) -> Vec<GeneratedCheck> {
    let has_workspace = mapping.columns.iter().any(|column| column.name == "workspace_id");
    let workspace = has_workspace.then_some(("workspace_id", "workspaces"));
    let references = mapping.refers.iter().copied().chain(workspace);
    let checks = references.map(|(column, parent)| {
        let is_cleared = mapping.cleared.iter().any(|(cleared, _)| *cleared == column);
        let (becomes, note) = if is_cleared {
            (AdoptionOutcome::Changed, "they are adopted without it; the old rows are set aside too")
        } else {
            (AdoptionOutcome::SetAside, "nobody knows what they belong to")
        };
        GeneratedCheck {
            table: mapping.table,
            what: format!("a {column} that does not exist"),
            becomes,
            note,
            query: format!(
                "SELECT count(*) FROM {old}.{} c WHERE {column} IS NOT NULL
                 AND NOT EXISTS (SELECT FROM {old}.{parent} p WHERE p.id = c.{column})",
                mapping.table
            ),
        }
    });
    checks.collect()
}
