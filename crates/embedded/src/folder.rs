//! The folders of this crate: their place, their permissions and what interrupted runs left in them.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use workspace_db::{Error, ErrorKind, Result};

/// Returns the folder that `variable` names, or that of root, or `workspace-db` in a folder of the user.
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
            .remedy(format!("set {variable} to a folder that it may write to"))
    })
}

/// Creates a folder and its parents, writable only by their owner whatever the umask. Other accounts may enter the folders
/// that root creates, because the server's account must.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    let failed = |error| {
        Error::new(ErrorKind::Io, format!("can't create the folder {}", path.display()))
            .remedy("check its permissions, or choose another folder")
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
