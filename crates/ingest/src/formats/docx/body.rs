//! The text that is made of a document, element by element.

use std::collections::HashMap;

use quick_xml::events::BytesStart;

use super::styles::{Purpose, Styles, of_level};
use super::xml::{Node, attribute, is_on};
use crate::formats::text::{Converted, Unit};
use crate::outline::{Heading, INNER_LINE, Outline, unwrapped};

/// Elements whose content readers do not see, or see elsewhere: deleted text, former properties.
const SKIPPED: &[&str] = &["del", "moveFrom", "pPrChange", "rPrChange", "rt", "sdtPr", "sectPr", "tabs", "tblPr"];

/// Maximum number of levels by which a list is indented.
const DEEPEST: usize = 10;
/// Maximum number of paragraphs that are open, one within another. A paragraph that never ends takes more memory than its XML.
const MOST_OPEN: usize = 100;
/// Maximum number of cells in a row. Word has at most 63.
const MOST_CELLS: usize = 1000;

/// Text so far, and the elements that are open.
pub(super) struct Body<'a> {
    styles: &'a Styles,
    /// Notes that no text has referred to so far, by kind and id.
    pub(super) notes: HashMap<(&'static str, String), String>,
    done: Converted,
    outline: Outline,
    /// Number of bytes of text that may still be read.
    left: usize,
    /// Limit that the document exceeds. The rest is not read.
    exceeded: Option<String>,
    part: Part,
    /// For each open choice between alternatives, true if one was found. The first is read.
    alternatives: Vec<bool>,
    /// Number of files that the document embeds as part of its text.
    embedded: usize,
    /// Number of paragraphs that have ended.
    ended: usize,
    /// Depth within a skipped element.
    skipped: usize,
    /// Open paragraphs. That of a text box is within another.
    open: Vec<Paragraph>,
    is_in_properties: bool,
    is_in_text: bool,
    is_hidden: bool,
    /// Number of open tables. A table in a cell is text of that cell.
    tables: usize,
    row: Vec<String>,
    /// Number of the first paragraph of the row.
    row_start: usize,
    /// Kind of the last block, which may be near to the next of its kind.
    last: Block,
}

/// Paragraph that is read.
#[derive(Default)]
struct Paragraph {
    text: String,
    purpose: Purpose,
    /// Level of a list, from 0.
    depth: usize,
    /// True if the style hides its text.
    is_hidden: bool,
    /// Notes of a heading, which stand behind it.
    notes: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Document,
    /// A note, which has neither headings nor items.
    Note,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Paragraph,
    Item,
    Row,
}

impl<'a> Body<'a> {
    /// Begins a body of at most so many bytes of text.
    pub(super) fn new(styles: &'a Styles, most: usize) -> Self {
        Self {
            styles,
            left: most,
            exceeded: None,
            part: Part::Document,
            alternatives: Vec::new(),
            embedded: 0,
            notes: HashMap::new(),
            done: Converted { unit: Unit::Paragraphs, ..Converted::default() },
            outline: Outline::default(),
            ended: 0,
            skipped: 0,
            open: Vec::new(),
            is_in_properties: false,
            is_in_text: false,
            is_hidden: false,
            tables: 0,
            row: Vec::new(),
            row_start: 0,
            last: Block::default(),
        }
    }

    pub(super) fn of_note(styles: &'a Styles, most: usize) -> Self {
        Self { part: Part::Note, ..Self::new(styles, most) }
    }

    pub(super) fn node(&mut self, node: &Node) {
        match *node {
            _ if self.exceeded.is_some() => {}
            Node::Start(_, _) if self.skipped > 0 => self.skipped += 1,
            Node::End(_) if self.skipped > 0 => self.skipped -= 1,
            Node::Start(name, _) if SKIPPED.contains(&name) => self.skipped = 1,
            Node::Start(name, start) if self.is_in_properties => self.property(name, start),
            Node::Start(name, start) => self.start(name, start),
            Node::End(name) => self.end(name),
            Node::Text(text) if self.is_in_text && self.skipped == 0 => self.text(text),
            Node::Text(_) => {}
        }
    }

