//! The URL of a database, with its login.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::{Error, Result};

/// The URL of a database, with its login: `postgres://user:password@host:port/database`.
///
/// Debug and Display omit the password.
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
    /// Returns the whole URL, with the password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the same server and login with another database.
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

    /// Returns the same server and database with another login.
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
        // Both fail only if there is no host. Then the socket's folder is a parameter, and the login becomes one.
        if url.set_username(user).is_err() || url.set_password(Some(password.expose_secret())).is_err() {
            url.query_pairs_mut().append_pair("user", user).append_pair("password", password.expose_secret());
        }
        Self(String::from(url).into())
    }

    /// Returns the same as variables that libpq's programs such as `psql` read: `PGHOST`, `PGPASSWORD` and so on.
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

    /// Returns the same login and database with these schemas, separated by commas, as the search path.
    #[must_use]
    pub fn with_search_path(&self, schemas: &str) -> Self {
        let others =
            self.parameters().into_iter().find(|(name, _)| name == "options").map(|(_, options)| options + " ");
        self.with_parameter("options", format!("{}-csearch_path={schemas}", others.unwrap_or_default()))
    }

    /// Returns the URL with a parameter, in place of one of the same name.
    fn with_parameter(&self, name: &str, value: String) -> Self {
        let mut url = self.parsed();
        let kept = self.parameters().into_iter().filter(|(known, _)| known != name);
        let pairs = kept.chain([(name.to_owned(), value)]);
        let pairs = pairs.map(|(name, value)| {
            let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            format!("{name}={value}")
        });
        url.set_query(Some(&pairs.collect::<Vec<_>>().join("&")));
        Self(String::from(url).into())
    }

    /// Returns the URL with an `application_name`, unless it has one.
    pub(crate) fn named(&self, name: &str) -> Self {
        if self.parameters().iter().any(|(known, _)| known == "application_name") {
            return self.clone();
        }
        self.with_parameter("application_name", name.to_owned())
    }

    /// Returns the decoded parameters after the question mark. Unlike in a form, a plus is a plus.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let url = self.parsed();
        let pairs = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
    }

    pub(crate) fn parsed(&self) -> Url {
        // `from_str` creates it from a parsed URL, and the other constructors change a parsed URL.
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
            Error::invalid(format!("the database URL {what}")).remedy(
                "write it as postgres://user:password@host:port/database, with percent-encoded special characters",
            )
        };
        let url = Url::parse(text).map_err(|error| wrong("can't be parsed").caused_by(error))?;
        // The slashes are required: without them the login would be a path, and Display would not hide the password.
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(wrong("does not begin with postgres://"));
        }
        // A slash, a question mark or a hash in a password ends the login, and the rest would be shown as path or query.
        let behind = [Some(url.path()), url.query()].into_iter().flatten().any(|part| part.contains('@'));
        if behind || url.fragment().is_some() {
            return Err(wrong("has an unencoded special character in its password, or an @ or # after the host"));
        }
        Ok(Self(String::from(url).into()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.parsed();
        // Fails only if there is no host, and then there is no login before it either.
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
