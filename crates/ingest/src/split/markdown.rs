//! The structure of Markdown: its headings, and blocks that are better left whole.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::cuts::LineStarts;
use super::front_matter::front_matter;
use crate::outline::{Heading, INNER_LINE, Outline};

/// Maximum nesting. People don't use deeper lists or quotations, and the parser takes long for them.
const DEEPEST: usize = 100;

/// Returns true if a line is nested so deep that the text is not for people.
fn is_too_deep(text: &str) -> bool {
    text.lines().any(|line| {
        let indent = line.len() - line.trim_start().len();
        marks(line) > DEEPEST || indent > 4 * DEEPEST && indent < line.trim_end().len()
    })
}

/// Counts the quotations and lists that a line opens. A ruler of dashes opens none.
fn marks(line: &str) -> usize {
    let (mut rest, mut marks) = (line.trim_start(), 0);
    loop {
        let behind_number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_numbered = behind_number.len() < rest.len() && behind_number.starts_with(['.', ')']);
        let behind = if is_numbered { behind_number.get(1..) } else { rest.strip_prefix(['-', '+', '*']) };
        rest = match (rest.strip_prefix('>'), behind) {
            (Some(behind), _) => behind.trim_start(),
            (None, Some(behind)) if behind.starts_with(char::is_whitespace) => behind.trim_start(),
            _ => return marks,
        };
        marks += 1;
    }
}

/// Returns the place of the metadata that stand before a text, with the lines of `---` or `+++` around them. It is empty at the
/// beginning of the text if there are none.
fn front_matter_block(text: &str) -> Range<usize> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = text.get(start..).unwrap_or_default().split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let fence = first.trim_end();
    let mut end = start + first.len();
    if matches!(fence, "---" | "+++") {
        for (at, line) in lines.enumerate() {
            end += line.len();
            let line = line.trim_end();
            if at == 0 && line.is_empty() {
                break;
            }
            if line == fence || fence == "---" && line == "..." {
                return start..end;
            }
        }
    }
    0..0
}

/// Returns the outline of a text, or none if it is nested too deep. Only a file of its own has front matter.
pub(super) fn outline(text: &str, has_front_matter: bool) -> Option<Outline> {
    if is_too_deep(text) {
        return None;
    }
    let starts = LineStarts::new(text);
    let (mut outline, mut heading): (_, Option<Heading>) = (Outline::default(), None);
    // Not by the parser, which finds such a block anywhere, and not only before the text.
    outline.front_matter = if has_front_matter { front_matter_block(text) } else { 0..0 };
    outline.metadata = front_matter(text.get(outline.front_matter.clone()).unwrap_or_default());
    let body = outline.front_matter.end;
    let (mut is_code, mut depth) = (false, 0_u32);
    let events = Parser::new_ext(text.get(body..).unwrap_or_default(), Options::ENABLE_TABLES).into_offset_iter();
    for (event, range) in events {
        let range = range.start + body..range.end + body;
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::Item) => depth += 1,
            Event::Start(Tag::Heading { level, .. }) => {
                let (level, start) = (level as u8, starts.before(range.start));
                outline.structure.extend(start.map(|start| (start, level)));
                // A heading within a quotation or a list begins no section.
                heading =
                    (depth == 0).then(|| Heading { start: start.unwrap_or(range.start), level, text: String::new() });
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(read) = heading.take() {
                    outline.add_heading(read);
                }
            }
            Event::Text(part) => {
                if let Some(heading) = &mut heading {
                    heading.text.push_str(&part);
                }
                if !is_code {
                    outline.add_prose(&part);
                }
            }
            Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.text.push_str(&part);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut heading {
                    heading.text.push(' ');
                }
                outline.add_prose(" ");
            }
            Event::End(end) => {
                depth = depth.saturating_sub(u32::from(matches!(end, TagEnd::BlockQuote(_) | TagEnd::Item)));
                is_code &= end != TagEnd::CodeBlock;
                outline.add_prose(" ");
            }
            Event::Start(tag @ (Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_))) => {
                is_code |= matches!(tag, Tag::CodeBlock(_));
                let inner = starts.within(range.clone()).skip(1).map(|start| (start, INNER_LINE));
                outline.structure.extend(inner);
            }
            _ => {}
        }
    }
    Some(outline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::LONGEST;

    fn first_heading(text: &str) -> Option<String> {
        outline(text, true)?.headings.into_iter().map(|heading| heading.text).next()
    }

    #[test]
    fn metadata_stand_before_the_text_alone() {
        for (text, block) in [
            ("---\na: b\n---\n# T\n", "---\na: b\n---\n"),
            ("\u{feff}---\r\na: b\r\n---\r\n# T\r\n", "---\r\na: b\r\n---\r\n"),
            ("+++\na = 1\n+++", "+++\na = 1\n+++"),
            ("---\na: b\n...\n", "---\na: b\n...\n"),
            ("# Guide\n\nText.\n\n---\nPart two.\n\n---\n\nEnd.\n", ""),
            ("---\n\nA ruler, and text.\n\n---\n", ""),
            ("---\nno end\n", ""),
            ("---", ""),
            ("", ""),
        ] {
            assert_eq!(&text[front_matter_block(text)], block, "{text:?}");
        }
    }

    #[test]
    fn a_heading_within_a_quotation_begins_no_section() {
        assert_eq!(first_heading("> # Quoted\n\n- # Listed\n\n## Own\n").as_deref(), Some("Own"));
    }

    #[test]
    fn a_title_is_the_first_heading_as_it_is_read() {
        for (text, title) in [
            ("# Closed heading #\n", Some("Closed heading")),
            ("x\n\n```sh\n# remove everything\n```\n\n# Cleaning up\n", Some("Cleaning up")),
            ("    # indented code\n\n## Second level\n", Some("Second level")),
            ("---\ntitle: t\n# a comment\n---\n\ntext\n\n# The heading\n", Some("The heading")),
            ("+++\n# toml\n+++\n# T\n", Some("T")),
            ("<!--\n# hidden remark\n-->\n# Visible\n", Some("Visible")),
            ("   # Indented heading\n", Some("Indented heading")),
            ("# [Linked](http://x.example/y) `code` **bold**\n", Some("Linked code bold")),
            ("The setext\ntitle\n=====\n", Some("The setext title")),
            ("#\tTabbed heading\n", Some("Tabbed heading")),
            ("# \n\n# ![an image](x.png)\n", Some("an image")),
            ("#hashtag\n", None),
            ("\\# not one\n", None),
            ("# a\u{7}b &amp; c\n", Some("a b & c")),
        ] {
            assert_eq!(first_heading(text).as_deref(), title, "{text:?}");
        }
        let long = first_heading(&format!("# {}\n", "word ".repeat(10_000))).unwrap();
        assert_eq!(long.chars().count(), LONGEST + 1);
    }
}
