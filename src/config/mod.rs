//! Settings from the environment, typed, with secrets redacted.

mod database_url;
mod settings;

use std::env;
use std::str::FromStr;
use std::time::Duration;

pub use self::database_url::DatabaseUrl;
pub use self::settings::{Setting, settings};
use crate::error::{Error, Result};

/// What kind of deployment this is: `WORKSPACE_DB_ENV`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// A laptop or a test; the default.
    #[default]
    Development,
    /// Tenants' data is here: no bootstrap administrator is inserted.
    Production,
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err(Error::invalid(format!("WORKSPACE_DB_ENV is {text:?}")).remedy("use development or production")),
        }
    }
}

/// What the environment says.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_URL`: the owner's login, which migrates. The Diesel CLI reads the same variable.
    pub database_url: Option<DatabaseUrl>,
    /// `DATABASE_APP_URL`: the application's login.
    pub database_app_url: Option<DatabaseUrl>,
    /// `DATABASE_PLATFORM_URL`: the login that may see every workspace; else the owner's is used for that.
    pub database_platform_url: Option<DatabaseUrl>,
    /// `WORKSPACE_DB_POOL_SIZE`: connections that each login may open; raw SQL across workspaces has a quarter as many besides.
    pub pool_size: usize,
    /// `WORKSPACE_DB_WORKSPACE_CONNECTIONS`: connections of the application's pool that one workspace may hold at once; else
    /// half of the pool, rounded up.
    pub workspace_connections: Option<usize>,
    /// `WORKSPACE_DB_STATEMENT_TIMEOUT`, `_IDLE_TIMEOUT`, `_LOCK_TIMEOUT`: the ends of the application's transactions.
    pub timeouts: Timeouts,
    /// `WORKSPACE_DB_ENV`.
    pub environment: Environment,
    /// `WORKSPACE_DB_SEARCH_*`: how a search is planned, and how many candidates it takes.
    pub search: SearchLimits,
    /// `WORKSPACE_DB_OWN_INDEX_FROM`: chunks from which on a workspace gets an approximate index of its own, when the
    /// indexes are retrained.
    pub own_index_from: u32,
    /// `WORKSPACE_DB_RETENTION_*`: how long a workspace keeps what passes, where its settings say nothing.
    pub retention: Retention,
}

/// The longest that one workspace may keep PostgreSQL busy or waiting; zero is without end.
///
/// Each transaction of the application sets them. What takes longer ends with
/// [`is_timed_out`](crate::Error::is_timed_out). [`WorkspaceConnection::set_timeouts`](crate::tenancy::WorkspaceConnection::set_timeouts)
/// sets others for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `WORKSPACE_DB_STATEMENT_TIMEOUT`, in seconds: how long a statement may run.
    pub statement: Duration,
    /// `WORKSPACE_DB_IDLE_TIMEOUT`, in seconds: how long a transaction may stay open without a statement.
    pub idle_in_transaction: Duration,
    /// `WORKSPACE_DB_LOCK_TIMEOUT`, in seconds: how long a statement may wait for a lock.
    pub lock: Duration,
}

impl Timeouts {
    /// No end to anything, for work of the operator's own that reads or writes a whole workspace.
    pub const NONE: Self =
        Self { statement: Duration::ZERO, idle_in_transaction: Duration::ZERO, lock: Duration::ZERO };

    /// The SQL that sets them for a transaction.
    pub(crate) fn sql(self) -> String {
        format!(
            "; SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL lock_timeout = {}",
            self.statement.as_millis(),
            self.idle_in_transaction.as_millis(),
            self.lock.as_millis()
        )
    }

    fn from_env() -> Result<Self> {
        const DAY: u32 = 86_400;
        let seconds = |found: Option<u32>, default| found.map_or(default, |found| Duration::from_secs(found.into()));
        let default = Self::default();
        Ok(Self {
            statement: seconds(count::<0, DAY>("WORKSPACE_DB_STATEMENT_TIMEOUT")?, default.statement),
            idle_in_transaction: seconds(count::<0, DAY>("WORKSPACE_DB_IDLE_TIMEOUT")?, default.idle_in_transaction),
            lock: seconds(count::<0, DAY>("WORKSPACE_DB_LOCK_TIMEOUT")?, default.lock),
        })
    }
}

/// A request that nobody waits for any more should end soon after the usual half a minute of a proxy.
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(30),
            idle_in_transaction: Duration::from_secs(60),
            lock: Duration::from_secs(10),
        }
    }
}

