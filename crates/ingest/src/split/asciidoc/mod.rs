//! The structure of AsciiDoc: its sections, and blocks that are better left whole.
//!
//! The rules are those of Asciidoctor: a section's title begins a block, and a delimited block contains none. Each line is read
//! twice.
//!
//! Source: <https://docs.asciidoctor.org/asciidoc/latest/>.

mod inline;
mod signs;

use self::inline::plain_text;
use self::signs::{
    Delimiter, Kind, attribute, delimiter, is_block_attributes, is_comment, is_item, is_macro, is_preprocessor, setext,
    title,
};
use super::lines::{Line, lines};
use crate::outline::{Heading, INNER_LINE, Outline, one_line};

/// Styles of a paragraph that is code.
const CODE: &[&str] = &["source", "listing", "literal", "stem", "latexmath", "asciimath", "pass", "comment"];

/// Returns the outline of a text.
pub(super) fn outline(text: &str) -> Outline {
    let lines = lines(text);
    let mut reader = Reader { is_start: true, ..Reader::default() };
    let mut rest = lines.as_slice();
    while let [line, after @ ..] = rest {
        let read = reader.line(line, after.first());
        rest = rest.get(read..).unwrap_or_default();
    }
    reader.outline
}

/// Part of the document's header: attributes stand before and below the title, up to a blank line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Header {
    #[default]
    Before,
    BelowTitle,
    Ended,
}

/// Content of a paragraph.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Paragraph {
    #[default]
    Prose,
    Code,
}

#[derive(Default)]
struct Reader<'a> {
    outline: Outline,
    header: Header,
    /// Delimited block, and the block with code in it.
    outer: Option<Delimiter<'a>>,
    inner: Option<Delimiter<'a>>,
    /// True if a block may begin.
    is_start: bool,
    paragraph: Paragraph,
    /// Position of the anchors and attributes that belong to the next block.
    introduced: Option<usize>,
    /// Attribute whose value continues on the next line.
    continued: Option<(&'a str, String)>,
}

impl<'a> Reader<'a> {
    /// Reads a line, and returns the number of lines that were read with it.
    fn line(&mut self, line: &Line<'a>, next: Option<&Line<'a>>) -> usize {
        let text = line.text;
        if let Some(outer) = self.outer.take() {
            self.line_in_block(line, outer);
        } else if self.continued.is_some() {
            self.inner_line(line);
            self.continue_attribute(text);
        } else if text.is_empty() {
            self.end_block();
        } else if is_preprocessor(text) || is_comment(text) {
            // Not part of the text, so that a paragraph continues below.
        } else if let Some(opened) = delimiter(text).filter(|_| line.indent == 0) {
            self.open_block(opened);
        } else if self.header == Header::BelowTitle {
            self.line_in_header(line);
        } else if line.indent == 0 && is_block_attributes(text) {
            self.block_attributes(line);
        } else if let Some((name, value)) = attribute(text).filter(|_| self.is_start) {
            self.attribute(name, value);
        } else if self.paragraph == Paragraph::Code {
            self.text(line);
        } else if let Some((level, title)) = title(text).filter(|_| self.is_start && line.indent == 0) {
            self.heading(line, level, title);
        } else if let Some(level) = next.filter(|_| self.is_start).and_then(|under| setext(line, under)) {
            self.heading(line, level, text);
            self.outline.structure.extend(next.map(|under| (under.start, INNER_LINE)));
            return 2;
        } else {
            self.text(line);
        }
        1
    }

    fn line_in_block(&mut self, line: &Line<'a>, outer: Delimiter<'a>) {
        let text = line.text;
        if line.indent == 0 && text == outer.end {
            self.inner = None;
            self.end_block();
            return;
        }
        match (outer.kind, self.inner) {
            (Kind::Code, _) => self.inner_line(line),
            (Kind::Table, _) => {
                self.inner_line(line);
                self.prose(text);
            }
            (Kind::Text, Some(inner)) => {
                self.inner_line(line);
                self.inner = (text != inner.end).then_some(inner);
            }
            (Kind::Text, None) => {
                self.inner = delimiter(text).filter(|opened| opened.kind == Kind::Code);
                if self.inner.is_none() && delimiter(text).is_none() && !is_block_attributes(text) {
                    self.prose(text);
                }
            }
        }
        self.outer = Some(outer);
    }