    fn start(&mut self, name: &str, start: &BytesStart) {
        match name {
            "p" if self.open.len() == MOST_OPEN => {
                self.exceed(format!("more than {MOST_OPEN} paragraphs are nested"));
            }
            "p" => self.open.push(Paragraph::default()),
            "pPr" => self.is_in_properties = true,
            "AlternateContent" => self.alternatives.push(false),
            "Choice" | "Fallback" => {
                let is_found = self.alternatives.last_mut().map(|found| std::mem::replace(found, true));
                self.skipped = usize::from(is_found.unwrap_or(name == "Fallback"));
            }
            "altChunk" if self.part == Part::Document => self.embedded += 1,
            "r" => self.is_hidden = self.open.last().is_some_and(|open| open.is_hidden),
            "rStyle" => {
                let style = attribute(start, "val").and_then(|style| self.styles.is_hidden(&style));
                self.is_hidden = style.unwrap_or(self.is_hidden);
            }
            "vanish" => self.is_hidden = is_on(start),
            "t" => self.is_in_text = true,
            "tab" | "ptab" => self.text(" "),
            "sym" => self.text(symbol(start).encode_utf8(&mut [0; 4])),
            "br" | "cr" => self.text("\n"),
            "noBreakHyphen" => self.text("-"),
            "docPr" => self.label(&attribute(start, "descr").unwrap_or_default()),
            "footnoteReference" => self.note("footnote", start),
            "endnoteReference" => self.note("endnote", start),
            "tbl" => self.tables += 1,
            "tr" if self.tables == 1 => (self.row, self.row_start) = (Vec::new(), self.ended + 1),
            "tc" if self.row.len() == MOST_CELLS => self.exceed(format!("a row has more than {MOST_CELLS} cells")),
            "tc" if self.tables == 1 => self.row.push(String::new()),
            _ => {}
        }
    }

