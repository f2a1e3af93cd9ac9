//! Checks that a database is fit for use, in one table: each with its status and its remedy.
//!
//! [`Doctor`] runs them all, for an operator or a pipeline. [`fit_to_serve`] runs only the cheap ones that a backend
//! must pass before it serves.

mod fix;
pub mod isolation;
mod logins;
mod maintenance;
mod readiness;
mod schema;
mod server;
mod values;
mod vectors;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Client;

pub use self::fix::Fix;
pub use self::readiness::fit_to_serve;
use crate::config::{Config, DatabaseUrl, Environment};
use crate::db;
use crate::db::migrations::Migrator;
use crate::error::{Error, Kind, Result};
use crate::tenancy::{Database, TENANT_TABLES};

/// Status of a check, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The condition holds.
    Pass,
    /// The check could not run here; the finding gives the reason.
    Skipped,
    /// The database works, but will fail later without action.
    Warn,
    /// The problem must be fixed: workspaces are not isolated, or the program does not work on this database.
    Fail,
}

impl fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check, one of [`CHECKS`].
    pub check: &'static str,
    /// Status of the check.
    pub state: CheckStatus,
    /// Objects that fail the check, each with its problem.
    pub found: Vec<String>,
    /// Remedy, if one is needed.
    pub remedy: Option<&'static str>,
}

/// Check, with its name, its question and its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// Question that it answers.
    pub asks: &'static str,
    /// Remedy if the answer is no.
    pub remedy: &'static str,
}

