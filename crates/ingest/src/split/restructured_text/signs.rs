//! The signs with which a block of reStructuredText begins.

use crate::split::lines::Line;

/// Returns the character of a line that consists only of one punctuation character.
pub(super) fn adornment(text: &str) -> Option<char> {
    let first = text.chars().next().filter(char::is_ascii_punctuation)?;
    text.chars().all(|c| c == first).then_some(first)
}

/// Returns true for the beginning of a comment, a directive, a label or a footnote.
pub(super) fn is_explicit(text: &str) -> bool {
    ["..", "__"].iter().any(|sign| text.strip_prefix(sign).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// Returns the name of a directive, without its domain.
pub(super) fn directive(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix(".. ")?.trim_start().split_once("::")?;
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '+'));
    let name = name.rsplit(':').next()?;
    (is_name && !name.starts_with('_') && !name.is_empty()).then_some(name)
}

pub(super) fn is_bullet(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+', '*', '|', '•', '‣', '⁃']);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Returns the name and the first line of a field, such as `:Author: A person`.
pub(super) fn field(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(':').filter(|inner| !inner.starts_with([':', ' ']))?;
    // Before a backquote, the colon ends the name of a role.
    let ends =
        |at: &(usize, &str)| inner.get(at.0 + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '`']));
    let (end, _) = inner.match_indices(':').find(ends)?;
    let (name, value) = (inner.get(..end)?, inner.get(end + 1..)?);
    (!value.starts_with('`') && !name.ends_with([' ', '\\'])).then_some((name, value.trim()))
}

/// Returns the column at which the text of an item begins, or of any other line.
pub(super) fn text_column(line: &Line) -> usize {
    let sign = line.text.split(' ').next().unwrap_or_default();
    let is_number = sign.len() > 1 && sign.ends_with(['.', ')']) && sign.len() <= 6;
    let is_item = is_bullet(line.text) || is_number;
    let behind = line.text.get(sign.len()..).unwrap_or_default();
    line.indent + if is_item { sign.len() + (behind.len() - behind.trim_start().len()) } else { 0 }
}

/// Returns true if a literal block follows a line.
pub(super) fn introduces_literal(line: &Line) -> bool {
    line.text.ends_with("::")
}

/// Returns the number of columns of a text. Characters of East Asia take two.
pub(super) fn columns(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|c| 1 + usize::from(is_wide(c))).sum()
}
