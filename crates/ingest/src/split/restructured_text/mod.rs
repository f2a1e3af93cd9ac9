//! The structure of reStructuredText: its sections, and blocks that are better left whole.
//!
//! The blocks are those of docutils. A block that begins in the first column may be a section's title; indented lines belong to
//! the block above them and contain none. Each line is read a fixed number of times.
//!
//! Source: <https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html>.

mod inline;
mod signs;

use self::inline::plain_text;
use self::signs::{adornment, columns, directive, field, introduces_literal, is_bullet, is_explicit, text_column};
use super::lines::{Line, lines};
use crate::outline::{DEEPEST, Heading, INNER_LINE, Outline};

/// Length from which an underline makes a title of a text that is longer. Docutils warns, and keeps the title.
const CLEAR_UNDERLINE: usize = 4;

/// Directives whose content is not prose. Others, such as notes and descriptions of functions, contain texts.
const NOT_PROSE: &[&str] = &[
    "autosummary",
    "code",
    "code-block",
    "contents",
    "csv-table",
    "digraph",
    "doctest",
    "graph",
    "graphviz",
    "highlight",
    "image",
    "include",
    "index",
    "ipython",
    "literalinclude",
    "math",
    "mermaid",
    "meta",
    "parsed-literal",
    "plantuml",
    "plot",
    "productionlist",
    "prompt",
    "raw",
    "role",
    "sourcecode",
    "testcleanup",
    "testcode",
    "testoutput",
    "testsetup",
    "toctree",
    "uml",
];

/// Returns the outline of a text.
pub(super) fn outline(text: &str) -> Outline {
    let lines = lines(text);
    let (mut reader, mut rest) = (Reader::default(), lines.as_slice());
    while !rest.is_empty() {
        let read = reader.block(rest).max(1);
        rest = rest.get(read..).unwrap_or_default();
    }
    reader.outline
}

#[derive(Default)]
struct Reader<'a> {
    outline: Outline,
    /// Adornments of the titles, by level: the character, and if it is also above the title.
    styles: Vec<(char, bool)>,
    /// Position of the labels and index entries that belong to the next block.
    introduced: Option<&'a Line<'a>>,
    /// True behind the first paragraph or item.
    has_text: bool,
}

