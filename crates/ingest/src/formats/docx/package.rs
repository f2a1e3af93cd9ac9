//! The parts of a document, which are files in an archive.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use super::xml::{Node, attribute, read};

const MIB: u64 = 1024 * 1024;
/// Maximum size of all parts that are read, in bytes. A small archive can be made to unpack to a thousand times its size.
const LARGEST: u64 = 64 * MIB;
/// Maximum number of bytes that a byte of the archive may become, beyond the first MiB. XML shrinks to a tenth or less.
const RATIO: u64 = 100;

/// Kinds of the relationships that are followed: the last part of their types.
const KINDS: &[&str] = &["officeDocument", "core-properties", "styles", "footnotes", "endnotes"];

pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Number of bytes that may still be read.
    left: u64,
    /// Description of the limit for an error.
    limit: &'static str,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
        let by_size = RATIO * bytes.len() as u64 + MIB;
        let limit = if by_size < LARGEST { "1 MiB and 100 times its size" } else { "64 MiB" };
        Ok(Self { archive, left: by_size.min(LARGEST), limit })
    }

    /// Returns the parts to which a part refers, by kind. The package itself, which has no name, refers to the main part.
    pub(super) fn relations(&mut self, part: &str) -> Result<HashMap<&'static str, String>, String> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut found = HashMap::new();
        let Some(relations) = self.part(&format!("{folder}_rels/{file}.rels"))? else { return Ok(found) };
        read(&relations, |node| {
            let Node::Start("Relationship", start) = node else { return };
            let of = attribute(start, "Type").unwrap_or_default();
            let kind = KINDS.iter().find(|kind| of.rsplit('/').next() == Some(*kind));
            if let (Some(kind), Some(target)) = (kind, attribute(start, "Target")) {
                let absolute = target.strip_prefix('/').map(str::to_owned);
                found.entry(*kind).or_insert(absolute.unwrap_or_else(|| format!("{folder}{target}")));
            }
        })?;
        Ok(found)
    }

    /// Returns the part that was referred to, or the one with the usual name.
    pub(super) fn part_or(&mut self, related: Option<&String>, usual: &str) -> Result<Option<String>, String> {
        match related {
            Some(name) if name != usual => {
                Ok(self.part(name)?.map_or_else(|| self.part(usual), |part| Ok(Some(part)))?)
            }
            _ => self.part(usual),
        }
    }

    /// Returns a part, if the document has it.
    fn part(&mut self, name: &str) -> Result<Option<String>, String> {
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        let mut bytes = Vec::new();
        // Not the size that the archive states, which need not be true.
        let read = part.take(self.left + 1).read_to_end(&mut bytes).map_err(|error| broken(&error))? as u64;
        if read > self.left {
            return Err(format!("it unpacks to more than {}", self.limit));
        }
        self.left -= read;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        Ok(Some(text))
    }
}

fn broken(error: &dyn std::fmt::Display) -> String {
    format!("its archive can't be read: {error}")
}
