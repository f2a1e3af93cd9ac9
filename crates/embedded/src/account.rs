//! The account of the server: PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use workspace_db::{Error, ErrorKind, Result};

/// Accounts to switch to when root starts the server; the first existing one is used. A number without a name would fail,
/// because initdb looks up the name.
const UNPRIVILEGED: &[&str] = &["postgres", "nobody"];

/// The account that the server runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    /// User and group to switch to; `None` if the caller is not root and keeps its own.
    ids: Option<(u32, u32)>,
}

impl Account {
    /// Returns the caller's own account, or an unprivileged one if the caller is root.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if root finds no account to switch to.
    pub fn for_server() -> Result<Self> {
        let lookup_failed = |error| Error::new(ErrorKind::Io, "the system's accounts can't be read").caused_by(error);
        if !geteuid().is_root() {
            let user = User::from_uid(geteuid()).map_err(lookup_failed)?;
            let name = user.map_or_else(|| geteuid().to_string(), |user| user.name);
            return Ok(Self { name, ids: None });
        }
        for name in UNPRIVILEGED {
            if let Some(user) = User::from_name(name).map_err(lookup_failed)? {
                return Ok(Self { name: user.name, ids: Some((user.uid.as_raw(), user.gid.as_raw())) });
            }
        }
        Err(Error::new(
            ErrorKind::MissingPrerequisite,
            format!("PostgreSQL does not run as root, and none of the accounts {} exists", UNPRIVILEGED.join(", ")),
        )
        .remedy("create one (useradd --system postgres), or run this as an ordinary user"))
    }

    /// Returns the account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a command that runs as this account without the caller's environment, which may contain passwords and keys.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        // Without TZ, initdb looks for the time zone in the machine's own files.
        command.envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)));
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Creates a directory that only this account may enter.
    ///
    /// # Errors
    ///
    /// Returns an error if the caller may not create the directory or change its owner.
    pub fn own_directory(&self, path: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |error| Error::new(ErrorKind::Io, format!("can't prepare {}", path.display())).caused_by(error);
        fs::create_dir_all(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        self.own(path)
    }

    /// Makes this account the owner of `path`.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        let Some((uid, gid)) = self.ids else { return Ok(()) };
        chown(path, Some(uid), Some(gid)).map_err(|error| {
            Error::new(ErrorKind::Io, format!("can't change the owner of {} to {}", path.display(), self.name))
                .caused_by(error)
        })
    }
}
