//! A reader of archives that trusts no content of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use base16ct::lower::encode_string as hex;
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use super::archive_file;
use super::archive_format::{FORMAT, MANIFEST, MAX_PART_BYTES, MAX_RATIO, MAX_ROW_BYTES, SUMS, VERSION};
use super::digest::Digest;
use super::layout::{Layout, TableLayout};
use super::manifest::{ArchivePart, ArchivedTable, Manifest};
use super::row::Row;
use super::thread::ended;
use super::validation;
use crate::error::{Error, ErrorKind, Result};

/// Maximum size of the manifest and of the sums, in bytes: enough for several hundred thousand files.
const MAX_DESCRIPTION_BYTES: u64 = 64 << 20;

/// Verifies every file of an archive by its checksum and size, and returns the manifest. Uses no database.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the file does not exist; [`is_invalid_input`](Error::is_invalid_input), with the
/// place, if it is not a complete archive that this version reads.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// let manifest = workspace_db::transfer::inspect(std::path::Path::new("acme.tar")).await?;
/// println!("{} of {}: {} rows", manifest.slug, manifest.taken_at, manifest.rows());
/// # Ok(())
/// # }
/// ```
pub async fn inspect(archive: &Path) -> Result<Manifest> {
    Ok(inspected(archive).await?.0)
}

/// Verifies an archive as `inspect` does, and returns its manifest and its id.
pub(super) async fn inspected(archive: &Path) -> Result<(Manifest, String)> {
    let archive = archive.to_owned();
    let read = move || {
        let mut reader = ArchiveReader::open(&archive)?;
        reader.check_files()?;
        Ok((reader.manifest().clone(), reader.id().to_owned()))
    };
    ended(tokio::task::spawn_blocking(read).await)
}

/// Position and size of a file in the archive.
#[derive(Clone, Copy)]
struct FileLocation {
    offset: u64,
    size: u64,
}

/// Archive with a verified description: it contains exactly the files that the manifest names.
pub(super) struct ArchiveReader {
    path: PathBuf,
    file: File,
    places: BTreeMap<String, FileLocation>,
    sums: BTreeMap<String, String>,
    manifest: Manifest,
    /// SHA-256 of the sums, which covers the whole archive.
    id: String,
}

