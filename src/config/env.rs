//! Settings, and how they are read from the environment.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use super::database_url::DatabaseUrl;
use crate::error::{Error, Result};

/// Kind of deployment: `WORKSPACE_DB_ENV`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// A laptop or a test; the default.
    #[default]
    Development,
    /// A deployment with tenants' data: the bootstrap inserts no administrator.
    Production,
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err(Error::invalid(format!("WORKSPACE_DB_ENV has the unknown value {text:?}"))
                .remedy("set it to development or production")),
        }
    }
}

/// Settings from the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_URL`: the owner's login, which runs migrations. The Diesel CLI reads the same variable.
    pub database_url: Option<DatabaseUrl>,
    /// `DATABASE_APP_URL`: the application's login.
    pub database_app_url: Option<DatabaseUrl>,
    /// `DATABASE_PLATFORM_URL`: the platform's login, which sees every workspace. If unset, the owner's login is used.
    pub database_platform_url: Option<DatabaseUrl>,
    /// `WORKSPACE_DB_POOL_SIZE`: maximum number of connections of each login. Raw SQL across workspaces has a quarter as
    /// many in addition.
    pub pool_size: usize,
    /// `WORKSPACE_DB_POOL_WAIT`, in seconds: maximum time that a caller waits for a free connection.
    pub pool_wait: Duration,
    /// `WORKSPACE_DB_PREPARED_STATEMENTS`, `on` or `off`: connections keep the statements that they have prepared.
    pub keeps_prepared_statements: bool,
    /// `WORKSPACE_DB_APPLICATION_NAME`: name of the connections in `pg_stat_activity`, to which each pool adds its own. An
    /// `application_name` in a URL takes precedence.
    pub application_name: String,
    /// `WORKSPACE_DB_WORKSPACE_CONNECTIONS`: maximum number of connections of the application's pool that one workspace uses
    /// at once. The default is half of the pool, rounded up.
    pub workspace_connections: Option<usize>,
    /// `WORKSPACE_DB_STATEMENT_TIMEOUT`, `_IDLE_TIMEOUT`, `_LOCK_TIMEOUT`: timeouts of the application's transactions.
    pub timeouts: Timeouts,
    /// `WORKSPACE_DB_ENV`.
    pub environment: Environment,
    /// `WORKSPACE_DB_SEARCH_*`: limits for the plan of a search and for its number of candidates.
    pub search: SearchLimits,
    /// `WORKSPACE_DB_OWN_INDEX_FROM`: number of chunks from which `index retrain` builds an approximate index for a
    /// workspace.
    pub own_index_from: u32,
    /// `WORKSPACE_DB_RETENTION_*`: retention periods of a workspace whose settings have none.
    pub retention: Retention,
}

/// Limits on the time that one workspace may keep PostgreSQL busy or waiting; zero disables a limit.
///
/// Each transaction of the application sets them. If one is exceeded, the error is
/// [`is_timed_out`](crate::Error::is_timed_out). [`set_timeouts`](crate::tenancy::WorkspaceConnection::set_timeouts)
/// sets others for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `WORKSPACE_DB_STATEMENT_TIMEOUT`, in seconds: maximum duration of a statement.
    pub statement: Duration,
    /// `WORKSPACE_DB_IDLE_TIMEOUT`, in seconds: maximum time that a transaction stays open without a statement.
    pub idle_in_transaction: Duration,
    /// `WORKSPACE_DB_LOCK_TIMEOUT`, in seconds: maximum time that a statement waits for a lock.
    pub lock: Duration,
}

impl Timeouts {
    /// No limits, for work of an operator that reads or writes a whole workspace.
    pub const NONE: Self =
        Self { statement: Duration::ZERO, idle_in_transaction: Duration::ZERO, lock: Duration::ZERO };

    /// Returns the SQL that sets them for a transaction.
    pub(crate) fn sql(self) -> String {
        format!(
            "; SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL lock_timeout = {}",
            milliseconds(self.statement),
            milliseconds(self.idle_in_transaction),
            milliseconds(self.lock)
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

/// Returns a timeout as the server takes it: zero disables it, so a shorter time than a millisecond is one.
fn milliseconds(timeout: Duration) -> i32 {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds).unwrap_or(i32::MAX)
}

/// Defaults that end an abandoned request soon after the usual timeout of a proxy, 30 seconds.
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(30),
            idle_in_transaction: Duration::from_secs(60),
            lock: Duration::from_secs(10),
        }
    }
}

/// Number of days that a workspace keeps its rows; `None` keeps them for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Retention {
    /// `WORKSPACE_DB_RETENTION_AUDIT_DAYS`: audit entries.
    pub audit_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_CONVERSATION_DAYS`: conversations, counted from their closing.
    pub conversation_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_EVENT_DAYS`: analytics events.
    pub event_days: Option<u32>,
    /// `WORKSPACE_DB_RETENTION_JOB_DAYS`: jobs, counted from their end.
    pub job_days: Option<u32>,
}