/// All checks, in the order of a report.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    Check { name: "version", asks: "is the server one that this program works with?", remedy: "upgrade it to PostgreSQL 16 or newer" },
    Check { name: "vulnerabilities", asks: "is its minor release free of known vulnerabilities?", remedy: "upgrade it to the newest minor release: install the package and restart, without a dump" },
    Check { name: "extensions", asks: "is pgvector there, new enough and up to date?", remedy: "upgrade the package, then run ALTER EXTENSION vector UPDATE in this database" },
    Check { name: "texts", asks: "does the database store every character, and know its capital letter?", remedy: "dump it, and restore it into one that was created with ENCODING 'UTF8' LOCALE_PROVIDER builtin LOCALE 'C.UTF-8' TEMPLATE template0 (from PostgreSQL 17), or with a LOCALE whose name ends in UTF-8" },
    Check { name: "logins", asks: "is each login bound by row-level security, and a member of what it needs?", remedy: "make the logins with `workspace-db roles --apply` and set DATABASE_APP_URL and DATABASE_PLATFORM_URL" },
    Check { name: "credentials", asks: "was the documented password of the bootstrap changed?", remedy: "`workspace-db admin reset-password admin@example.com` and `admin set-password`, or `admin disable` it" },
    Check { name: "pooler", asks: "does nothing depend on what a pooler breaks?", remedy: "let DATABASE_URL lead to the server itself, and leave `options` out of the other URLs" },
    Check { name: "registry", asks: "is every table with a workspace_id registered, and the other way round?", remedy: "register it with tenant_tables!, or name it with --table; or migrate" },
    Check { name: "policies", asks: "is every table under forced row-level security with the policies that are meant?", remedy: "SELECT workspace_db_isolate('the_table'), in a migration; --fix switches row-level security on again" },
    Check { name: "grants", asks: "may the group roles do what they need, and nobody more?", remedy: "REVOKE or GRANT in a migration; --fix takes away what everyone may" },
    Check { name: "default_privileges", asks: "does nothing give a new object, or a workspace, to whoever comes?", remedy: "ALTER DEFAULT PRIVILEGES, REVOKE CREATE ON SCHEMA, ALTER DATABASE or ROLE ... RESET app.workspace_id" },
    Check { name: "keys", asks: "does every primary, unique and foreign key carry the workspace?", remedy: "make it anew in a migration, beginning with workspace_id" },
    Check { name: "views", asks: "do views have the rights of who asks?", remedy: "ALTER VIEW ... SET (security_invoker = true)" },
    Check { name: "functions", asks: "does no function or rule reach past the policies?", remedy: "make it SECURITY INVOKER, or REVOKE EXECUTE FROM PUBLIC" },
    Check { name: "roles", asks: "do the group roles have no powers of their own?", remedy: "ALTER ROLE and REVOKE what is named, as a superuser; `workspace-db roles` prints how they are made" },
    Check { name: "migrations", asks: "is every migration applied, as it is here?", remedy: "`workspace-db migrate run`; `migrate status` tells of each" },
    Check { name: "drift", asks: "is the schema the one that the migrations make?", remedy: "bring it back, or write what was done by hand into a migration" },
    Check { name: "comments", asks: "do all tables and columns say what they are?", remedy: "COMMENT ON, in a migration" },
    Check { name: "invalid_indexes", asks: "is every index whole?", remedy: "REINDEX INDEX CONCURRENTLY, or drop what a REINDEX has left behind; --fix does" },
    Check { name: "missing_indexes", asks: "does an index begin with the columns of each foreign key?", remedy: "CREATE INDEX CONCURRENTLY, in a migration outside of a transaction" },
    Check { name: "unused_indexes", asks: "is every large index used?", remedy: "look at all replicas, then drop it in a migration: each write pays for it" },
    Check { name: "vector_columns", asks: "does each vector that is searched have its bits, and an index over them?", remedy: "add them as document_chunks has them; `workspace-db migrate generate` writes them" },
    Check { name: "vector_indexes", asks: "is nothing due at the vector indexes?", remedy: "`workspace-db index retrain`" },
    Check { name: "recall", asks: "do searches find what there is, in each of the largest workspaces?", remedy: "`workspace-db index verify` measures more of it, `index retrain` mends what an index does" },
    Check { name: "dead_rows", asks: "does vacuum keep up, and is every table analyzed?", remedy: "VACUUM (ANALYZE) the table, which --fix does, and let autovacuum come by more often" },
    Check { name: "wraparound", asks: "are old transactions frozen in time?", remedy: "VACUUM (FREEZE) the oldest tables, and look for what holds it back: old transactions, prepared ones, replication slots" },
    Check { name: "long_transactions", asks: "does no statement run for very long?", remedy: "find out what it does; SELECT pg_terminate_backend(pid) ends it" },
    Check { name: "idle_transactions", asks: "does nobody sit in a transaction and do nothing?", remedy: "end the transaction in the program that forgot it; set idle_in_transaction_session_timeout" },
    Check { name: "unreadable_values", asks: "can programs read every value?", remedy: "in a migration, SELECT workspace_db_refuse_unreadable('the_table'), and in the next one workspace_db_set_unreadable_aside('the_table')" },
    Check { name: "stuck_jobs", asks: "does somebody run the jobs?", remedy: "start a worker: `workspace-db jobs work`; `jobs stats` and `jobs list` tell more" },
];

/// Limits from which a check reports a problem.
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
    config: Config,
    owner: DatabaseUrl,
    migrator: Migrator,
    tables: Vec<String>,
    limits: Thresholds,
}

/// Context of the checks.
struct CheckContext<'a> {
    doctor: &'a Doctor,
    /// Client of the owner.
    owner: Client,
    /// Database as an application opens it, if it can be opened.
    database: Option<Database>,
}

