//! The connections to both databases of an adoption.

use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::copy::{SourceDatabase, TableCopier};
use super::tables::TABLES;
use workspace_db::sql_types::SecretKey;
use workspace_db::{Error, ErrorKind, Result};

/// Maximum time to wait until writers release the tables.
const PATIENCE: Duration = Duration::from_secs(10);
/// SQL that replaces the old tables by the new ones.
const SWAP: &str = include_str!("swap.sql");
/// Enums of the old package.
const OLD_TYPES: &str = "language,admin_role,admin_status,datasource_type,datasource_sync_status,conversation_status,\
                         message_role,job_status";
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Connections to the old database and to the new one.
pub(super) struct Connections {
    pub(super) source: Client,
    pub(super) target: Client,
    /// Schema of the old tables, quoted.
    pub(super) old: String,
}

impl Connections {
    pub(super) fn there<'a>(&'a self, key: Option<&'a SecretKey>) -> SourceDatabase<'a> {
        SourceDatabase { client: &self.source, old: &self.old, key }
    }

    pub(super) fn copying<'a>(&'a mut self, key: Option<&'a SecretKey>) -> TableCopier<'a> {
        TableCopier { there: SourceDatabase { client: &self.source, old: &self.old, key }, target: &mut self.target }
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
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) if they_are_stopped => {
                    return Ok(self.source.batch_execute("BEGIN").await?);
                }
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
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

    /// Replaces the old tables by the new ones, moves the old ones aside, and ends the transaction that locks out writers.
    pub(super) async fn swap(&self) -> Result<()> {
        let tables: Vec<&str> = TABLES.iter().map(|mapping| mapping.table).collect();
        let swap = SWAP.replace("{tables}", &tables.join(",")).replace("{types}", OLD_TYPES);
        let swap = format!(
            "SET LOCAL lock_timeout = '10s'; {swap} INSERT INTO workspace_db_adoption.switched DEFAULT VALUES; COMMIT"
        );
        self.source.batch_execute(&swap).await.map_err(|error| match error.code() {
            Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED)) => {
                Error::new(ErrorKind::Conflict, "readers did not release the old tables within 10 s")
                    .remedy("end their transactions and try again; nothing was changed")
                    .caused_by(error)
            }
            _ => error.into(),
        })
    }
}
