//! Pages of HTML as Markdown: headings, paragraphs, lists, tables and code.
//!
//! The tokenizer of a browser reads the page, and no tree is built. So nesting costs nothing, and broken pages are read as far as
//! they go.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::text::Converted;

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
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

/// Elements that begin on a line of their own.
const LINES: &[&str] = &["br", "caption", "dd", "dt", "figcaption", "legend", "option", "tr"];

pub(super) fn converted(text: &str) -> Converted {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(text));
    let tokenizer = Tokenizer::new(Page::default(), TokenizerOpts::default());
    // The sink runs no script, so the tokenizer does not stop before the end.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().finish()
}

#[derive(Default)]
struct Page(RefCell<Writer>);

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        writer.line = usize::try_from(line).unwrap_or(usize::MAX);
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return writer.start(&tag),
            Token::TagToken(tag) => writer.end(&tag.name),
            Token::CharacterTokens(text) => writer.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Markdown so far, and what surrounds the next text.
#[derive(Default)]
struct Writer {
    done: Converted,
    /// Line of the page that is read.
    line: usize,
    /// Number of ends of lines that the next text needs before it.
    wanted: usize,
    /// Text in front of the next text, such as the sign of a heading.
    prefix: String,
    /// True if blanks came since the last text.
    is_spaced: bool,
    /// Skipped element, and how many of its kind are open.
    skipped: Option<(String, usize)>,
    content: Content,
}

/// Kind of the next text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Prose,
    /// Title of the page.
    Title,
    /// The first text of code, whose first end of a line does not count.
    CodeStart,
    Code,
}

impl Writer {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(skipped == name && !tag.self_closing);
            return raw_text(name);
        }
        match name {
            "title" if self.done.title.is_none() => self.content = Content::Title,
            "html" => self.done.language = attribute(tag, "lang"),
            "meta" if attribute(tag, "name").is_some_and(|name| name.eq_ignore_ascii_case("description")) => {
                self.done.description = attribute(tag, "content");
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.break_lines(2);
                let level = name.trim_start_matches('h').parse().unwrap_or(1);
                self.prefix = format!("{} ", "#".repeat(level));
            }
            "li" => {
                self.break_lines(1);
                "- ".clone_into(&mut self.prefix);
            }
            "td" | "th" => self.prefix.push_str(if self.is_at_line_start() { "" } else { " | " }),
            "img" => self.text(&attribute(tag, "alt").unwrap_or_default()),
            name if SKIPPED.contains(&name) && !tag.self_closing => self.skipped = Some((name.to_owned(), 1)),
            name if BLOCKS.contains(&name) => self.break_lines(2),
            name if LINES.contains(&name) => self.break_lines(1),
            _ => {}
        }
        if name == "pre" {
            self.write("```");
            self.break_lines(1);
            self.content = Content::CodeStart;
        }
        raw_text(name)
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipped = None;
            }
            return;
        }
        match name {
            "title" if self.content == Content::Title => self.content = Content::Prose,
            "pre" if self.is_in_code() => {
                self.content = Content::Prose;
                self.break_lines(1);
                self.write("```");
                self.break_lines(2);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.prefix.clear();
                self.break_lines(2);
            }
            name if BLOCKS.contains(&name) => self.break_lines(2),
            "li" => self.break_lines(1),
            name if LINES.contains(&name) => self.break_lines(1),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.content == Content::Title {
            self.done.title.get_or_insert_default().push_str(text);
            return;
        }
        // The tokenizer states the line at which a text ends.
        let end = self.line;
        let mut text = text;
        if self.content == Content::CodeStart {
            self.content = Content::Code;
            text = text.strip_prefix('\n').unwrap_or(text);
        }
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
            if self.is_spaced && !self.is_at_line_start() {
                self.write(" ");
            }
            self.write(word);
            self.is_spaced = true;
        }
        let is_blank = text.trim().is_empty();
        self.is_spaced = text.ends_with(char::is_whitespace) || (self.is_spaced && is_blank);
    }

    fn is_in_code(&self) -> bool {
        matches!(self.content, Content::CodeStart | Content::Code)
    }

    fn is_at_line_start(&self) -> bool {
        self.wanted > 0 || self.done.markdown.is_empty() || self.done.markdown.ends_with('\n')
    }

    /// Requests that the next text begins after this number of ends of lines.
    fn break_lines(&mut self, number: usize) {
        if !self.is_in_code() {
            self.wanted = self.wanted.max(number);
            self.is_spaced = false;
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
        let prefix = std::mem::take(&mut self.prefix);
        self.done.markdown.push_str(&prefix);
        self.done.markdown.push_str(text);
    }

    fn finish(mut self) -> Converted {
        if !self.done.markdown.is_empty() {
            self.done.markdown.push('\n');
        }
        let clean = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = |text: Option<String>| text.map(clean).filter(|text| !text.is_empty());
        Converted {
            title: said(self.done.title),
            description: said(self.done.description),
            language: said(self.done.language),
            ..self.done
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_markdown_with_its_lines() {
        let page = "<!DOCTYPE html>
<html lang=\"de-AT\"><head><title> Opening
 hours </title><meta name=Description content='When we &amp; you meet'>
<style>h1 { color: red }</style><script>document.write('<h1>no</h1>')</script></head>
<body><nav><a href=/>Home</a></nav>
<h1>Opening <em>hours</em></h1>
<p>We are open
   from <b>nine</b>&nbsp;to five.<br>Not on Sunday.</p>
<ul><li>Monday<li>Tuesday</ul>
<h2>Code</h2><pre><code>fn main() {
    run();
}</code></pre>
<table><tr><th>Day<th>Time</tr><tr><td>Monday<td>9</tr></table>
<img src=x alt='A map'></body></html>";
        let Converted { markdown, places, title, description, language, .. } = converted(page);
        let expected = "# Opening hours\n\nWe are open from nine to five.\nNot on Sunday.\n\n- Monday\n- Tuesday\n\n## Code\n\n\
            ```\nfn main() {\n    run();\n}\n```\n\nDay | Time\nMonday | 9\n\nA map\n";
        assert_eq!(markdown, expected);
        assert_eq!((title.as_deref(), language.as_deref()), (Some("Opening hours"), Some("de-AT")));
        assert_eq!(description.as_deref(), Some("When we & you meet"));
        let place = |text: &str| {
            let line = markdown.lines().position(|line| line.contains(text)).unwrap();
            places[line]
        };
        assert_eq!(["# Opening", "Sunday", "Tuesday", "run()", "9", "map"].map(place), [6, 8, 9, 11, 13, 14]);
        assert_eq!(places.len(), markdown.lines().count());
    }

    #[test]
    fn broken_and_hostile_pages_are_read_as_far_as_they_go() {
        let text = |page: &str| converted(page).markdown;
        assert_eq!(text("<h1>One<p>two</h2><b>three"), "# One\n\ntwo\n\nthree\n");
        assert_eq!(text("a <svg><svg>x</svg>y</svg> b </nav></p></pre></title> c"), "a b\n\nc\n");
        assert_eq!(text("<nav>never closed"), "");
        assert_eq!(text("<script>never closed"), "");
        assert_eq!(text("<pre>\none\n\n two</pre>"), "```\none\n\n two\n```\n");
        assert_eq!(text("<td>a<td>b"), "a | b\n");
        assert_eq!(text(&"<div>".repeat(200_000)), "");
        assert_eq!(text(&format!("{}x", "<ul><li>".repeat(200_000))), "- x\n");
        assert_eq!(converted("<title></title><p>x").title, None);
    }
}
