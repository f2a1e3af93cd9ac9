//! Settings from the environment, typed, with secrets redacted.

use std::env;
use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::{Error, Result};

/// Where a database is and who logs in: `postgres://user:password@host:port/database`.
///
/// Debug and Display leave the password out.
///
/// ```
/// use workspace_db::config::DatabaseUrl;
///
/// let url: DatabaseUrl = "postgres://app:hunter2@db.example.com/platform".parse()?;
/// assert_eq!(url.to_string(), "postgres://app@db.example.com/platform");
/// assert!(url.expose().contains("hunter2"));
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// The whole URL, with the password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The same server and login, another database.
    ///
    /// ```
    /// # use workspace_db::config::DatabaseUrl;
    /// let url: DatabaseUrl = "postgres://app@localhost/platform?sslmode=disable".parse()?;
    /// assert_eq!(url.with_database("postgres").expose(), "postgres://app@localhost/postgres?sslmode=disable");
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut url = self.parsed();
        url.set_path(name);
        Self(String::from(url).into())
    }

    /// The same server and database, another login.
    ///
    /// ```
    /// # use workspace_db::config::DatabaseUrl;
    /// use secrecy::SecretString;
    ///
    /// let url: DatabaseUrl = "postgres://owner:a@localhost/platform".parse()?;
    /// let app = url.with_login("app", &SecretString::from("b/c"));
    /// assert_eq!(app.expose(), "postgres://app:b%2Fc@localhost/platform");
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    #[must_use]
    pub fn with_login(&self, user: &str, password: &SecretString) -> Self {
        let mut url = self.parsed();
        // Both fail only where there is no host; then the socket's folder is a parameter, and so is the login.
        if url.set_username(user).is_err() || url.set_password(Some(password.expose_secret())).is_err() {
            url.query_pairs_mut().append_pair("user", user).append_pair("password", password.expose_secret());
        }
        Self(String::from(url).into())
    }

    /// The same in the variables that libpq's programs read, such as `psql`: `PGHOST`, `PGPASSWORD` and so on.
    ///
    /// ```
    /// # use workspace_db::config::DatabaseUrl;
    /// let url: DatabaseUrl = "postgres://app:s%40fe@localhost:5433/platform?sslmode=require".parse()?;
    /// let variables = url.libpq_environment();
    /// assert!(variables.contains(&("PGPASSWORD", "s@fe".to_owned())));
    /// assert!(variables.contains(&("PGSSLMODE", "require".to_owned())));
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    #[must_use]
    pub fn libpq_environment(&self) -> Vec<(&'static str, String)> {
        let url = self.parsed();
        let mut variables = vec![("PGUSER", decoded(url.username()))];
        variables.extend(url.host_str().map(|host| ("PGHOST", decoded(host.trim_matches(['[', ']'])))));
        variables.extend(url.port().map(|port| ("PGPORT", port.to_string())));
        variables.extend(url.password().map(|password| ("PGPASSWORD", decoded(password))));
        variables.push(("PGDATABASE", decoded(url.path().trim_start_matches('/'))));
        for (name, value) in self.parameters() {
            let variable = match name.as_str() {
                "user" => "PGUSER",
                "password" => "PGPASSWORD",
                "port" => "PGPORT",
                "dbname" => "PGDATABASE",
                "hostaddr" => "PGHOSTADDR",
                "sslmode" => "PGSSLMODE",
                "sslrootcert" => "PGSSLROOTCERT",
                "host" => "PGHOST",
                "application_name" => "PGAPPNAME",
                "connect_timeout" => "PGCONNECT_TIMEOUT",
                "options" => "PGOPTIONS",
                _ => continue,
            };
            variables.push((variable, value));
        }
        variables.retain(|(_, value)| !value.is_empty());
        variables
    }

    /// The same login to the same database, where unqualified names mean these schemas, with commas between.
    #[cfg(feature = "adopt")]
    pub(crate) fn with_search_path(&self, schemas: &str) -> Self {
        let mut url = self.parsed();
        let others =
            self.parameters().into_iter().find(|(name, _)| name == "options").map(|(_, options)| options + " ");
        let kept: Vec<(String, String)> = self.parameters().into_iter().filter(|(name, _)| name != "options").collect();
        let options = format!("{}-csearch_path={schemas}", others.unwrap_or_default());
        let pairs = kept.into_iter().chain([("options".to_owned(), options)]);
        let pairs = pairs.map(|(name, value)| {
            let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            format!("{name}={value}")
        });
        url.set_query(Some(&pairs.collect::<Vec<_>>().join("&")));
        Self(String::from(url).into())
    }

    /// What stands behind the question mark, decoded. Not as in a form: a plus is a plus.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let url = self.parsed();
        let pairs = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
    }

    pub(crate) fn parsed(&self) -> Url {
        // Only `from_str` and `with_database` make one, and both begin with a parsed URL.
        Url::parse(self.expose()).unwrap_or_else(|_| unreachable!("a DatabaseUrl was parsed when it was made"))
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("the database URL {what}"))
                .remedy("write it as postgres://user:password@host:port/database, special characters percent-encoded")
        };
        let url = Url::parse(text).map_err(|error| wrong("can't be read").caused_by(error))?;
        // The slashes as well: without them, what looks like a login is a path, and no password is found to be hidden.
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(wrong("does not begin with postgres://"));
        }
        Ok(Self(String::from(url).into()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.parsed();
        // Fails only where there is no host, and then there is no login before it either.
        let _ = url.set_password(None);
        if url.query().is_some_and(|query| query.contains("password")) {
            url.set_query(None);
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

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
    /// `WORKSPACE_DB_POOL_SIZE`: connections that each login may open.
    pub pool_size: usize,
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
