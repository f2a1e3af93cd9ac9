//! The text that is made of a page, tag by tag.

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TokenSinkResult};

use crate::formats::text::Converted;
use crate::outline::{Heading, INNER_LINE, Outline};

/// Elements that readers do not see, or that repeat on every page.
const SKIPPED: &[&str] =
    &["iframe", "nav", "noembed", "noframes", "noscript", "object", "script", "style", "svg", "template", "textarea"];

/// Elements that begin on a line of their own, after a blank line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hgroup",
    "hr",
    "main",
    "p",
    "search",
    "section",
    "select",
    "summary",
];

/// Elements that begin on a line of their own.
const LINES: &[&str] = &["br", "caption", "dd", "dt", "figcaption", "legend", "optgroup", "option"];

/// Blocks that end a heading. Others only separate its words.
const NOT_IN_HEADING: &[&str] = &["ol", "p", "pre", "table", "ul"];

/// Maximum number of levels by which a list is indented.
const DEEPEST: usize = 10;

/// Kind of the next text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Prose,
    /// Title of the page.
    Title,
    /// Cell of a table, on one line.
    Cell,
    /// The first text of code, whose first end of a line does not count.
    CodeStart,
    Code,
}

/// Text so far, and what surrounds the next one.
#[derive(Default)]
pub(super) struct Writer {
    done: Converted,
    outline: Outline,
    /// Line of the page that is read.
    pub(super) line: usize,
    /// Number of ends of lines that the next text needs before it.
    wanted: usize,
    /// Text in front of the next text, such as the sign of an item.
    prefix: String,
    /// True if blanks came since the last text.
    is_spaced: bool,
    /// Skipped element, and how many of its kind are open.
    skipped: Option<(String, usize)>,
    content: Content,
    /// Open heading; its position is known once it has text.
    heading: Option<Heading>,
    /// Open lists; the next number of an ordered one.
    lists: Vec<Option<usize>>,
    /// Number of cells so far in the row.
    cells: usize,
}

