//! The connections to both databases of an adoption.

use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::copy::{SourceDatabase, TableCopier};
use super::statements::TableStatements;
use super::tables::TABLES;
use workspace_db::config::DatabaseUrl;
use workspace_db::sql_types::SecretKey;
use workspace_db::{Error, ErrorKind, Result, db};

/// Maximum time to wait until writers release the tables.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Settings of both sessions. A role or a database may have others, which change the text of values or end a session that
/// reads whole tables.
const SETTINGS: &str = "
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET array_nulls = on;
    SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
    SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
        'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')";
/// Settings of the source's session. With row_security off, PostgreSQL rejects a query from which a policy would hide rows.
const SOURCE_SETTINGS: &str = "
    SET row_security = off;
    SELECT set_config('search_path', concat_ws(', ', 'public', (SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector')), false)";

/// Connects to the old platform's database.
pub(super) async fn source(url: &DatabaseUrl) -> Result<Client> {
    let client = db::client(url).await?;
    // A timeout of a few milliseconds would end the other settings.
    client.batch_execute("SET statement_timeout = 0").await?;
    client.batch_execute(&format!("{SETTINGS}; {SOURCE_SETTINGS}")).await?;
    Ok(client)
}

/// Connects to the new database. In place, the URL has the search path of the new tables.
pub(super) async fn target(url: &DatabaseUrl) -> Result<Client> {
    let client = db::catalog_client(url).await?;
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}

/// Connections to the old database and to the new one.
pub(super) struct Connections {
    pub(super) source: Client,
    pub(super) target: Client,
    /// Schema of the old tables, quoted.
    pub(super) old: String,
    /// Statements of all tables, parents before children.
    pub(super) statements: Vec<TableStatements>,
}

impl Connections {
    pub(super) fn there<'a>(&'a self, key: Option<&'a SecretKey>) -> SourceDatabase<'a> {
        SourceDatabase { client: &self.source, old: &self.old, key }
    }

    pub(super) fn copying<'a>(&'a mut self, key: Option<&'a SecretKey>) -> TableCopier<'a> {
        TableCopier {
            there: SourceDatabase { client: &self.source, old: &self.old, key },
            target: &mut self.target,
            statements: &self.statements,
        }
    }

    /// Locks out writers until the transaction that begins here ends. Each attempt takes less time than PostgreSQL waits
    /// before it looks for a deadlock. So a writer that has locked some of these tables gets the others, and does not fail.
    pub(super) async fn lock_out_writers(&self, they_are_stopped: bool) -> Result<()> {
        let tables =
            TABLES.iter().map(|mapping| format!("{}.{}", self.old, mapping.table)).collect::<Vec<_>>().join(", ");
        let lock = format!("BEGIN; SET LOCAL lock_timeout = '300ms'; LOCK TABLE {tables} IN SHARE MODE");
        let began = Instant::now();
        loop {
            let Err(error) = self.source.batch_execute(&lock).await else { return Ok(()) };
            self.source.batch_execute("ROLLBACK").await?;
            match error.code() {
                // A replica permits no such lock.
                Some(&(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::READ_ONLY_SQL_TRANSACTION)) if they_are_stopped => {
                    return Ok(self.source.batch_execute("BEGIN").await?);
                }
                Some(&(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::READ_ONLY_SQL_TRANSACTION)) => {
                    return Err(Error::new(
                        ErrorKind::MissingPrerequisite,
                        "this login may not lock the old tables against writers",
                    )
                    .remedy("stop the writers and pass --writers-are-stopped, or use the owner's login")
                    .caused_by(error));
                }
                Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED))
                    if began.elapsed() < PATIENCE =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED)) => {
                    return Err(Error::new(ErrorKind::Conflict, "writers did not release the old tables within 10 s")
                        .remedy("stop the writers and try again")
                        .caused_by(error));
                }
                _ => return Err(error.into()),
            }
        }
    }
}