impl Retention {
    /// Returns the values of a workspace, with `those` of the platform as defaults. Audit entries are kept for the longer
    /// of both periods, so a workspace can't shorten its audit log.
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
        const MAX_DAYS: u32 = 36_500;
        Ok(Self {
            audit_days: count::<1, MAX_DAYS>("WORKSPACE_DB_RETENTION_AUDIT_DAYS")?,
            conversation_days: count::<1, MAX_DAYS>("WORKSPACE_DB_RETENTION_CONVERSATION_DAYS")?,
            event_days: count::<1, MAX_DAYS>("WORKSPACE_DB_RETENTION_EVENT_DAYS")?,
            job_days: count::<1, MAX_DAYS>("WORKSPACE_DB_RETENTION_JOB_DAYS")?,
        })
    }
}

/// Limits for the plan of a search and for its number of candidates. The defaults are measured: docs/figures.md, "Search".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// `WORKSPACE_DB_SEARCH_EXACT_BELOW`: number of chunks below which a search compares every vector of a workspace.
    pub exact_below: u32,
    /// `WORKSPACE_DB_SEARCH_CANDIDATES_PER_HIT`: number of candidates per requested hit, in addition to 40.
    pub candidates_per_hit: u32,
    /// `WORKSPACE_DB_SEARCH_MAX_CANDIDATES`: maximum number of candidates of one vector search. If they don't suffice,
    /// the result states it.
    pub max_candidates: u32,
    /// `WORKSPACE_DB_SEARCH_MAX_MATCHES`: maximum number of matching passages that a full-text search ranks.
    pub max_matches: u32,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { exact_below: 1_000, candidates_per_hit: 16, max_candidates: 10_000, max_matches: 10_000 }
    }
}

/// Default size of the pool, enough for a process on two cores. PostgreSQL allows 100 connections in all by default.
const POOL_SIZE: usize = 8;
/// Default time that a caller waits for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(30);
const APPLICATION_NAME: &str = "workspace-db";
/// Number of chunks from which an index for one workspace is faster than its sign bits: docs/figures.md, "Search".
const OWN_INDEX_FROM: u32 = 20_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: None,
            database_app_url: None,
            database_platform_url: None,
            pool_size: POOL_SIZE,
            pool_wait: POOL_WAIT,
            keeps_prepared_statements: true,
            application_name: APPLICATION_NAME.to_owned(),
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
    /// Returns the settings of the process's environment. A variable that is empty counts as unset.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the value of a variable can't be read.
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
            pool_wait: count::<1, 3_600>("WORKSPACE_DB_POOL_WAIT")?
                .map_or(POOL_WAIT, |seconds| Duration::from_secs(seconds.into())),
            keeps_prepared_statements: variable::<Switch>("WORKSPACE_DB_PREPARED_STATEMENTS")?
                .is_none_or(|switch| switch.0),
            application_name: variable::<ApplicationName>("WORKSPACE_DB_APPLICATION_NAME")?
                .map_or_else(|| APPLICATION_NAME.to_owned(), |name| name.0),
            workspace_connections: count::<1, 1_000>("WORKSPACE_DB_WORKSPACE_CONNECTIONS")?.map(|count| count as usize),
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
        let candidates = count::<40, 1_000_000>("WORKSPACE_DB_SEARCH_MAX_CANDIDATES")?;
        let matches = count::<1, 1_000_000>("WORKSPACE_DB_SEARCH_MAX_MATCHES")?;
        Ok(Self {
            exact_below: exact_below.unwrap_or(measured.exact_below),
            candidates_per_hit: per_hit.unwrap_or(measured.candidates_per_hit),
            max_candidates: candidates.unwrap_or(measured.max_candidates),
            max_matches: matches.unwrap_or(measured.max_matches),
        })
    }
}

/// The value `on` or `off`.
struct Switch(bool);

impl FromStr for Switch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err(Error::invalid(format!("{text:?} is neither on nor off")).remedy("set it to on or off")),
        }
    }
}

/// A name that PostgreSQL shows as it is, with room for that of a pool.
struct ApplicationName(String);

impl FromStr for ApplicationName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() <= 48 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!("{text:?} is not a valid name")).remedy("use at most 48 printable ASCII characters"))
    }
}

/// A number from `MIN` to `MAX`.
struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> FromStr for Count<MIN, MAX> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(count) if (MIN..=MAX).contains(&count) => Ok(Self(count)),
            _ => {
                Err(Error::invalid(format!("{text:?} is out of range"))
                    .remedy(format!("use a number from {MIN} to {MAX}")))
            }
        }
    }
}

fn count<const MIN: u32, const MAX: u32>(name: &str) -> Result<Option<u32>> {
    Ok(variable::<Count<MIN, MAX>>(name)?.map(|count| count.0))
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