impl Writer {
    pub(super) fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(skipped == name && !tag.self_closing);
            // Within a drawing, elements of these names contain no raw text.
            return if skipped == "svg" || tag.self_closing { TokenSinkResult::Continue } else { raw_text(name) };
        }
        if NOT_IN_HEADING.contains(&name) {
            self.end_heading();
        }
        match name {
            "title" if !tag.self_closing && self.done.title.is_none() => self.content = Content::Title,
            "html" => self.read_language(tag),
            "meta" if attribute(tag, "name").is_some_and(|name| name.eq_ignore_ascii_case("description")) => {
                self.done.description = self.done.description.take().or(attribute(tag, "content"));
            }
            "img" => self.label(&attribute(tag, "alt").unwrap_or_default()),
            name if name == "title" || SKIPPED.contains(&name) => {
                self.skipped = (!tag.self_closing).then(|| (name.to_owned(), 1));
            }
            name if self.is_in_code() => self.break_in_code(name),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.start_heading(name),
            "ul" | "menu" | "dir" => self.start_list(None),
            "ol" => self.start_list(Some(1)),
            "li" => self.start_item(),
            "table" => self.break_row(2),
            "tr" => self.break_row(1),
            "td" | "th" => self.start_cell(),
            "pre" | "listing" => self.start_code(),
            name if BLOCKS.contains(&name) => self.break_block(),
            name if LINES.contains(&name) => self.break_lines(1),
            _ => {}
        }
        if tag.self_closing { TokenSinkResult::Continue } else { raw_text(name) }
    }

    pub(super) fn end(&mut self, name: &str) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipped = None;
            }
            return;
        }
        match name {
            "title" if self.content == Content::Title => self.content = Content::Prose,
            "pre" | "listing" if self.is_in_code() => self.end_code(),
            name if self.is_in_code() => self.break_in_code(name),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.end_heading(),
            "ul" | "ol" | "menu" | "dir" => self.end_list(),
            "li" => self.end_item(1),
            "td" | "th" => self.content = Content::Prose,
            "tr" => self.break_row(1),
            "table" => self.break_row(2),
            name if BLOCKS.contains(&name) => self.break_block(),
            name if LINES.contains(&name) => self.break_lines(1),
            _ => {}
        }
    }

    fn read_language(&mut self, tag: &Tag) {
        let named = attribute(tag, "lang").or(attribute(tag, "xml:lang"));
        self.done.language = self.done.language.take().or(named);
    }

    fn start_heading(&mut self, name: &str) {
        self.end_heading();
        self.content = Content::Prose;
        self.break_lines(2);
        let level = name.trim_start_matches('h').parse().unwrap_or(1);
        self.prefix = format!("{} ", "#".repeat(level.into()));
        self.heading = Some(Heading { level, start: 0, text: String::new() });
    }

    fn end_heading(&mut self) {
        let Some(heading) = self.heading.take() else { return };
        if !heading.text.is_empty() {
            self.outline.structure.insert(heading.start, heading.level);
        }
        self.outline.add_heading(heading);
        self.prefix.clear();
        self.break_lines(2);
    }

    fn start_list(&mut self, first: Option<usize>) {
        self.break_block();
        self.lists.push(first);
    }

    fn end_list(&mut self) {
        self.lists.pop();
        self.end_item(if self.lists.is_empty() { 2 } else { 1 });
    }

    fn start_item(&mut self) {
        self.end_item(1);
        if self.content == Content::Cell {
            return;
        }
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(DEEPEST));
        let sign = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        self.prefix = indent + &sign;
    }

    /// Ends an item, which may have no text, and begins the next text after this number of ends of lines.
    fn end_item(&mut self, ends: usize) {
        if self.content != Content::Cell {
            self.prefix.clear();
        }
        self.break_lines(ends);
    }

    /// Ends a row, and begins the next text after this number of ends of lines.
    fn break_row(&mut self, ends: usize) {
        self.content = Content::Prose;
        self.prefix.clear();
        self.cells = 0;
        self.break_lines(ends);
    }

    fn start_cell(&mut self) {
        self.content = Content::Cell;
        if self.cells > 0 {
            let is_first_text = self.prefix.is_empty() && self.is_at_line_start();
            self.prefix.push_str(if is_first_text { "| " } else { " | " });
        }
        self.cells += 1;
        self.is_spaced = false;
    }

    fn start_code(&mut self) {
        self.content = Content::Prose;
        self.prefix.clear();
        self.break_lines(2);
        self.write("```");
        self.wanted = 1;
        self.content = Content::CodeStart;
    }

    /// Keeps the lines of code that elements separate.
    fn break_in_code(&mut self, name: &str) {
        if name == "br" {
            self.wanted += 1;
        } else if name == "li" || name == "tr" || BLOCKS.contains(&name) || LINES.contains(&name) {
            self.wanted = self.wanted.max(1);
        }
    }

    fn end_code(&mut self) {
        self.wanted = 1;
        self.write("```");
        self.content = Content::Prose;
        self.break_lines(2);
    }

    /// Writes the text that stands for an element.
    fn label(&mut self, text: &str) {
        self.is_spaced = true;
        self.text(text);
        self.is_spaced = true;
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.content == Content::Title {
            self.done.title.get_or_insert_default().push_str(text);
            return;
        }
        let mut text = text;
        if self.content == Content::CodeStart {
            self.content = Content::Code;
            text = text.strip_prefix('\n').unwrap_or(text);
        }
        // The tokenizer states the line at which a text ends.
        let end = self.line;
        let ends = text.matches('\n').count();
        for (part, at) in text.split('\n').zip(0..) {
            self.line = (end + at).saturating_sub(ends);
            if self.is_in_code() {
                self.wanted += usize::from(at > 0);
                self.write(part);
            } else {
                self.is_spaced |= at > 0;
                self.words(part);
            }
        }
    }

    /// Writes words with one blank between them, whatever the page has there.
    fn words(&mut self, text: &str) {
        self.is_spaced |= text.starts_with(char::is_whitespace);
        for word in text.split_whitespace() {
            let blank = if self.is_spaced { " " } else { "" };
            if self.prefix.is_empty() && !self.is_at_line_start() {
                self.write(blank);
            }
            self.write(word);
            if let Some(heading) = &mut self.heading {
                heading.text.push_str(blank);
                heading.text.push_str(word);
            }
            self.outline.add_prose(blank);
            self.outline.add_prose(word);
            self.is_spaced = true;
        }
        let is_blank = text.trim().is_empty();
        self.is_spaced = text.ends_with(char::is_whitespace) || (self.is_spaced && is_blank);
    }

    fn is_in_code(&self) -> bool {
        matches!(self.content, Content::CodeStart | Content::Code)
    }

    fn is_at_line_start(&self) -> bool {
        self.wanted > 0 || self.done.markdown.is_empty()
    }

    /// Requests a blank line before the next text, or a new line within a list.
    fn break_block(&mut self) {
        self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
    }

    /// Requests that the next text begins after this number of ends of lines. A cell and a heading stay on one line, and an item
    /// begins behind its sign.
    fn break_lines(&mut self, ends: usize) {
        self.is_spaced = true;
        let is_on_one_line = self.content == Content::Cell || self.heading.is_some();
        if !is_on_one_line && self.prefix.is_empty() {
            self.wanted = self.wanted.max(ends);
        }
    }

    /// Writes text that contains no end of a line.
    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let wanted = std::mem::take(&mut self.wanted);
        if self.done.markdown.is_empty() {
            self.done.places.push(self.line);
        } else {
            self.done.markdown.extend(std::iter::repeat_n('\n', wanted));
            self.done.places.extend(std::iter::repeat_n(self.line, wanted));
        }
        let start = self.done.markdown.len();
        let is_row = self.content == Content::Cell && wanted == 1;
        if is_row || (self.content == Content::Code && wanted > 0) {
            self.outline.structure.insert(start, INNER_LINE);
        }
        if let Some(heading) = self.heading.as_mut().filter(|heading| heading.text.is_empty()) {
            heading.start = start;
        }
        let prefix = std::mem::take(&mut self.prefix);
        self.done.markdown.push_str(&prefix);
        self.done.markdown.push_str(text);
    }

    pub(super) fn finish(mut self) -> Converted {
        if self.is_in_code() {
            self.end_code();
        }
        self.end_heading();
        if !self.done.markdown.is_empty() {
            self.done.markdown.push('\n');
        }
        Converted { outline: Some(self.outline), ..self.done }
    }
}

/// Tells the tokenizer what the content of an element is, as the construction of a tree would.
fn raw_text(name: &str) -> TokenSinkResult<()> {
    match name {
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "noembed" | "noframes" | "iframe" => TokenSinkResult::RawData(RawKind::Rawtext),
        _ => TokenSinkResult::Continue,
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name)?;
    Some(found.value.to_string())
}
