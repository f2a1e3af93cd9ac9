//! The outline of a text: its headings, places that are better or worse for a cut, and its own metadata.

use std::collections::BTreeMap;
use std::ops::Range;

/// Rank of a line in a block that belongs together, such as code in Markdown.
pub(crate) const INNER_LINE: u8 = 45;

/// Number of bytes of a text's prose that are kept.
const PROSE: usize = 20_000;
/// Largest rank of a heading or an item. Deeper ones have the same rank.
pub(crate) const DEEPEST: u8 = 24;
/// Maximum number of characters in a heading.
pub(crate) const LONGEST: usize = 200;

/// Ranks of the beginnings of lines, from a parser.
pub(crate) type Structure = BTreeMap<usize, u8>;

/// Heading of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// Position of its line.
    pub(crate) start: usize,
    /// Level, from 1.
    pub(crate) level: u8,
    /// Text as readers see it, without markup, on one line.
    pub(crate) text: String,
}

/// Title, description and language that a text states itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) language: Option<String>,
}

/// Structure, headings and prose of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) structure: Structure,
    pub(crate) headings: Vec<Heading>,
    /// Place of the metadata for other programs before the text.
    pub(crate) front_matter: Range<usize>,
    pub(crate) metadata: Metadata,
    /// Text as readers see it, without code; the first [`PROSE`] bytes or a little more.
    pub(crate) prose: String,
}

impl Outline {
    /// Adds to the prose.
    pub(crate) fn add_prose(&mut self, text: &str) {
        if self.prose.len() < PROSE {
            self.prose.push_str(text);
        }
    }

    /// Adds a heading, unless it has no text.
    pub(crate) fn add_heading(&mut self, mut heading: Heading) {
        heading.text = one_line(&heading.text);
        if !heading.text.is_empty() {
            self.headings.push(heading);
        }
    }
}

/// Returns one line without control characters, no longer than a title.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    shortened(words.join(" "), LONGEST)
}

/// Returns the first characters of a line, with an ellipsis for the rest.
pub(crate) fn shortened(line: String, characters: usize) -> String {
    match line.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Returns the first bytes of a text, and the rest of the character in which they end.
pub(crate) fn first_bytes(text: &str, bytes: usize) -> &str {
    let end = (bytes..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Returns a text of any length on one line, with one blank between its words.
#[cfg(any(feature = "csv", feature = "docx"))]
pub(crate) fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