    fn open_block(&mut self, opened: Delimiter<'a>) {
        // A comment may stand before the title, for example with a licence.
        if !(opened.kind == Kind::Code && opened.end.starts_with('/')) {
            self.header = Header::Ended;
            self.introduced = None;
        }
        self.outer = Some(opened);
    }

    /// Ends a block or the header. Attributes above a blank line belong to the next block.
    fn end_block(&mut self) {
        if self.header == Header::BelowTitle {
            self.header = Header::Ended;
        }
        (self.is_start, self.paragraph) = (true, Paragraph::Prose);
    }

    /// Reads a line below the document's title: an attribute, or the author and the revision.
    fn line_in_header(&mut self, line: &Line<'a>) {
        self.inner_line(line);
        if let Some((name, value)) = attribute(line.text) {
            self.attribute(name, value);
        }
    }

    fn attribute(&mut self, name: &'a str, value: &str) {
        let is_continued = value.ends_with(" \\");
        let value = value.trim_end_matches('\\').trim_end().to_owned();
        if is_continued {
            self.continued = Some((name, value));
        } else {
            self.keep_attribute(name, &value);
        }
    }

    fn continue_attribute(&mut self, text: &str) {
        let Some((name, mut value)) = self.continued.take() else { return };
        value.push(' ');
        value.push_str(text.trim_end_matches('\\').trim_end());
        if text.ends_with(" \\") {
            self.continued = Some((name, value));
        } else {
            self.keep_attribute(name, &value);
        }
    }

    /// Keeps an attribute of the header that says something about the text.
    fn keep_attribute(&mut self, name: &str, value: &str) {
        let metadata = &mut self.outline.metadata;
        let kept = match name {
            "doctitle" | "title" => &mut metadata.title,
            "description" => &mut metadata.description,
            "lang" => &mut metadata.language,
            _ => return,
        };
        let value = one_line(&plain_text(value));
        if self.header != Header::Ended && !value.is_empty() {
            *kept = Some(value);
        }
    }

    fn block_attributes(&mut self, line: &Line) {
        let style = line.text.trim_start_matches('[').split([',', ']', '%', '#', '.']).next().unwrap_or_default();
        self.is_start = true;
        self.paragraph = if CODE.contains(&style) { Paragraph::Code } else { Paragraph::Prose };
        self.introduced.get_or_insert(line.start);
    }

    fn heading(&mut self, line: &Line, level: u8, title: &str) {
        let introduced = self.introduced.take().unwrap_or(line.start);
        let is_document = self.header == Header::Before && level == 1;
        if is_document {
            self.outline.front_matter = 0..introduced;
        }
        self.header = if is_document { Header::BelowTitle } else { Header::Ended };
        self.paragraph = Paragraph::Prose;
        let text = plain_text(title);
        self.prose(&text);
        self.outline.structure.insert(line.start, INNER_LINE);
        self.outline.structure.insert(introduced, level);
        self.outline.add_heading(Heading { start: introduced, level, text });
    }

    fn text(&mut self, line: &Line) {
        let text = line.text;
        (self.header, self.introduced) = (Header::Ended, None);
        if is_macro(text) {
            self.is_start = true;
            return;
        }
        if self.is_start && line.indent > 0 && !is_item(text) {
            self.paragraph = Paragraph::Code;
        } else if self.paragraph == Paragraph::Code && !self.is_start {
            self.inner_line(line);
        }
        // The title of a block stands above it.
        let is_block_title =
            self.is_start && text.starts_with('.') && !text.starts_with(". ") && !text.starts_with("...");
        self.is_start &= is_block_title;
        if self.paragraph == Paragraph::Prose {
            self.prose(text);
        }
    }

    fn inner_line(&mut self, line: &Line) {
        self.outline.structure.insert(line.start, INNER_LINE);
    }

    fn prose(&mut self, text: &str) {
        self.outline.add_prose(text);
        self.outline.add_prose(" ");
    }
}

#[cfg(test)]
mod tests;
