//! A writer of archives: a tar of JSON Lines, each file compressed separately, that `tar`, `zstd` and `sha256sum` read.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use base16ct::lower::encode_string as hex;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::archive_format::{MANIFEST, MAX_RATIO, SUMS};
use super::digest::Digest;
use super::manifest::{ArchivePart, ArchivedTable, Manifest};
use super::new_file::{NewFile, unwritable};
use crate::error::{Error, ErrorKind, Result};

/// Level of zstd. The fastest useful one is enough, because most of an archive is vectors, which hardly compress.
const LEVEL: i32 = 1;

/// Archive that is written under a temporary name, and renamed when it is complete.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    tar: Builder<BufWriter<NewFile>>,
    /// Lines of `SHA256SUMS`.
    sums: Vec<String>,
    mtime: u64,
}

impl ArchiveWriter {
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the file exists, [`is_io_failure`](Error::is_io_failure).
    pub(super) fn create(path: &Path, mtime: u64) -> Result<Self> {
        let file = NewFile::create(path)?;
        Ok(Self {
            path: path.to_owned(),
            tar: Builder::new(BufWriter::with_capacity(1 << 20, file)),
            sums: Vec::new(),
            mtime,
        })
    }

    /// Adds a part with rows to a table.
    pub(super) fn add(&mut self, table: &mut ArchivedTable, lines: &[u8], rows: u64) -> Result<()> {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            table.digest.add(line);
        }
        let packed = zstd::bulk::compress(lines, LEVEL).map_err(|error| unwritable(&self.path, error))?;
        let number = table.parts.len() + 1;
        // A reader rejects a higher ratio as a decompression bomb, so such content stays uncompressed.
        let is_packed = lines.len() / packed.len().max(1) < MAX_RATIO;
        let (suffix, content) = if is_packed { (".zst", packed.as_slice()) } else { ("", lines) };
        let file = format!("{}/{number:06}.jsonl{suffix}", table.name);
        self.file(&file, content)?;
        table.rows += rows;
        table.parts.push(ArchivePart { file, rows, bytes: lines.len() as u64 });
        Ok(())
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.mtime);
        header.set_size(content.len() as u64);
        self.tar.append_data(&mut header, name, content).map_err(|error| unwritable(&self.path, error))?;
        self.sums.push(format!("{}  {name}\n", hex(&Sha256::digest(content))));
        Ok(())
    }

    /// Writes the manifest and the sums, and renames the file after it is on disk. Returns the id of the archive.
    pub(super) fn finish(mut self, manifest: &Manifest) -> Result<String> {
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|error| Error::new(ErrorKind::Io, "the manifest can't be written").caused_by(error))?;
        self.file(MANIFEST, &json)?;
        let sums = self.sums.concat();
        let id = hex(&Sha256::digest(sums.as_bytes()));
        self.file(SUMS, sums.as_bytes())?;
        let written = self.tar.into_inner().and_then(|file| file.into_inner().map_err(io::IntoInnerError::into_error));
        written.map_err(|error| unwritable(&self.path, error))?.put_in_place()?;
        Ok(id)
    }
}

impl ArchivedTable {
    pub(super) fn new(name: &str, columns: Vec<String>) -> Self {
        Self { name: name.to_owned(), columns, rows: 0, digest: Digest::default(), parts: Vec::new() }
    }
}
