//! Installations of PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::account::Account;
use workspace_db::{Error, ErrorKind, Result};

/// A major version of PostgreSQL, 16 or newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct MajorVersion(u16);

impl MajorVersion {
    /// Oldest version that the schema supports.
    pub const OLDEST: Self = Self(16);
    /// Newest version, which is downloaded unless the caller requests another one.
    pub const NEWEST: Self = Self(18);

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for MajorVersion {
    type Error = Error;

    fn try_from(number: u16) -> Result<Self> {
        if number < Self::OLDEST.0 {
            return Err(Error::new(ErrorKind::MissingPrerequisite, format!("PostgreSQL {number} is too old"))
                .remedy(format!("use PostgreSQL {} or newer", Self::OLDEST)));
        }
        Ok(Self(number))
    }
}

impl From<MajorVersion> for u16 {
    fn from(major: MajorVersion) -> Self {
        major.0
    }
}

impl FromStr for MajorVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number: u16 = text.parse().map_err(|error| {
            Error::invalid(format!("{text:?} is not a major version of PostgreSQL"))
                .remedy("use 16 or 18")
                .caused_by(error)
        })?;
        number.try_into()
    }
}

impl fmt::Display for MajorVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Source of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstallSource {
    /// The machine's own packages.
    System,
    /// The pinned distribution, in the user's cache.
    Distribution,
}

/// The programs of one PostgreSQL that has pgvector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Major version.
    pub major: MajorVersion,
    /// Folder of `initdb`, `pg_ctl`, `postgres`, `psql` and `pg_dump`.
    pub bin: PathBuf,
    /// Source of the installation.
    pub source: InstallSource,
}

impl Installation {
    /// Returns the path of one of its programs.
    ///
    /// ```no_run
    /// # fn example(install: &workspace_db_embedded::Installation) {
    /// let dump = std::process::Command::new(install.program("pg_dump"));
    /// # drop(dump);
    /// # }
    /// ```
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Returns the installation that `pg_config` describes, or the reason why it can't be used. The reason is a text and not
    /// an error, because the distribution is used instead.
    pub(super) fn of_pg_config(pg_config: &Path, source: InstallSource) -> Result<Self, String> {
        let account = Account::for_server().map_err(|error| error.to_string())?;
        let ask = |what: &str| {
            let output = account.command(pg_config).arg(what).current_dir("/").stdin(Stdio::null()).output();
            let output = output.ok().filter(|output| output.status.success());
            output
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .ok_or_else(|| format!("`{} {what}` failed", pg_config.display()))
        };
        let version = ask("--version")?;
        let digits: String =
            version.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        let major: MajorVersion = digits.parse().map_err(|error: Error| error.to_string())?;
        let bin = PathBuf::from(ask("--bindir")?);
        for program in ["initdb", "pg_ctl", "postgres"] {
            if !bin.join(program).is_file() {
                return Err(format!("PostgreSQL {major} in {} has no {program}", bin.display()));
            }
        }
        if !Path::new(&ask("--sharedir")?).join("extension/vector.control").is_file() {
            return Err(format!("PostgreSQL {major} in {} does not ship pgvector", bin.display()));
        }
        Ok(Self { major, bin, source })
    }
}
