//! Objects of others that depend on the old tables, in an adoption in place.

use serde::Serialize;
use tokio_postgres::GenericClient;

use super::tables::TABLES;
use workspace_db::{Error, ErrorKind, Result};

/// Query for the dependents of a schema's tables and types.
const DEPENDENTS: &str = include_str!("dependents.sql");
/// Enums of the old package.
pub(super) const OLD_TYPES: &[&str] = &[
    "language",
    "admin_role",
    "admin_status",
    "datasource_type",
    "datasource_sync_status",
    "conversation_status",
    "message_role",
    "job_status",
];

/// Tables of this crate that the old package does not have.
const NEW_TABLES: &[&str] = &[
    "__diesel_schema_migrations",
    "admin_tokens",
    "audit_log",
    "chunk_reembeddings",
    "job_queues",
    "job_schedules",
    "login_throttles",
    "message_deltas",
    "message_sources",
    "model_calls",
    "service_tokens",
];
/// Enums of this crate that the old package does not have.
const NEW_TYPES: &[&str] = &[
    "admin_token_kind",
    "audit_actor",
    "conversation_speaker",
    "document_status",
    "feedback_judge",
    "job_uniqueness",
    "message_state",
    "service_access",
];

/// Object of others that depends on an old table or enum, or has the name of a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptionDependent {
    /// Description of the object, as PostgreSQL gives it.
    pub object: String,
    /// Outcome for the object.
    pub becomes: DependentOutcome,
    /// Consequence, or the necessary action.
    pub note: &'static str,
}

/// Outcome for an object of others in an adoption in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DependentOutcome {
    /// The foreign key refers to the new table after the switch.
    Repointed,
    /// The object keeps the old type, which stays in the schema `workspace_db_before`.
    Kept,
    /// The object belongs to an old table, and is dropped with it.
    Dropped,
    /// The object prevents the switch.
    Blocking,
}

/// Foreign key of another table on one of the old tables.
pub(super) struct ForeignKey {
    pub(super) of_table: u32,
    pub(super) name: String,
    pub(super) definition: String,
}

/// Returns the objects that depend on the tables and enums of a schema, and those of them that are foreign keys to move.
pub(super) async fn dependents(
    client: &impl GenericClient,
    schema: &str,
) -> Result<(Vec<AdoptionDependent>, Vec<ForeignKey>)> {
    let tables: Vec<&str> = TABLES.iter().map(|mapping| mapping.table).collect();
    let (mut dependents, mut keys) = (Vec::new(), Vec::new());
    for row in client.query(DEPENDENTS, &[&schema, &tables, &OLD_TYPES, &NEW_TABLES, &NEW_TYPES]).await? {
        let (becomes, note) = match row.get(1) {
            "repointed" => {
                keys.push(ForeignKey { of_table: row.get(2), name: row.get(3), definition: row.get(4) });
                (DependentOutcome::Repointed, "the switch moves it to the new table")
            }
            "kept" => (DependentOutcome::Kept, "the old type stays in the schema workspace_db_before, with its labels"),
            "dropped" => {
                (DependentOutcome::Dropped, "it goes with the old table; create it again on the new one if you need it")
            }
            _ => (
                DependentOutcome::Blocking,
                "rename or drop it before the switch, and create it again for the new table afterwards; move the rows of a child table into its parent first",
            ),
        };
        dependents.push(AdoptionDependent { object: row.get(0), becomes, note });
    }
    if let Some(schema) = distant_schema(client).await? {
        let object = format!("extension vector in schema {schema}");
        let note = "run ALTER EXTENSION vector SET SCHEMA public, where the new tables expect it";
        dependents.insert(0, AdoptionDependent { object, becomes: DependentOutcome::Blocking, note });
    }
    Ok((dependents, keys))
}

/// Returns the schema of the extension `vector`, if the new tables don't find it there: they expect it in `public`.
async fn distant_schema(client: &impl GenericClient) -> Result<Option<String>> {
    let schema = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'vector' AND n.nspname <> 'public'";
    Ok(client.query_opt(schema, &[]).await?.map(|row| row.get(0)))
}

/// Returns an error if the extension `vector` is in a schema where the new tables don't find it.
pub(super) async fn refuse_distant_vector(client: &impl GenericClient) -> Result<()> {
    let Some(schema) = distant_schema(client).await? else { return Ok(()) };
    let message = format!("the extension vector is in the schema {schema}, and the new tables expect it in public");
    Err(Error::new(ErrorKind::MissingPrerequisite, message)
        .remedy("run ALTER EXTENSION vector SET SCHEMA public, or adopt the tables into another database"))
}

/// Returns an error that names the objects which prevent the switch, if there are any.
pub(super) fn refuse_blocking(dependents: &[AdoptionDependent]) -> Result<()> {
    let blocking = dependents.iter().filter(|one| one.becomes == DependentOutcome::Blocking);
    let blocking: Vec<&str> = blocking.map(|one| one.object.as_str()).collect();
    if blocking.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, format!("objects of yours prevent the switch: {}", blocking.join("; ")))
        .remedy("rename or drop them, or take the tables out of them, and create them again after the switch: the new tables have other keys and row-level security"))
}
