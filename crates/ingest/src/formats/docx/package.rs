//! The parts of a document, which are files in an archive.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use super::xml::{Node, attribute, read};

/// Maximum size of all parts that are read, in bytes. A small archive can be made to unpack to a thousand times its size.
const LARGEST: u64 = 64 * 1024 * 1024;

pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Number of bytes that may still be read.
    left: u64,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
        Ok(Self { archive, left: LARGEST })
    }

    /// Returns the name of the part with the text, which is usually `word/document.xml`.
    pub(super) fn document_part(&mut self) -> Result<String, String> {
        let mut found = None;
        if let Some(relations) = self.part("_rels/.rels")? {
            read(&relations, |node| {
                if let Node::Start("Relationship", start) = node
                    && attribute(start, "Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
                {
                    found = attribute(start, "Target");
                }
            })?;
        }
        Ok(found.map_or_else(|| "word/document.xml".to_owned(), |name| name.trim_start_matches('/').to_owned()))
    }

    /// Returns a part, if the document has it.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, String> {
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        let mut bytes = Vec::new();
        // Not the size that the archive states, which need not be true.
        let read = part.take(self.left + 1).read_to_end(&mut bytes).map_err(|error| broken(&error))? as u64;
        if read > self.left {
            return Err(format!("it unpacks to more than {LARGEST} bytes"));
        }
        self.left -= read;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        Ok(Some(text))
    }
}

fn broken(error: &dyn std::fmt::Display) -> String {
    format!("its archive can't be read: {error}")
}
