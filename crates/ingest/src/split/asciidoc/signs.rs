//! The signs with which a line of AsciiDoc begins.

use crate::split::lines::Line;

/// Underlines of a title on two lines, by level.
const UNDERLINES: [char; 5] = ['=', '-', '~', '^', '+'];

/// Content of a delimited block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    Table,
    Text,
}

/// Beginning of a delimited block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delimiter<'a> {
    /// Line that ends the block.
    pub(super) end: &'a str,
    pub(super) kind: Kind,
}

pub(super) fn delimiter(text: &str) -> Option<Delimiter<'_>> {
    if text.starts_with("```") {
        let (end, language) = text.split_at_checked(3)?;
        return (!language.contains(['`', ' '])).then_some(Delimiter { end, kind: Kind::Code });
    }
    let first = text.chars().next()?;
    let is_run = |text: &str, sign: char| text.chars().all(|c| c == sign);
    let kind = match first {
        _ if text == "--" => Kind::Text,
        '|' | ',' | ':' | '!' if text.len() >= 4 && is_run(text.get(1..)?, '=') => Kind::Table,
        _ if text.len() < 4 || !is_run(text, first) => return None,
        '-' | '.' | '+' | '/' => Kind::Code,
        '=' | '*' | '_' => Kind::Text,
        _ => return None,
    };
    Some(Delimiter { end: text, kind })
}

/// Returns the level and the text of a title such as `== Title` or `## Title`.
pub(super) fn title(text: &str) -> Option<(u8, &str)> {
    let sign = text.chars().next().filter(|c| matches!(c, '=' | '#'))?;
    let rest = text.trim_start_matches(sign);
    let level = text.len() - rest.len();
    if level > 6 || !rest.starts_with([' ', '\t']) {
        return None;
    }
    let title = rest.trim();
    // The same sign may stand behind the title.
    let closed = title.strip_suffix(text.get(..level)?).filter(|title| title.ends_with([' ', '\t']));
    let title = closed.unwrap_or(title).trim_end();
    (!title.is_empty()).then_some((u8::try_from(level).ok()?, title))
}

/// Returns the level of a title that a line under it makes one. Their lengths differ by at most one character.
pub(super) fn setext(line: &Line, under: &Line) -> Option<u8> {
    let sign = under.text.chars().next()?;
    let level = UNDERLINES.iter().zip(1..).find(|(known, _)| **known == sign)?.1;
    let is_underline = under.indent == 0 && under.text.len() >= 2 && under.text.chars().all(|c| c == sign);
    let is_title = line.indent == 0
        && !line.text.starts_with('.')
        && line.text.contains(char::is_alphanumeric)
        && line.text.chars().count().abs_diff(under.text.len()) <= 1;
    (is_underline && is_title).then_some(level)
}

/// Returns the name and value of `:name: value`. `:name!:` and `:!name:` have none.
pub(super) fn attribute(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix(':')?.split_once(':')?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    let is_unset = name.starts_with('!') || name.ends_with('!');
    let name = name.trim_matches('!');
    let is_entry = is_name(name) && (value.is_empty() || value.starts_with([' ', '\t']));
    is_entry.then_some((name, if is_unset { "" } else { value.trim() }))
}

/// Returns true for attributes such as `[source,rust]` or an anchor, which stand above a block.
pub(super) fn is_block_attributes(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| {
        let is_anchor = inner.starts_with('[') && inner.ends_with(']');
        is_anchor || inner.is_empty() || inner.starts_with(|c: char| c.is_alphanumeric() || "._#%{,\"'".contains(c))
    })
}

/// Returns true for lines that include or exclude others.
pub(super) fn is_preprocessor(text: &str) -> bool {
    text.ends_with(']')
        && ["ifdef::", "ifndef::", "ifeval::", "endif::", "include::"].iter().any(|sign| text.starts_with(sign))
}

pub(super) fn is_comment(text: &str) -> bool {
    text.starts_with("//") && !text.starts_with("///")
}

/// Returns true for a block that is one line, such as `image::map.png[]`.
pub(super) fn is_macro(text: &str) -> bool {
    let named = text.split_once("::").filter(|(_, rest)| rest.contains('[') && rest.ends_with(']'));
    named.is_some_and(|(name, rest)| {
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && !rest.starts_with([' ', '\t'])
    })
}

/// Returns true for an item of a list, which may be indented.
pub(super) fn is_item(text: &str) -> bool {
    let sign = text.split([' ', '\t']).next().unwrap_or_default();
    let is_term = |text: &str| text.ends_with("::") || text.contains(":: ") || text.ends_with(";;");
    let is_run =
        |sign: &str| ['*', '.', '-'].iter().any(|c| !sign.is_empty() && sign.trim_start_matches(*c).is_empty());
    let is_number = sign.len() > 1 && sign.ends_with(['.', ')', '>']) && sign.len() <= 6;
    is_run(sign) || is_number || is_term(text)
}
