//! Opening an archive, which must be a plain file that is not compressed as a whole.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Opens the file at its beginning.
pub(super) fn open(path: &Path) -> Result<File> {
    let unreadable = |error: std::io::Error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
        Error::new(kind, format!("can't read {}: {error}", path.display())).caused_by(error)
    };
    // Checked before the file is opened, because opening a pipe waits for its writer.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let remedy = if metadata.is_dir() {
            "pack it with `tar --create --file archive.tar --directory FOLDER .`"
        } else {
            "write the output of the pipe to a file first"
        };
        return Err(Error::invalid(format!("{} is not a regular file", path.display())).remedy(remedy));
    }
    let file = File::open(path).map_err(unreadable)?;
    refuse_compressed(&file, path)?;
    Ok(file)
}

/// Rejects an archive that is compressed as a whole. It can't be read from the middle, and its parts are already compressed.
fn refuse_compressed(mut file: &File, path: &Path) -> Result<()> {
    const PROGRAMS: [(&[u8], &str); 4] =
        [(&[0x1f, 0x8b], "gunzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd -d"), (b"BZh", "bunzip2"), (b"\xfd7zXZ", "unxz")];
    let unreadable = |error| Error::new(ErrorKind::Io, format!("can't read {}", path.display())).caused_by(error);
    let mut start = Vec::new();
    file.take(8).read_to_end(&mut start).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    match PROGRAMS.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, program)) => Err(Error::invalid(format!("{} is compressed as a whole", path.display()))
            .remedy(format!("unpack it with `{program}` first"))),
        None => Ok(()),
    }
}
