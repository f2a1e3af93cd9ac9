//! Listing and reading of the texts under a root, and the reasons to skip a file.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::formats::{extension, has_pictures, is_binary, unsupported};
use super::split::{SplitOptions, SplitText, split_binary, split_text};
use workspace_db::{Error, ErrorKind, Result};

/// Default limit of a file's size: 1 MiB. A larger file is skipped.
pub const DEFAULT_MAX_BYTES: u64 = 1024 * 1024;
/// Number of times that a file with fonts and pictures may be as large as a text.
const WITH_PICTURES: u64 = 32;

/// File that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedFile {
    /// Path below the root.
    pub name: String,
    /// Reason for skipping it.
    pub reason: SkipReason,
}

/// Reason for skipping a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// The file has NUL bytes, which no text has.
    Binary,
    /// The file does not conform to its format.
    Broken {
        /// Description of what is wrong.
        error: String,
    },
    /// The file has neither a letter nor a digit that a search could find.
    Empty,
    /// The file existed when it was listed, and no longer exists.
    Gone,
    /// The file is hidden, a .gitignore excludes it, or it is behind a link.
    LeftOut,
    /// The file is text in neither UTF-8 nor UTF-16 with a byte order mark.
    NotUtf8,
    /// The file is larger than the limit.
    TooLarge {
        /// Size of the file in bytes.
        bytes: u64,
        /// Limit in bytes.
        max_bytes: u64,
    },
    /// The file is of a format that is not read.
    Unsupported {
        /// Name of the format.
        format: &'static str,
    },
    /// The file's name is not UTF-8, so it can't identify a document.
    NameNotUtf8,
    /// The embedder rejects one of the file's texts.
    Refused {
        /// Message of the embedder.
        error: String,
    },
    /// The operating system does not let the program read the file.
    Unreadable {
        /// Message of the operating system.
        error: String,
    },
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary => f.write_str("binary"),
            Self::Broken { error } => write!(f, "broken: {error}"),
            Self::Empty => f.write_str("empty"),
            Self::Gone => f.write_str("gone"),
            Self::LeftOut => f.write_str("left out"),
            Self::NotUtf8 => f.write_str("not UTF-8 or UTF-16"),
            Self::Unsupported { format } => write!(f, "{format} is not read; convert it to text"),
            Self::NameNotUtf8 => f.write_str("a name that is not UTF-8"),
            Self::TooLarge { bytes, max_bytes } => write!(f, "{bytes} bytes, the limit is {max_bytes}"),
            Self::Refused { error } => write!(f, "refused: {error}"),
            Self::Unreadable { error } => write!(f, "unreadable: {error}"),
        }
    }
}

/// Folder or file of a datasource.
#[derive(Clone)]
pub(super) struct SourceRoot {
    path: PathBuf,
}

/// Files below a root.
pub(super) struct FolderListing {
    /// Paths of the files, ordered by name.
    pub(super) paths: Vec<PathBuf>,
    /// Paths that could not be listed.
    pub(super) unreadable: Vec<SkippedFile>,
    /// Number of files that rules exclude.
    pub(super) ignored: usize,
}

/// Content of a file, before it is split.
enum Content {
    Text(String),
    /// Bytes of a format that is converted into text.
    Binary(Vec<u8>),
}

/// File that was read.
pub(super) struct File {
    /// Path below the root, which is the document's external id.
    pub(super) name: String,
    pub(super) path: PathBuf,
    content: Content,
    /// SHA-256 of the bytes in hexadecimal.
    pub(super) hash: String,
}

impl File {
    /// Returns the passages of the file, or the reason why it has none.
    pub(super) fn split(&self, options: SplitOptions) -> Result<SplitText, SkipReason> {
        let text = match &self.content {
            Content::Text(text) => split_text(&self.path, text, options),
            Content::Binary(content) => split_binary(content, options).map_err(|error| SkipReason::Broken { error })?,
        };
        if text.chunks.is_empty() { Err(SkipReason::Empty) } else { Ok(text) }
    }

    /// Frees the bytes of a file that is no text, which are of no use once they are split.
    pub(super) fn free_bytes(&mut self) {
        if let Content::Binary(content) = &mut self.content {
            *content = Vec::new();
        }
    }

    /// Returns the text, if the file is one.
    pub(super) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            Content::Binary(_) => "",
        }
    }
}

pub(super) enum ReadOutcome {
    File(File),
    Skipped(SkippedFile),
}