    fn property(&mut self, name: &str, start: &BytesStart) {
        let (Some(open), Some(value)) = (self.open.last_mut(), attribute(start, "val")) else { return };
        match name {
            "pStyle" => {
                open.purpose = self.styles.purpose(&value);
                open.is_hidden = self.styles.is_hidden(&value).unwrap_or_default();
            }
            "outlineLvl" => open.purpose = of_level(&value).unwrap_or(open.purpose),
            "ilvl" => open.depth = value.parse().unwrap_or_default(),
            "numId" if open.purpose == Purpose::Text && value != "0" => open.purpose = Purpose::Item,
            "numId" if open.purpose == Purpose::Item && value == "0" => open.purpose = Purpose::Text,
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "p" => self.end_paragraph(),
            "pPr" => self.is_in_properties = false,
            "t" => self.is_in_text = false,
            "AlternateContent" => _ = self.alternatives.pop(),
            "tr" if self.tables == 1 => self.end_row(),
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                self.last = Block::Paragraph;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let Some(open) = self.open.last_mut().filter(|_| !self.is_hidden) else { return };
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                open.text.push_str(text);
            }
            None => self.exceed("its text is larger than 1 MiB and 16 times the file".to_owned()),
        }
    }

    fn exceed(&mut self, limit: String) {
        self.exceeded = Some(limit);
    }

    /// Writes the text that stands for a picture.
    fn label(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.text(&format!(" {} ", unwrapped(text)));
        }
    }

    /// Writes a note where the text refers to it, so that a passage has both. A heading stays as it is.
    fn note(&mut self, kind: &'static str, start: &BytesStart) {
        let id = attribute(start, "id").unwrap_or_default();
        let Some(note) = self.notes.remove(&(kind, id)).filter(|_| !self.is_hidden) else { return };
        match self.open.last_mut() {
            Some(Paragraph { purpose: Purpose::Title | Purpose::Heading(_), notes, .. }) => {
                notes.extend([" (", note.as_str(), ")"]);
            }
            _ => self.text(&format!(" ({note})")),
        }
    }

    fn end_paragraph(&mut self) {
        let Some(Paragraph { text, mut purpose, depth, notes, .. }) = self.open.pop() else { return };
        self.ended += 1;
        let line = unwrapped(&text);
        if line.is_empty() || purpose == Purpose::Contents {
            return;
        }
        if self.part == Part::Note {
            purpose = Purpose::Text;
        }
        if let Some(cell) = self.row.last_mut().filter(|_| self.tables > 0) {
            cell.push_str(if cell.is_empty() { "" } else { " " });
            cell.push_str(&line);
            cell.push_str(&notes);
            return;
        }
        match purpose {
            Purpose::Title => {
                self.done.title.get_or_insert_with(|| line.clone());
                self.heading(1, line);
            }
            Purpose::Heading(level) => self.heading(level, line),
            Purpose::Item => {
                let indent = "  ".repeat(depth.min(DEEPEST));
                self.write(Block::Item, (self.ended, self.ended), &format!("{indent}- {line}"));
            }
            Purpose::Text | Purpose::Contents => {
                let lines: Vec<String> = text.lines().map(unwrapped).filter(|line| !line.is_empty()).collect();
                self.write(Block::Paragraph, (self.ended, self.ended), &lines.join("\n"));
            }
        }
        if !notes.is_empty() {
            self.write(Block::Paragraph, (self.ended, self.ended), notes.trim());
        }
    }

    fn heading(&mut self, level: u8, text: String) {
        self.write(Block::Paragraph, (self.ended, self.ended), &format!("{} {text}", "#".repeat(level.into())));
        let start = self.done.markdown.rfind('\n').map_or(0, |end| end + 1);
        self.outline.structure.insert(start, level);
        self.outline.add_heading(Heading { start, level, text });
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row).join(" | ");
        if row.contains(|c: char| c != ' ' && c != '|') {
            let places = (self.row_start, self.ended);
            self.write(Block::Row, places, row.trim_end_matches([' ', '|']).trim_start());
        }
    }

    /// Writes a block of these paragraphs, after a blank line unless it continues a list or a table.
    fn write(&mut self, block: Block, (first, last): (usize, usize), text: &str) {
        let continues = block == self.last && block != Block::Paragraph;
        let ends = match self.done.markdown.is_empty() {
            true => "",
            false if continues => "\n",
            false => "\n\n",
        };
        self.done.markdown.push_str(ends);
        if continues && block == Block::Row {
            self.outline.structure.insert(self.done.markdown.len(), INNER_LINE);
        }
        let lines = text.matches('\n').count() + ends.len();
        let lines = lines + usize::from(ends.is_empty());
        self.done.places.extend(std::iter::repeat_n(first, lines));
        self.done.ends.extend(std::iter::repeat_n(last, lines));
        self.done.markdown.push_str(text);
        self.outline.add_prose(text);
        self.outline.add_prose("\n");
        self.last = block;
    }

    /// Returns the text, or the limit that the document exceeds.
    pub(super) fn finish(mut self) -> Result<Converted, String> {
        if let Some(exceeded) = self.exceeded {
            return Err(exceeded);
        }
        if self.embedded > 0 && self.done.markdown.is_empty() {
            return Err("its text is an embedded file (altChunk), which is not read".to_owned());
        }
        if !self.done.markdown.is_empty() {
            self.done.markdown.push('\n');
        }
        Ok(Converted { outline: Some(self.outline), ..self.done })
    }
}

/// Returns the character of a symbol, or a blank for one that only the symbol's font has.
fn symbol(start: &BytesStart) -> char {
    let code = attribute(start, "char").and_then(|code| u32::from_str_radix(&code, 16).ok());
    let is_own = |symbol: &char| matches!(symbol, '\u{e000}'..='\u{f8ff}') || symbol.is_control();
    code.and_then(char::from_u32).filter(|symbol| !is_own(symbol)).unwrap_or(' ')
}