impl ArchiveReader {
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if the file does not exist; [`is_invalid_input`](Error::is_invalid_input), with
    /// the place, if it is not a complete archive that this version reads.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = archive_file::open(path)?;
        let places = places(&file).map_err(|error| in_archive(path, &error))?;
        let mut reader = Self {
            path: path.to_owned(),
            file,
            places,
            sums: BTreeMap::new(),
            manifest: Manifest::nothing(),
            id: String::new(),
        };
        reader.describe().map_err(|error| in_archive(path, &error))?;
        Ok(reader)
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn describe(&mut self) -> Result<()> {
        let sums = self.bytes(SUMS, MAX_DESCRIPTION_BYTES)?;
        self.id = hex(&Sha256::digest(&sums));
        self.sums = parsed_sums(&sums)?;
        let manifest = self.bytes(MANIFEST, MAX_DESCRIPTION_BYTES)?;
        self.check_sum(MANIFEST, &manifest)?;
        let written_as: FormatHeader = serde_json::from_slice(&manifest).map_err(|error| {
            Error::invalid(format!("{MANIFEST} is not the manifest of an archive: {error}")).caused_by(error)
        })?;
        if written_as.format != FORMAT || written_as.version > VERSION {
            return Err(Error::invalid(format!(
                "its format is {:?} of version {}, but only {FORMAT:?} up to version {VERSION} is supported",
                written_as.format, written_as.version
            ))
            .remedy("upgrade workspace-db"));
        }
        self.manifest = serde_json::from_slice(&manifest)
            .map_err(|error| Error::invalid(format!("{MANIFEST}: {error}")).caused_by(error))?;
        self.manifest.check()?;
        let described: BTreeSet<&str> = self.manifest.files().chain([MANIFEST, SUMS]).collect();
        for name in self.places.keys() {
            if !described.contains(name.as_str()) {
                return Err(Error::invalid(format!("the manifest does not list {name}")));
            }
        }
        if let Some(missing) = described.iter().find(|name| !self.places.contains_key(**name)) {
            return Err(Error::invalid(format!("{missing} is missing")));
        }
        if self.sums.keys().map(String::as_str).ne(described.iter().copied().filter(|name| *name != SUMS)) {
            return Err(Error::invalid(format!("{SUMS} does not list exactly the files of the archive")));
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, most: u64) -> Result<Vec<u8>> {
        let missing = || {
            Error::invalid(format!("{name} is missing"))
                .remedy("check the file: it is truncated, or not an archive of workspace-db")
        };
        let place = *self.places.get(name).ok_or_else(missing)?;
        if place.size > most {
            return Err(Error::invalid(format!("{name} has {} bytes; the maximum is {most}", place.size)));
        }
        let mut bytes = Vec::new();
        let read = self
            .file
            .seek(SeekFrom::Start(place.offset))
            .and_then(|_| (&self.file).take(place.size).read_to_end(&mut bytes));
        read.map_err(|error| Error::new(ErrorKind::Io, format!("{name} can't be read: {error}")).caused_by(error))?;
        if bytes.len() as u64 != place.size {
            return Err(Error::invalid(format!("the archive is truncated in {name}")));
        }
        Ok(bytes)
    }

    fn check_sum(&self, name: &str, content: &[u8]) -> Result<()> {
        let known = self.sums.get(name).ok_or_else(|| Error::invalid(format!("{SUMS} does not list {name}")))?;
        if *known == hex(&Sha256::digest(content)) {
            return Ok(());
        }
        Err(Error::invalid(format!("{name} was changed: its SHA-256 does not match {SUMS}")))
    }

    /// Returns all lines of a part, and verifies its checksum and size.
    fn lines(&mut self, part: &ArchivePart) -> Result<Vec<u8>> {
        let lines = self.unpacked(part)?;
        if lines.len() as u64 == part.bytes {
            return Ok(lines);
        }
        Err(Error::invalid(format!("{} has {} bytes instead of {}", part.file, lines.len(), part.bytes)))
    }

    fn unpacked(&mut self, part: &ArchivePart) -> Result<Vec<u8>> {
        let content = self.bytes(&part.file, MAX_PART_BYTES)?;
        self.check_sum(&part.file, &content)?;
        if part.file.strip_suffix(".zst").is_none() {
            return Ok(content);
        }
        let most = MAX_PART_BYTES.min((content.len() as u64).saturating_mul(MAX_RATIO as u64));
        let mut lines = Vec::new();
        let unpacked = zstd::stream::Decoder::new(content.as_slice())
            .and_then(|decoder| decoder.take(most + 1).read_to_end(&mut lines));
        unpacked
            .map_err(|error| Error::invalid(format!("{} can't be unpacked: {error}", part.file)).caused_by(error))?;
        if lines.len() as u64 > most {
            return Err(Error::invalid(format!(
                "{} unpacks to more than {most} bytes, like a decompression bomb",
                part.file
            )));
        }
        Ok(lines)
    }

    /// Calls `each` for every row of a part, after verifying the whole part.
    pub(super) fn rows(
        &mut self,
        table: &TableLayout,
        part: &ArchivePart,
        mut each: impl FnMut(&mut Row, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut read = || {
            let lines = self.lines(part)?;
            let mut row = Row::default();
            let mut number = 0_u64;
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                number += 1;
                let at =
                    |error: Error| Error::invalid(format!("{}, line {number}: {error}", part.file)).caused_by(error);
                if line.len() as u64 > MAX_ROW_BYTES {
                    return Err(at(Error::invalid(format!("a row has more than {MAX_ROW_BYTES} bytes"))));
                }
                row.read_line(table, line).map_err(at)?;
                each(&mut row, line).map_err(at)?;
            }
            if number != part.rows {
                return Err(Error::invalid(format!("{} has {number} rows instead of {}", part.file, part.rows)));
            }
            Ok(())
        };
        read().map_err(|error| in_archive(&self.path, &error))
    }

    /// Returns the tables as this database has them, with the archive's columns, in the archive's order.
    pub(super) fn tables(&self, layout: &Layout) -> Result<Vec<(TableLayout, ArchivedTable)>> {
        let found = self.manifest.tables.iter().map(|archived| {
            let unknown = || Error::invalid(format!("this database has no tenant table {:?}", archived.name));
            let table = layout.table(&archived.name).ok_or_else(unknown)?.with_columns(&archived.columns)?;
            Ok((table, archived.clone()))
        });
        let found: Result<Vec<_>> = found.collect();
        if self.manifest.schema > layout.schema {
            return Err(in_archive(
                &self.path,
                &Error::invalid(format!(
                    "its schema version is {}, but this database has {}",
                    self.manifest.schema, layout.schema
                ))
                .remedy("run the migrations of a newer workspace-db first"),
            ));
        }
        found.map_err(|error| in_archive(&self.path, &error))
    }

    /// Verifies the checksum and size of every file, without a database.
    pub(super) fn check_files(&mut self) -> Result<()> {
        for part in self.manifest.tables.clone().iter().flat_map(|table| &table.parts) {
            self.lines(part).map_err(|error| in_archive(&self.path, &error))?;
        }
        Ok(())
    }

    /// Reads every row and compares the checksums with the manifest, so that errors are found before anything is written. No
    /// audit entry may be later than `now`, in microseconds of PostgreSQL.
    pub(super) fn verify(
        &mut self,
        tables: &[(TableLayout, ArchivedTable)],
        now: i64,
        mut on_rows: impl FnMut(u64),
    ) -> Result<()> {
        for (table, archived) in tables {
            let mut digest = Digest::default();
            for part in &archived.parts {
                self.rows(table, part, |row, line| {
                    validation::check(table, row, now)?;
                    digest.add(line);
                    Ok(())
                })?;
                on_rows(part.rows);
            }
            if digest != archived.digest {
                let wrong = Error::invalid(format!("the rows of {} do not match its checksum", table.name));
                return Err(in_archive(&self.path, &wrong));
            }
        }
        Ok(())
    }
}

fn in_archive(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Fields that the manifest of every version has.
#[derive(serde::Deserialize)]
struct FormatHeader {
    format: String,
    version: u32,
}

fn places(file: &File) -> Result<BTreeMap<String, FileLocation>> {
    let broken = |error: std::io::Error| {
        Error::invalid(format!("it is not a tar archive, or it is truncated: {error}")).caused_by(error)
    };
    let length = file.metadata().map_err(broken)?.len();
    let mut archive = Archive::new(file);
    let mut places = BTreeMap::new();
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|error| Error::invalid("it contains a file name that is not UTF-8").caused_by(error))?;
        // `tar --create .` writes names with this prefix.
        let name = name.strip_prefix("./").map(str::to_owned).unwrap_or(name);
        // A repacked archive contains folders, which have no content.
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(Error::invalid(format!("{name:?} is not a regular file")));
        }
        if !is_name(&name) {
            return Err(Error::invalid(format!("{name:?} is not a valid name of a file in an archive")));
        }
        let place = FileLocation { offset: entry.raw_file_position(), size: entry.size() };
        if place.offset.checked_add(place.size).is_none_or(|end| end > length) {
            return Err(Error::invalid(format!("the archive is truncated in {name}")));
        }
        if places.insert(name.clone(), place).is_some() {
            return Err(Error::invalid(format!("{name} occurs twice")));
        }
    }
    Ok(places)
}

/// Returns true for names such as `manifest.json`, `SHA256SUMS` and `documents/000001.jsonl.zst`, and false for absolute
/// paths and paths with `..`.
fn is_name(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    match name.split_once('/') {
        None => name == MANIFEST || name == SUMS,
        Some((table, file)) => {
            let number = file.strip_suffix(".zst").unwrap_or(file).strip_suffix(".jsonl");
            is_plain(table)
                && table != "."
                && table != ".."
                && number.is_some_and(|number| number.len() >= 6 && number.bytes().all(|digit| digit.is_ascii_digit()))
        }
    }
}

fn parsed_sums(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    let wrong = || Error::invalid(format!("{SUMS} is not in the format of sha256sum"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(wrong)?;
        if sums.insert(name.to_owned(), sum.to_owned()).is_some() {
            return Err(wrong());
        }
    }
    Ok(sums)
}