/// For how many days a workspace keeps what passes; `None` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Retention {
    /// `WORKSPACE_DB_RETENTION_AUDIT_DAYS`: entries of the audit log.
    pub audit_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_CONVERSATION_DAYS`: conversations, from when they were closed.
    pub conversation_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_EVENT_DAYS`: analytics events.
    pub event_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_JOB_DAYS`: jobs, from when they ended.
    pub job_days: Option<u32>,
}

impl Retention {
    /// These of a workspace, and where they say nothing, those of the platform. Of the audit log the longer one: a
    /// workspace does not shorten the memory of what was done in it.
    #[must_use]
    pub fn over(self, those: Self) -> Self {
        Self {
            audit_days: those.audit_days.map(|days| self.audit_days.map_or(days, |own| own.max(days))),
            conversation_days: self.conversation_days.or(those.conversation_days),
            event_days: self.event_days.or(those.event_days),
            job_days: self.job_days.or(those.job_days),
        }
    }

    fn from_env() -> Result<Self> {
        const MOST: u32 = 36_500;
        Ok(Self {
            audit_days: count::<1, MOST>("WORKSPACE_DB_RETENTION_AUDIT_DAYS")?,
            conversation_days: count::<1, MOST>("WORKSPACE_DB_RETENTION_CONVERSATION_DAYS")?,
            event_days: count::<1, MOST>("WORKSPACE_DB_RETENTION_EVENT_DAYS")?,
            job_days: count::<1, MOST>("WORKSPACE_DB_RETENTION_JOB_DAYS")?,
        })
    }
}

/// How a search is planned, and how many candidates it takes. The defaults are measured: docs/figures.md, "Search".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// `WORKSPACE_DB_SEARCH_EXACT_BELOW`: of a workspace of fewer chunks every vector is compared.
    pub exact_below: u32,
    /// `WORKSPACE_DB_SEARCH_CANDIDATES_PER_HIT`: candidates for each hit that is asked for, besides 40 in any case.
    pub candidates_per_hit: u32,
    /// `WORKSPACE_DB_SEARCH_MOST_CANDIDATES`: the most candidates of one search by vector. Where they do not settle it,
    /// the answer says so.
    pub most_candidates: u32,
    /// `WORKSPACE_DB_SEARCH_MOST_MATCHES`: the most passages that share words with a text which are ranked.
    pub most_matches: u32,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { exact_below: 1_000, candidates_per_hit: 16, most_candidates: 10_000, most_matches: 10_000 }
    }
}

/// Enough for a process on two cores; PostgreSQL allows 100 in all by default.
const POOL_SIZE: usize = 8;
/// Where an index of the workspace's own begins to be faster than its signs: docs/figures.md, "Search".
const OWN_INDEX_FROM: u32 = 20_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: None,
            database_app_url: None,
            database_platform_url: None,
            pool_size: POOL_SIZE,
            workspace_connections: None,
            timeouts: Timeouts::default(),
            environment: Environment::default(),
            search: SearchLimits::default(),
            own_index_from: OWN_INDEX_FROM,
            retention: Retention::default(),
        }
    }
}

impl Config {
    /// What the process's environment says; a variable that is unset or empty counts as absent.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where a variable holds something that can't be read.
    ///
    /// ```
    /// let config = workspace_db::config::Config::from_env()?;
    /// # drop(config);
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    pub fn from_env() -> Result<Self> {
        Ok(Self {
            database_url: variable("DATABASE_URL")?,
            database_app_url: variable("DATABASE_APP_URL")?,
            database_platform_url: variable("DATABASE_PLATFORM_URL")?,
            pool_size: count::<1, 1_000>("WORKSPACE_DB_POOL_SIZE")?.map_or(POOL_SIZE, |size| size as usize),
            workspace_connections: count::<1, 1_000>("WORKSPACE_DB_WORKSPACE_CONNECTIONS")?.map(|most| most as usize),
            timeouts: Timeouts::from_env()?,
            environment: variable("WORKSPACE_DB_ENV")?.unwrap_or_default(),
            search: SearchLimits::from_env()?,
            own_index_from: count::<1, { u32::MAX }>("WORKSPACE_DB_OWN_INDEX_FROM")?.unwrap_or(OWN_INDEX_FROM),
            retention: Retention::from_env()?,
        })
    }
}

impl SearchLimits {
    fn from_env() -> Result<Self> {
        let measured = Self::default();
        let exact_below = count::<0, 1_000_000>("WORKSPACE_DB_SEARCH_EXACT_BELOW")?;
        let per_hit = count::<1, 1_000>("WORKSPACE_DB_SEARCH_CANDIDATES_PER_HIT")?;
        let candidates = count::<40, 1_000_000>("WORKSPACE_DB_SEARCH_MOST_CANDIDATES")?;
        let matches = count::<1, 1_000_000>("WORKSPACE_DB_SEARCH_MOST_MATCHES")?;
        Ok(Self {
            exact_below: exact_below.unwrap_or(measured.exact_below),
            candidates_per_hit: per_hit.unwrap_or(measured.candidates_per_hit),
            most_candidates: candidates.unwrap_or(measured.most_candidates),
            most_matches: matches.unwrap_or(measured.most_matches),
        })
    }
}

/// A number from `LEAST` to `MOST`.
struct Count<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> FromStr for Count<LEAST, MOST> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(count) if (LEAST..=MOST).contains(&count) => Ok(Self(count)),
            _ => Err(Error::invalid(format!("{text:?} is out of bounds")).remedy(format!("use {LEAST} to {MOST}"))),
        }
    }
}

fn count<const LEAST: u32, const MOST: u32>(name: &str) -> Result<Option<u32>> {
    Ok(variable::<Count<LEAST, MOST>>(name)?.map(|count| count.0))
}

fn variable<T: FromStr<Err = Error>>(name: &str) -> Result<Option<T>> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map(Some).map_err(|error| Error::invalid(format!("in {name}: {error}")).caused_by(error))
        }
        Ok(_) | Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not UTF-8"))),
    }
}