impl<'a> Reader<'a> {
    /// Reads the block with which the lines begin, and returns the number of its lines.
    fn block(&mut self, lines: &'a [Line<'a>]) -> usize {
        let [first, rest @ ..] = lines else { return 0 };
        if first.text.is_empty() {
            return 1;
        }
        if first.indent == 0 && is_explicit(first.text) {
            return 1 + self.explicit(first, rest);
        }
        let introduced = self.introduced.take();
        match first.text {
            _ if first.indent > 0 => self.indented(lines, None),
            text if is_bullet(text) => {
                self.has_text = true;
                self.prose(text);
                1 + self.indented(rest, introduces_literal(first).then(|| text_column(first)))
            }
            text if let Some((name, value)) = field(text) => {
                // Further down, a list of fields is about something else.
                if !self.has_text && self.outline.headings.len() <= 1 {
                    self.describe(name, value, 0, rest);
                }
                1 + self.indented(rest, Some(0))
            }
            text if text == ">>>" || text.starts_with(">>> ") || text.starts_with("+-") && text.ends_with("-+") => {
                self.whole(lines, lines.iter().take_while(|line| !line.text.is_empty()).count())
            }
            text if is_table_border(text) => self.whole(lines, simple_table(lines)),
            text if adornment(text).is_some() => self.overlined(lines, introduced),
            _ => self.underlined(lines, introduced),
        }
    }

    /// Reads a directive, a comment, a label or a footnote, and returns the number of lines behind the first.
    fn explicit(&mut self, first: &'a Line<'a>, rest: &'a [Line<'a>]) -> usize {
        let name = directive(first.text);
        let is_label = first.text.starts_with(".. _") || name == Some("index");
        self.introduced = is_label.then(|| self.introduced.unwrap_or(first));
        let is_prose = first.text.starts_with(".. [") || name.is_some_and(|name| !NOT_PROSE.contains(&name));
        if name == Some("meta") {
            let inside = rest.iter().zip(1..).take_while(|(line, _)| line.text.is_empty() || line.indent > 0);
            for (line, next) in inside {
                let (name, value) = field(line.text).unwrap_or_default();
                let below = rest.get(next..).unwrap_or_default();
                self.describe(name.split(' ').next().unwrap_or_default(), value, line.indent, below);
            }
        }
        self.indented(rest, (!is_prose).then_some(0))
    }

    /// Reads a title between two lines of punctuation, or one such line that is none.
    fn overlined(&mut self, lines: &'a [Line<'a>], introduced: Option<&'a Line<'a>>) -> usize {
        match lines {
            [over, title, under, ..]
                if !title.text.is_empty() && adornment(title.text).is_none() && over.text == under.text =>
            {
                if is_long_enough(over.text, title.text) {
                    self.heading(&[over, title, under], title, introduced);
                    return 3;
                }
                self.paragraph(lines)
            }
            [first, ..] if first.text.len() < CLEAR_UNDERLINE => self.paragraph(lines),
            _ => 1,
        }
    }

    /// Reads a title above a line of punctuation, or a paragraph.
    fn underlined(&mut self, lines: &'a [Line<'a>], introduced: Option<&'a Line<'a>>) -> usize {
        match lines {
            [title, under, ..]
                if under.indent == 0 && adornment(under.text).is_some() && is_long_enough(under.text, title.text) =>
            {
                self.heading(&[title, under], title, introduced);
                2
            }
            _ => self.paragraph(lines),
        }
    }

    fn heading(&mut self, lines: &[&'a Line<'a>], title: &'a Line<'a>, introduced: Option<&'a Line<'a>>) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        let style = (adornment(last.text).unwrap_or_default(), lines.len() == 3);
        let at = self.styles.iter().position(|known| *known == style).unwrap_or_else(|| {
            self.styles.push(style);
            self.styles.len() - 1
        });
        let level = u8::try_from(at + 1).unwrap_or(u8::MAX);
        let start = introduced.unwrap_or(first).start;
        self.outline.structure.extend(lines.iter().map(|line| (line.start, INNER_LINE)));
        self.outline.structure.insert(start, level.min(DEEPEST));
        let text = plain_text(title.text);
        self.prose(&text);
        self.outline.add_heading(Heading { start, level, text });
    }

    /// Reads the lines up to a blank or indented one, and the literal block that they introduce.
    fn paragraph(&mut self, lines: &'a [Line<'a>]) -> usize {
        self.has_text = true;
        let is_inside = |line: &&Line| !line.text.is_empty() && line.indent == 0;
        let length = lines.iter().take_while(is_inside).count();
        let (paragraph, rest) = lines.split_at_checked(length).unwrap_or((lines, &[]));
        for line in paragraph {
            self.prose(line.text);
        }
        match paragraph.last() {
            Some(last) if introduces_literal(last) => length + self.literal(rest, text_column(last)),
            _ => length,
        }
    }

    /// Reads a literal block: indented lines, or lines that all begin with the same punctuation.
    fn literal(&mut self, lines: &'a [Line<'a>], column: usize) -> usize {
        let blank = lines.iter().take_while(|line| line.text.is_empty()).count();
        let rest = lines.get(blank..).unwrap_or_default();
        match rest.first() {
            Some(first) if blank > 0 && first.indent > 0 => blank + self.indented(rest, Some(column)),
            Some(first) if blank > 0 && first.text.starts_with(|c: char| c.is_ascii_punctuation()) => {
                let quote = first.text.chars().next().unwrap_or_default();
                let quoted = rest.iter().take_while(|line| line.indent == 0 && line.text.starts_with(quote)).count();
                // Punctuation around a title is no quotation.
                let is_quoted = adornment(first.text).is_none() && !is_explicit(first.text);
                blank + if is_quoted { self.whole(rest, quoted) } else { 0 }
            }
            _ => blank,
        }
    }

    /// Reads the blank and indented lines, and returns their number. Those that are indented by more than `literal` are code.
    fn indented(&mut self, lines: &'a [Line<'a>], mut literal: Option<usize>) -> usize {
        let length = lines.iter().take_while(|line| line.text.is_empty() || line.indent > 0).count();
        let mut is_first = true;
        for line in lines.iter().take(length).filter(|line| !line.text.is_empty()) {
            if literal.is_some_and(|column| line.indent > column) {
                // The first line may begin a passage: its directive is often the only line before it.
                if !is_first {
                    self.outline.structure.insert(line.start, INNER_LINE);
                }
                is_first = false;
                continue;
            }
            (literal, is_first) = (None, false);
            if is_explicit(line.text) {
                let is_prose = directive(line.text).is_some_and(|name| !NOT_PROSE.contains(&name));
                literal = (!is_prose).then_some(line.indent);
            } else if introduces_literal(line) {
                literal = Some(text_column(line));
                self.prose(line.text);
            } else if field(line.text).is_none() {
                self.prose(line.text);
            }
        }
        length
    }

    /// Reads a block that belongs together and is not prose.
    fn whole(&mut self, lines: &[Line], length: usize) -> usize {
        let inner = lines.iter().take(length).skip(1).map(|line| (line.start, INNER_LINE));
        self.outline.structure.extend(inner);
        length
    }

    fn prose(&mut self, text: &str) {
        self.outline.add_prose(text);
        self.outline.add_prose(" ");
    }

    /// Keeps the value of the first field with the name `description`, which more indented lines continue.
    fn describe(&mut self, name: &str, value: &str, indent: usize, below: &[Line]) {
        if !name.eq_ignore_ascii_case("description") || self.outline.metadata.description.is_some() {
            return;
        }
        let rest = below.iter().take_while(|line| line.indent > indent && !line.text.is_empty()).map(|line| line.text);
        let value = [value].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
        self.outline.metadata.description = Some(plain_text(value.trim())).filter(|value| !value.is_empty());
    }
}

/// Returns true if an adornment makes a title of a text.
fn is_long_enough(adornment: &str, title: &str) -> bool {
    adornment.len() >= CLEAR_UNDERLINE || columns(title) <= adornment.len()
}

/// Returns true for the first border of a simple table: two or more runs of `=`.
fn is_table_border(text: &str) -> bool {
    text.contains(' ') && is_later_border(text)
}

/// Returns true for a line that docutils takes for another border of a simple table.
fn is_later_border(text: &str) -> bool {
    text.starts_with('=') && text.bytes().all(|byte| matches!(byte, b'=' | b' '))
}

/// Returns the number of lines of a simple table: up to its third border, or the second that a blank line follows. A border of
/// another length ends a broken table, as it does for docutils, so that the sections below it are found.
fn simple_table(lines: &[Line]) -> usize {
    let top = lines.first().map_or(0, |line| line.text.len());
    let mut last = None;
    for (line, at) in lines.iter().zip(1..).skip(1) {
        if line.indent > 0 || !is_later_border(line.text) {
            continue;
        }
        let is_before_blank = lines.get(at).is_none_or(|next| next.text.is_empty());
        if line.text.len() != top || last.is_some() || is_before_blank {
            return at;
        }
        last = Some(at);
    }
    last.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests;