impl Doctor {
    /// Creates an examination of the database in `config`, as its owner.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if `DATABASE_URL` is not set.
    pub fn new(config: &Config) -> Result<Self> {
        let owner = config.database_url.clone().ok_or_else(|| {
            Error::new(Kind::MissingPrerequisite, "an examination needs the owner's login").remedy("set DATABASE_URL")
        })?;
        Ok(Self {
            config: config.clone(),
            migrator: Migrator::new(&owner, config.environment),
            owner,
            tables: TENANT_TABLES.iter().map(|table| (*table).to_owned()).collect(),
            limits: Thresholds::default(),
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

    /// Replaces the default limits.
    #[must_use]
    pub fn with_thresholds(self, limits: Thresholds) -> Self {
        Self { limits, ..self }
    }

    /// Runs every check and returns the findings, in the order of [`CHECKS`]. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) if the server does not answer. A check that can't run is a finding.
    ///
    /// ```no_run
    /// # async fn example() -> workspace_db::Result<()> {
    /// use workspace_db::config::Config;
    /// use workspace_db::doctor::{Doctor, CheckStatus};
    ///
    /// for finding in Doctor::new(&Config::from_env()?)?.run_checks().await? {
    ///     if finding.state == CheckStatus::Fail {
    ///         println!("{}: {:?}", finding.check, finding.found);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_checks(&self) -> Result<Vec<Finding>> {
        let lenient = Config { environment: Environment::Development, pool_size: 2, ..self.config.clone() };
        let context = CheckContext {
            doctor: self,
            owner: db::catalog_client(&self.owner).await?,
            database: Database::open(&lenient).await.ok(),
        };
        let mut noted = Vec::new();
        noted.extend(server::diagnostics(&context).await?);
        noted.extend(logins::diagnostics(&context).await);
        noted.extend(context.isolation().await);
        noted.extend(schema::diagnostics(&context).await);
        noted.extend(maintenance::diagnostics(&context).await);
        noted.extend(values::diagnostics(&context).await);
        noted.extend(vectors::diagnostics(&context).await);
        Ok(CHECKS.iter().map(|check| Finding::of(check, &noted)).collect())
    }

    /// Fixes what can be fixed without loss of data, and without blocking other sessions for longer than two seconds.
    /// Returns the statements that were tried.
    ///
    /// It switches row-level security on again, and revokes grants to everyone on tenant tables. It repairs invalid
    /// indexes, and vacuums tables that autovacuum does not keep up with.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable). A statement that the database rejects is part of the result.
    pub async fn fix(&self) -> Result<Vec<Fix>> {
        fix::fix(self).await
    }

    fn registered(&self) -> Vec<&str> {
        self.tables.iter().map(String::as_str).collect()
    }
}

/// Problem that a check has found.
struct Diagnostic {
    check: &'static str,
    state: CheckStatus,
    what: String,
}

impl Diagnostic {
    fn new(check: &'static str, state: CheckStatus, what: impl Into<String>) -> Self {
        Self { check, state, what: what.into() }
    }

    /// Creates the diagnostic of a check that could not run.
    fn skipped(check: &'static str, error: &Error) -> Self {
        Self::new(check, CheckStatus::Skipped, error.to_string())
    }
}

impl Finding {
    fn of(check: &'static Check, noted: &[Diagnostic]) -> Self {
        let own: Vec<_> = noted.iter().filter(|one| one.check == check.name).collect();
        let state = own.iter().map(|one| one.state).max().unwrap_or(CheckStatus::Pass);
        Self {
            check: check.name,
            state,
            found: own.iter().map(|one| one.what.clone()).collect(),
            remedy: (state > CheckStatus::Skipped).then_some(check.remedy),
        }
    }
}

impl CheckContext<'_> {
    async fn isolation(&self) -> Vec<Diagnostic> {
        match isolation::isolation_violations(&self.owner, &self.doctor.registered()).await {
            Ok(isolation_violations) => isolation_violations
                .into_iter()
                .map(|one| Diagnostic::new(one.check, CheckStatus::Fail, format!("{}: {}", one.object, one.fault)))
                .collect(),
            Err(error) => {
                ["registry", "policies", "grants", "default_privileges", "keys", "views", "functions", "roles"]
                    .map(|check| Diagnostic::skipped(check, &error))
                    .into()
            }
        }
    }
}
