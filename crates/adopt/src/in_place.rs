//! The exchange of the old tables and the new ones within one database, and the way back.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::dependents::{ForeignKey, OLD_TYPES, dependents, refuse_blocking};
use super::tables::TABLES;
use workspace_db::{Error, ErrorKind, Result};

/// Schema of the old package's tables.
pub(super) const OLD_SCHEMA: &str = "public";
/// Schema of the new tables while the old application still uses its own tables in the same database.
pub(super) const NEXT_SCHEMA: &str = "workspace_db_next";
/// Schema of the old tables after the switch.
const BEFORE_SCHEMA: &str = "workspace_db_before";
const MOVE_OLD: &str = include_str!("move_old.sql");
const MOVE_NEW: &str = include_str!("move_new.sql");
const RECORD: &str = include_str!("record_new.sql");
/// Settings of the transaction that exchanges the tables. Functions get its search path.
const SETTINGS: &str =
    "SET LOCAL lock_timeout = '10s'; SET LOCAL row_security = on; SET LOCAL search_path = \"$user\", public";
const EMPTY_NEW: &str = include_str!("empty_new.sql");
const EXTENSIONS: &str = include_str!("move_extensions.sql");
const MOVE_KEYS: &str = include_str!("move_foreign_keys.sql");

/// Replaces the old tables by the new ones and moves the old ones aside, in the transaction that locks out writers, and
/// ends it. Functions get PostgreSQL's default search path, as from the migrations of a new database.
pub(super) async fn switch(source: &Client) -> Result<()> {
    let (found, keys) = dependents(source, OLD_SCHEMA).await?;
    refuse_blocking(&found)?;
    let record = "INSERT INTO workspace_db_adoption.foreign_keys (of_table, name, definition) VALUES ($1, $2, $3)";
    for ForeignKey { of_table, name, definition } in &keys {
        source.execute(record, &[of_table, name, definition]).await?;
    }
    let statements = [
        SETTINGS.to_owned(),
        keys_dropped(),
        RECORD.replace("{from}", NEXT_SCHEMA),
        format!("CREATE SCHEMA {BEFORE_SCHEMA}"),
        moved_old(OLD_SCHEMA, BEFORE_SCHEMA),
        MOVE_NEW.replace("{to}", OLD_SCHEMA).replace("{path}", "FROM CURRENT"),
        EXTENSIONS.replace("{from}", NEXT_SCHEMA).replace("{to}", OLD_SCHEMA),
        format!("DROP SCHEMA {NEXT_SCHEMA}"),
        // PostgreSQL validates a key as the owner, from whom the policies hide all rows.
        forced("NO FORCE"),
        keys_added(),
        forced("FORCE"),
        "INSERT INTO workspace_db_adoption.switched DEFAULT VALUES; COMMIT".to_owned(),
    ];
    source.batch_execute(&statements.join(";\n")).await.map_err(not_exchanged)
}

/// Moves the new tables away and the old ones back, in one transaction.
pub(super) async fn switch_back(source: &Client) -> Result<()> {
    // You may have dropped some of the foreign keys since.
    let forget = "DELETE FROM workspace_db_adoption.foreign_keys k WHERE NOT EXISTS (
        SELECT FROM pg_constraint c WHERE c.conrelid = k.of_table AND c.conname = k.name)";
    let statements = [
        format!("BEGIN; {SETTINGS}"),
        forget.to_owned(),
        keys_dropped(),
        EMPTY_NEW.to_owned(),
        format!("CREATE SCHEMA {NEXT_SCHEMA}; GRANT USAGE ON SCHEMA {NEXT_SCHEMA} TO PUBLIC"),
        MOVE_NEW.replace("{to}", NEXT_SCHEMA).replace("{path}", &format!("TO {NEXT_SCHEMA}, {OLD_SCHEMA}")),
        moved_old(BEFORE_SCHEMA, OLD_SCHEMA),
        format!("DROP SCHEMA {BEFORE_SCHEMA}"),
        keys_added(),
        "DELETE FROM workspace_db_adoption.moved; DELETE FROM workspace_db_adoption.foreign_keys;
         DELETE FROM workspace_db_adoption.set_aside; DELETE FROM workspace_db_adoption.progress;
         DELETE FROM workspace_db_adoption.switched; COMMIT"
            .to_owned(),
    ];
    source.batch_execute(&statements.join(";\n")).await.map_err(not_exchanged)
}

