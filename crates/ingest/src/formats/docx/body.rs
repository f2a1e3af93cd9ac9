//! The text that is made of a document, element by element.

use std::collections::HashMap;

use quick_xml::events::BytesStart;

use super::styles::{Purpose, Styles, of_level};
use super::xml::{Node, attribute, is_on};
use crate::formats::text::{Converted, Unit};
use crate::outline::{Heading, INNER_LINE, Outline};

/// Elements whose content readers do not see, or see elsewhere: deleted text, the other form of a drawing, former properties.
const SKIPPED: &[&str] =
    &["Fallback", "del", "moveFrom", "pPrChange", "rPrChange", "rt", "sdtPr", "sectPr", "tabs", "tblPr"];

/// Maximum number of levels by which a list is indented.
const DEEPEST: usize = 10;

/// Text so far, and the elements that are open.
pub(super) struct Body<'a> {
    styles: &'a Styles,
    /// Notes that no text has referred to so far, by kind and id.
    pub(super) notes: HashMap<(&'static str, String), String>,
    done: Converted,
    outline: Outline,
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
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Paragraph,
    Item,
    Row,
}

impl<'a> Body<'a> {
    pub(super) fn new(styles: &'a Styles) -> Self {
        Self {
            styles,
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

    pub(super) fn node(&mut self, node: &Node) {
        match *node {
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
            "p" => self.open.push(Paragraph::default()),
            "pPr" => self.is_in_properties = true,
            "r" => self.is_hidden = false,
            "vanish" => self.is_hidden = is_on(start),
            "t" => self.is_in_text = true,
            "tab" => self.text(" "),
            "br" | "cr" => self.text("\n"),
            "noBreakHyphen" => self.text("-"),
            "docPr" => self.label(&attribute(start, "descr").unwrap_or_default()),
            "footnoteReference" => self.note("footnote", start),
            "endnoteReference" => self.note("endnote", start),
            "tbl" => self.tables += 1,
            "tr" if self.tables == 1 => (self.row, self.row_start) = (Vec::new(), self.ended + 1),
            "tc" if self.tables == 1 => self.row.push(String::new()),
            _ => {}
        }
    }

    fn property(&mut self, name: &str, start: &BytesStart) {
        let (Some(open), Some(value)) = (self.open.last_mut(), attribute(start, "val")) else { return };
        match name {
            "pStyle" => open.purpose = self.styles.purpose(&value),
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
            "tr" if self.tables == 1 => self.end_row(),
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                self.last = Block::Paragraph;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut().filter(|_| !self.is_hidden) {
            open.text.push_str(text);
        }
    }

    /// Writes the text that stands for a picture.
    fn label(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.text(&format!(" {} ", one_line(text)));
        }
    }

    /// Writes a note where the text refers to it, so that a passage has both.
    fn note(&mut self, kind: &'static str, start: &BytesStart) {
        let id = attribute(start, "id").unwrap_or_default();
        if let Some(note) = self.notes.remove(&(kind, id)) {
            self.text(&format!(" ({})", one_line(&note)));
        }
    }

    fn end_paragraph(&mut self) {
        let Some(Paragraph { text, purpose, depth }) = self.open.pop() else { return };
        self.ended += 1;
        let line = one_line(&text);
        if line.is_empty() || purpose == Purpose::Contents {
            return;
        }
        if let Some(cell) = self.row.last_mut().filter(|_| self.tables > 0) {
            cell.push_str(if cell.is_empty() { "" } else { " " });
            cell.push_str(&line);
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
                self.write(Block::Item, self.ended, &format!("{indent}- {line}"));
            }
            Purpose::Text | Purpose::Contents => {
                let lines: Vec<String> = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
                self.write(Block::Paragraph, self.ended, &lines.join("\n"));
            }
        }
    }

    fn heading(&mut self, level: u8, text: String) {
        self.write(Block::Paragraph, self.ended, &format!("{} {text}", "#".repeat(level.into())));
        let start = self.done.markdown.rfind('\n').map_or(0, |end| end + 1);
        self.outline.structure.insert(start, level);
        self.outline.add_heading(Heading { start, level, text });
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row).join(" | ");
        if row.contains(|c: char| c != ' ' && c != '|') {
            self.write(Block::Row, self.row_start, row.trim_end_matches([' ', '|']).trim_start());
        }
    }

    /// Writes a block, after a blank line unless it goes on with a list or a table.
    fn write(&mut self, block: Block, place: usize, text: &str) {
        let goes_on = block == self.last && block != Block::Paragraph;
        let ends = match self.done.markdown.is_empty() {
            true => "",
            false if goes_on => "\n",
            false => "\n\n",
        };
        self.done.markdown.push_str(ends);
        if goes_on && block == Block::Row {
            self.outline.structure.insert(self.done.markdown.len(), INNER_LINE);
        }
        let lines = text.matches('\n').count() + ends.len();
        self.done.places.extend(std::iter::repeat_n(place, lines + usize::from(ends.is_empty())));
        self.done.markdown.push_str(text);
        self.outline.add_prose(text);
        self.outline.add_prose("\n");
        self.last = block;
    }

    pub(super) fn finish(mut self) -> Converted {
        if !self.done.markdown.is_empty() {
            self.done.markdown.push('\n');
        }
        Converted { outline: Some(self.outline), ..self.done }
    }
}

/// Returns a text on one line, with one blank between its words.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
