//! Writing an archive: a tar of JSON Lines, each file compressed by itself, so that `tar`, `zstd` and `sha256sum` read it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use base16ct::lower::encode_string as hex;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::digest::Digest;
use super::manifest::{ArchivedTable, Manifest, Part};
use super::{MANIFEST, MAX_RATIO, SUMS};
use crate::error::{Error, Kind, Result};

/// Of zstd, the fastest that is worth it: most of an archive is vectors, which hardly get smaller.
const LEVEL: i32 = 1;

/// An archive that is being written under another name, which is its own once it is whole.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    partial: Partial,
    tar: Builder<BufWriter<File>>,
    /// Lines of `SHA256SUMS`.
    sums: Vec<String>,
    mtime: u64,
}

/// A file that is removed unless it gets its name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename there is none of that name.
        let _ = fs::remove_file(&self.0);
    }
}

impl ArchiveWriter {
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where the file is there, [`is_io_failure`](Error::is_io_failure).
    pub(super) fn create(path: &Path, mtime: u64) -> Result<Self> {
        if path.exists() {
            return Err(Error::new(Kind::Conflict, format!("{} exists", path.display()))
                .remedy("name another file, or remove it"));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|error| unwritable(&partial, error))?;
        Ok(Self {
            path: path.to_owned(),
            partial: Partial(partial),
            tar: Builder::new(BufWriter::with_capacity(1 << 20, file)),
            sums: Vec::new(),
            mtime,
        })
    }

    /// Adds rows to a table.
    pub(super) fn add(&mut self, table: &mut ArchivedTable, lines: &[u8], rows: u64) -> Result<()> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            table.digest.add(line);
        }
        let packed = zstd::bulk::compress(lines, LEVEL).map_err(|error| unwritable(&self.partial.0, error))?;
        let number = table.parts.len() + 1;
        // What gets too small is left as it is, since a reader takes it for a bomb.
        let is_packed = lines.len() / packed.len().max(1) < MAX_RATIO;
        let (suffix, content) = if is_packed { (".zst", packed.as_slice()) } else { ("", lines) };
        let file = format!("{}/{number:06}.jsonl{suffix}", table.name);
        self.file(&file, content)?;
        table.rows += rows;
        table.parts.push(Part { file, rows, bytes: lines.len() as u64 });
        Ok(())
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.mtime);
        header.set_size(content.len() as u64);
        self.tar.append_data(&mut header, name, content).map_err(|error| unwritable(&self.partial.0, error))?;
        self.sums.push(format!("{}  {name}\n", hex(&Sha256::digest(content))));
        Ok(())
    }

    /// Writes what the archive says of itself, and gives the file its name once it is on the disk.
    pub(super) fn finish(mut self, manifest: &Manifest) -> Result<()> {
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|error| Error::new(Kind::Io, "the manifest can't be written").caused_by(error))?;
        self.file(MANIFEST, &json)?;
        let sums = self.sums.concat();
        self.file(SUMS, sums.as_bytes())?;
        let partial = &self.partial.0;
        let written = self.tar.into_inner().and_then(|mut file| {
            file.flush()?;
            file.get_ref().sync_all()
        });
        written.and_then(|()| fs::rename(partial, &self.path)).map_err(|error| unwritable(partial, error))
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Kind::Io, format!("can't write {}: {error}", path.display())).caused_by(error)
}

impl ArchivedTable {
    pub(super) fn new(name: &str, columns: Vec<String>) -> Self {
        Self { name: name.to_owned(), columns, rows: 0, digest: Digest::default(), parts: Vec::new() }
    }
}