/// Drops the old tables, and the old types that nothing uses. Returns the types that are kept for other objects. Fails if
/// another object depends on a table.
pub(super) async fn drop_old(target: &Transaction<'_>) -> Result<Vec<String>> {
    let tables =
        TABLES.iter().map(|mapping| format!("{BEFORE_SCHEMA}.{}", mapping.table)).collect::<Vec<_>>().join(", ");
    target.batch_execute(&format!("DROP TABLE {tables}")).await.map_err(|error| {
        let detail = error.as_db_error().and_then(|said| said.detail()).unwrap_or_default().replace('\n', "; ");
        match error.code() {
            Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                Error::new(ErrorKind::Conflict, format!("objects of yours depend on the old tables: {detail}"))
                    .remedy("drop them or move them to the new tables, and try again; nothing was dropped")
                    .caused_by(error)
            }
            _ => error.into(),
        }
    })?;
    let unused = "SELECT t.oid::regtype::text, EXISTS (
            SELECT FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype <> 'i')
        FROM pg_type t WHERE t.typnamespace = to_regnamespace($1) AND t.typtype = 'e' ORDER BY 1";
    let mut kept = Vec::new();
    for row in target.query(unused, &[&BEFORE_SCHEMA]).await? {
        let (name, is_used): (String, bool) = (row.get(0), row.get(1));
        if is_used {
            kept.push(name);
        } else {
            target.batch_execute(&format!("DROP TYPE {name}")).await?;
        }
    }
    // Without CASCADE it fails if others have put objects there.
    if kept.is_empty() {
        target.batch_execute(&format!("DROP SCHEMA {BEFORE_SCHEMA}")).await?;
    }
    Ok(kept)
}

fn moved_old(from: &str, to: &str) -> String {
    let tables: Vec<&str> = TABLES.iter().map(|mapping| mapping.table).collect();
    let moved = MOVE_OLD.replace("{tables}", &tables.join(",")).replace("{types}", &OLD_TYPES.join(","));
    moved.replace("{from}", from).replace("{to}", to)
}

fn forced(force: &str) -> String {
    let of = |table| format!("ALTER TABLE {OLD_SCHEMA}.{table} {force} ROW LEVEL SECURITY");
    ["workspaces", "admin_users"].map(of).join("; ")
}

fn keys_dropped() -> String {
    MOVE_KEYS.replace("{change}", "DROP CONSTRAINT %I").replace("{argument}", "one.name")
}

fn keys_added() -> String {
    MOVE_KEYS.replace("{change}", "ADD CONSTRAINT %I %s").replace("{argument}", "one.name, one.definition")
}

fn not_exchanged(error: tokio_postgres::Error) -> Error {
    let detail = error.as_db_error().and_then(|said| said.detail()).unwrap_or_default();
    match error.code() {
        Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED)) => {
            Error::new(ErrorKind::Conflict, "readers did not release the old tables within 10 s")
                .remedy("end their transactions and try again; nothing was changed")
                .caused_by(error)
        }
        Some(&SqlState::FOREIGN_KEY_VIOLATION) => {
            Error::new(ErrorKind::Conflict, format!("a table of yours refers to a row that was set aside: {detail}"))
                .remedy("correct that row, or delete the reference, and try again; nothing was changed")
                .caused_by(error)
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Error::new(ErrorKind::MissingPrerequisite, "this login may not exchange the tables")
                .remedy(
                    "use the login that owns the old tables and every table that refers to them; nothing was changed",
                )
                .caused_by(error)
        }
        _ => error.into(),
    }
}
