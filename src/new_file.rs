//! A file that is whole when it is there, and that nobody else has made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Error, Kind, Result};

/// A file that is written under a random name, readable by its owner alone, and removed unless it is put in its place.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
}

impl NewFile {
    /// Creates the file, without following a link or replacing anything.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where something of that name is there; [`is_io_failure`](Error::is_io_failure).
    pub fn create(path: &Path) -> Result<Self> {
        // A link that leads nowhere is there, too.
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", Uuid::new_v4().simple()));
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        // Together these follow no link, whatever it leads to: POSIX, open(), O_EXCL.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), partial, file })
    }

    /// Gives the file its name, once it is on the disk. Whatever somebody has put there meanwhile stays.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn put_in_place(self) -> Result<()> {
        let (path, partial) = (&self.path, &self.partial);
        let refused = |error: io::Error| match error.kind() {
            ErrorKind::AlreadyExists => taken(path),
            _ => unwritable(path, error),
        };
        self.file.sync_all().map_err(refused)?;
        match fs::hard_link(partial, path) {
            // A file system without links: a place of one's own, and then over that.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
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
        // Put in its place, it has another name.
        let _ = fs::remove_file(&self.partial);
    }
}

fn taken(path: &Path) -> Error {
    Error::new(Kind::Conflict, format!("{} exists", path.display())).remedy("name another file, or remove it")
}

pub(crate) fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Io, format!("can't write {}: {error}", path.display())).caused_by(error)
}
