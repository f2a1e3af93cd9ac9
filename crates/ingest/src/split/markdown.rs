//! The structure of Markdown: its headings, and blocks that are better left whole.

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::cuts::{INNER_LINE, LineStarts, Structure};

/// Maximum nesting. People don't use deeper lists or quotations, and the parser takes long for them.
const DEEPEST: usize = 100;

/// Returns the options of Markdown in common use: with tables, and with metadata for other programs before the text.
pub(crate) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
}

/// Returns true if a line is nested so deep that the text is not for people.
pub(crate) fn is_too_deep(text: &str) -> bool {
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

pub(super) fn structure(text: &str) -> Option<Structure> {
    if is_too_deep(text) {
        return None;
    }
    let (starts, mut structure) = (LineStarts::new(text), Structure::new());
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                structure.extend(starts.before(range.start).map(|start| (start, level as u8)));
            }
            Event::Start(Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_)) => {
                let inner = starts.within(range.clone()).skip(1).map(|start| (start, INNER_LINE));
                structure.extend(inner);
            }
            _ => {}
        }
    }
    Some(structure)
}
