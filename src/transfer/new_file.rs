//! Files that appear only when they are complete, and that never replace another file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

/// A file that is written under a random name, readable only by its owner. Dropping it removes that name.
///
/// Archives and receipts are such files. A crash leaves no half file under the final name.
///
/// ```
/// use std::io::Write as _;
/// use workspace_db::transfer::NewFile;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("workspace-db-new-file-{}", std::process::id()));
/// # std::fs::create_dir(&folder)?;
/// let path = folder.join("receipt.json");
/// let mut file = NewFile::create(&path)?;
/// file.write_all(b"{}")?;
/// assert!(!path.exists());
/// file.put_in_place()?;
/// assert!(NewFile::create(&path).is_err_and(|error| error.is_conflict()));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
}

impl NewFile {
    /// Creates the file without following a link or replacing another file.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if something of that name exists; [`is_io_failure`](Error::is_io_failure).
    pub fn create(path: &Path) -> Result<Self> {
        // A link without a target counts as existing too.
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", Uuid::new_v4().simple()));
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        // Together these options follow no link, whatever its target: POSIX, open(), O_EXCL.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), partial, file })
    }

    /// Gives the file its name after it is synced to the disk. A file that appeared there meanwhile stays.
    ///
    /// # Errors
    ///
    /// The same as [`create`](Self::create).
    pub fn put_in_place(self) -> Result<()> {
        let (path, partial) = (&self.path, &self.partial);
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(path),
            _ => unwritable(path, error),
        };
        self.file.sync_all().map_err(refused)?;
        match fs::hard_link(partial, path) {
            // A file system without hard links: create an empty file to reserve the name, and rename over it.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).create_new(true).open(path).map_err(refused)?;
                fs::rename(partial, path).map_err(refused)
            }
            linked => linked.map_err(refused),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // A file that was put in place keeps its other name.
        let _ = fs::remove_file(&self.partial);
    }
}

fn taken(path: &Path) -> Error {
    Error::new(ErrorKind::Conflict, format!("{} already exists", path.display()))
        .remedy("choose another file, or remove this one")
}

pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("can't write {}: {error}", path.display())).caused_by(error)
}