impl SourceRoot {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let path = path.canonicalize().map_err(|error| {
            let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
            Error::new(kind, format!("can't open {}", path.display()))
                .remedy("name a folder or a file that exists and is readable")
                .caused_by(error)
        })?;
        Ok(Self { path })
    }

    /// Returns the path of a file by its name below the root.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        if self.path.is_file() { self.path.clone() } else { self.path.join(name) }
    }

    /// Returns the path that identifies the datasource: absolute, without links.
    pub(super) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    pub(super) fn walk(&self) -> FolderListing {
        let mut listing = FolderListing { paths: Vec::new(), unreadable: Vec::new(), ignored: 0 };
        for entry in self.rules().build() {
            let mut report = |error: &ignore::Error| {
                let reason = SkipReason::Unreadable { error: error.to_string() };
                listing.unreadable.push(SkippedFile { name: self.name(), reason });
            };
            match entry {
                Ok(entry) => {
                    // A .gitignore contains a line that can't be read.
                    entry.error().into_iter().for_each(&mut report);
                    if entry.file_type().is_some_and(|kind| kind.is_file()) {
                        listing.paths.push(entry.into_path());
                    }
                }
                Err(error) => report(&error),
            }
        }
        let all = self.rules().ignore(false).git_ignore(false).git_exclude(false).build();
        let all =
            all.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_type().is_some_and(|kind| kind.is_file())));
        listing.ignored = all.count().saturating_sub(listing.paths.len());
        listing
    }

    /// Returns the rules of a walk.
    fn rules(&self) -> ignore::WalkBuilder {
        // The tree's own .gitignore applies, also outside a repository. The caller's global one and those of parent folders
        // do not. Otherwise one person's run would archive files that the next person's run restores.
        let mut rules = ignore::WalkBuilder::new(&self.path);
        rules.parents(false).require_git(false).git_global(false).sort_by_file_name(Ord::cmp);
        rules
    }

    /// Returns true if a path without links is below the root.
    pub(super) fn contains(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    /// Returns true if a walk finds the file at this path without links.
    pub(super) fn takes(&self, path: &Path) -> bool {
        let is_left_out =
            |below| self.rules().build_matchers().iter_mut().any(|rules| rules.matched(below, false).is_ignore());
        path.strip_prefix(&self.path).is_ok_and(|below| below.as_os_str().is_empty() || !is_left_out(below))
    }

    pub(super) fn read(&self, path: &Path, max_bytes: u64) -> ReadOutcome {
        self.read_from(fs::File::open(path).as_ref(), path, max_bytes)
    }

    /// Reads as [`read`](Self::read) does, from the handle that was opened by that path.
    pub(super) fn read_from(&self, opened: Result<&fs::File, &io::Error>, path: &Path, max_bytes: u64) -> ReadOutcome {
        let name = self.name_of(path);
        if path.to_str().is_none() {
            return ReadOutcome::Skipped(SkippedFile { name, reason: SkipReason::NameNotUtf8 });
        }
        let unreadable = |error: &io::Error| SkipReason::Unreadable { error: error.to_string() };
        match opened.map_err(unreadable).and_then(|file| content_of(file, path, max_bytes)) {
            Ok((content, hash)) => ReadOutcome::File(File { name, path: path.to_owned(), content, hash }),
            Err(reason) => ReadOutcome::Skipped(SkippedFile { name, reason }),
        }
    }

    /// Returns the file's name with `/` on every system. A root that is a file has its own name.
    pub(super) fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let below = if below.as_os_str().is_empty() { path.file_name().unwrap_or_default().as_ref() } else { below };
        below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    }
}

fn content_of(file: &fs::File, path: &Path, max_bytes: u64) -> Result<(Content, String), SkipReason> {
    let extension = extension(path);
    let max_bytes = if has_pictures(&extension) { max_bytes.saturating_mul(WITH_PICTURES) } else { max_bytes };
    let unreadable = |error: io::Error| SkipReason::Unreadable { error: error.to_string() };
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > max_bytes {
        return Err(SkipReason::TooLarge { bytes, max_bytes });
    }
    let mut content = Vec::new();
    // Reads one byte more than the limit, because a file may grow meanwhile.
    let bytes = file.take(max_bytes.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)? as u64;
    if bytes > max_bytes {
        return Err(SkipReason::TooLarge { bytes, max_bytes });
    }
    if let Some(format) = unsupported(&extension, &content) {
        return Err(SkipReason::Unsupported { format });
    }
    let hash = base16ct::lower::encode_string(&Sha256::digest(&content));
    if is_binary(&extension, &content) {
        return Ok((Content::Binary(content), hash));
    }
    let text = decoded(content)?;
    if !text.contains(char::is_alphanumeric) {
        return Err(SkipReason::Empty);
    }
    Ok((Content::Text(text), hash))
}

/// Decodes a file as UTF-8, or as UTF-16 if a byte order mark says so, without that mark.
fn decoded(content: Vec<u8>) -> Result<String, SkipReason> {
    let of_pair: Option<fn([u8; 2]) -> u16> = match content.get(..2) {
        Some([0xff, 0xfe]) => Some(u16::from_le_bytes),
        Some([0xfe, 0xff]) => Some(u16::from_be_bytes),
        _ => None,
    };
    let text = match of_pair {
        Some(of_pair) => {
            let (pairs, rest) = content.as_chunks::<2>();
            let text = String::from_utf16(&pairs.iter().map(|pair| of_pair(*pair)).collect::<Vec<_>>());
            text.ok().filter(|_| rest.is_empty()).ok_or(SkipReason::NotUtf8)?
        }
        None if content.contains(&0) => return Err(SkipReason::Binary),
        None => String::from_utf8(content).map_err(|_| SkipReason::NotUtf8)?,
    };
    if text.contains('\0') {
        return Err(SkipReason::Binary);
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
