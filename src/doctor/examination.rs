//! Examination of a database: its logins, its tables and its thresholds.

use std::time::Duration;

use tokio_postgres::Client;

use crate::config::{Config, DatabaseUrl};
use crate::db::migrations::Migrator;
use crate::error::{Error, ErrorKind, Result};
use crate::tenancy::{Database, TENANT_TABLES};

/// Thresholds from which a check reports a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Running time of a statement.
    pub long_transaction: Duration,
    /// Idle time of a transaction.
    pub idle_transaction: Duration,
    /// Time since a job became due, or since its lease ended.
    pub stuck_job: Duration,
    /// Number of dead rows, if they are also a fifth of the live rows.
    pub dead_rows: u32,
    /// Size in bytes of an index that was never used.
    pub unused_index: u64,
    /// Minimum mean recall of a workspace.
    pub recall: f64,
    /// Number of questions for each of the five largest workspaces. With 0, recall is not measured.
    pub questions: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            long_transaction: Duration::from_secs(15 * 60),
            idle_transaction: Duration::from_secs(60),
            stuck_job: Duration::from_secs(15 * 60),
            dead_rows: 10_000,
            unused_index: 64 << 20,
            recall: 0.99,
            questions: 5,
        }
    }
}

/// Examination of a database.
#[derive(Clone, Debug)]
pub struct Doctor {
    pub(super) config: Config,
    pub(super) owner: DatabaseUrl,
    pub(super) migrator: Migrator,
    tables: Vec<String>,
    pub(super) thresholds: Thresholds,
}

impl Doctor {
    /// Creates an examination of the database in `config`, as its owner.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if `DATABASE_URL` is not set.
    pub fn new(config: &Config) -> Result<Self> {
        let owner = config.database_url.clone().ok_or_else(|| {
            Error::new(ErrorKind::MissingPrerequisite, "the doctor needs the login of the owner")
                .remedy("set DATABASE_URL")
        })?;
        Ok(Self {
            config: config.clone(),
            migrator: Migrator::new(&owner, config.environment),
            owner,
            tables: TENANT_TABLES.iter().map(|table| (*table).to_owned()).collect(),
            thresholds: Thresholds::default(),
        })
    }

    /// Adds your own tenant tables, such as the list that [`tenant_tables!`](crate::tenant_tables) makes.
    #[must_use]
    pub fn with_tables(mut self, tables: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tables.extend(tables.into_iter().map(Into::into));
        self
    }

    /// Uses this migrator, for example one with your own migrations.
    #[must_use]
    pub fn with_migrations(self, migrator: Migrator) -> Self {
        Self { migrator, ..self }
    }

    /// Replaces the default thresholds.
    #[must_use]
    pub fn with_thresholds(self, thresholds: Thresholds) -> Self {
        Self { thresholds, ..self }
    }

    pub(super) fn registered(&self) -> Vec<&str> {
        self.tables.iter().map(String::as_str).collect()
    }
}

/// Context of the checks.
pub(super) struct CheckContext<'a> {
    pub(super) doctor: &'a Doctor,
    /// Client of the owner.
    pub(super) owner: Client,
    /// Database as an application opens it, if it can be opened.
    pub(super) database: Option<Database>,
}
