//! State that a directory of [`LocalServer`](super::LocalServer) stores between two calls.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::installation::{InstallSource, Installation, MajorVersion};
use workspace_db::{Error, ErrorKind, Result};

/// The state file, and the partial file that is renamed to it.
pub(super) const STATE_FILE: &str = "server.json";
pub(super) const PARTIAL_STATE_FILE: &str = "server.json.partial";

/// Version and source of the PostgreSQL that created the directory. The path of its programs is not stored, because the file
/// may come from a checkout.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct InstallOrigin {
    pub(super) major: MajorVersion,
    pub(super) source: InstallSource,
}

impl From<&Installation> for InstallOrigin {
    fn from(install: &Installation) -> Self {
        Self { major: install.major, source: install.source }
    }
}

/// State of the directory. Its passwords are those of a server that only this machine can reach.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ServerState {
    #[serde(rename = "install")]
    pub(super) made_by: InstallOrigin,
    #[serde(with = "password")]
    pub(super) superuser_password: SecretString,
    #[serde(with = "password")]
    pub(super) owner_password: SecretString,
    #[serde(with = "password")]
    pub(super) app_password: SecretString,
    #[serde(with = "password", default = "fresh_password")]
    pub(super) platform_password: SecretString,
}

fn fresh_password() -> SecretString {
    SecretString::from(Uuid::new_v4().simple().to_string())
}

impl std::fmt::Debug for ServerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerState").field("made_by", &self.made_by).finish_non_exhaustive()
    }
}

mod password {
    use secrecy::{ExposeSecret as _, SecretString};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(password: &SecretString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(password.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::from)
    }
}

impl ServerState {
    pub(super) fn new(install: &Installation) -> Self {
        Self {
            made_by: install.into(),
            superuser_password: fresh_password(),
            owner_password: fresh_password(),
            app_password: fresh_password(),
            platform_password: fresh_password(),
        }
    }

    /// Returns the version of the directory, and rejects another requested version.
    pub(super) fn major(&self, requested: Option<MajorVersion>) -> Result<MajorVersion> {
        let major = self.made_by.major;
        match requested.filter(|requested| *requested != major) {
            None => Ok(major),
            Some(requested) => Err(Error::new(
                ErrorKind::Conflict,
                format!("the directory belongs to PostgreSQL {major}, not {requested}"),
            )
            .remedy(format!("omit --postgres or set it to {major}, or use another --data-dir"))),
        }
    }

    pub(super) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(STATE_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(ErrorKind::Io, format!("can't read {}", path.display()))
                    .remedy("if the directory belongs to another user, choose your own with --data-dir")
                    .caused_by(error));
            }
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Error::new(ErrorKind::Conflict, format!("{} is damaged", path.display()))
                .remedy("restore it, or use another --data-dir: without its passwords, nobody can log in")
                .caused_by(error)
        })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(STATE_FILE);
        let partial = dir.join(PARTIAL_STATE_FILE);
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("can't write {}", path.display())).caused_by(error)
        };
        let json = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&partial).map_err(failed)?;
        file.write_all(&json).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&partial, &path).map_err(failed)
    }
}
