//! The text of a title without the signs of AsciiDoc's inline markup.

use crate::split::lines::first_bytes;

/// Maximum number of bytes that are read. A title is cut to fewer characters.
const READ: usize = 2000;

/// Returns the text as readers see it.
pub(super) fn plain(text: &str) -> String {
    let (mut rest, mut plain) = (first_bytes(text, READ), String::new());
    while let Some(first) = rest.chars().next() {
        let is_at_word = !plain.ends_with(char::is_alphanumeric);
        let marked = match first {
            '[' => anchor(rest),
            '<' => reference(rest),
            '`' | '*' | '_' | '#' | '+' => quoted(rest, first, is_at_word),
            _ if is_at_word => link(rest),
            _ => None,
        };
        let (shown, behind) = marked.or_else(|| rest.split_at_checked(first.len_utf8())).unwrap_or_default();
        plain.push_str(shown);
        rest = behind;
    }
    plain
}

/// Returns the text behind `[[anchor]]`.
fn anchor(text: &str) -> Option<(&str, &str)> {
    Some(("", text.strip_prefix("[[")?.split_once("]]")?.1))
}

/// Returns the text of `<<target,text>>`, and what is behind it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (inner, behind) = text.strip_prefix("<<")?.split_once(">>")?;
    Some((inner.split_once(',').map_or(inner, |(_, shown)| shown.trim()), behind))
}

/// Returns the text between two signs, or two double ones, and what is behind them.
fn quoted(text: &str, sign: char, is_at_word: bool) -> Option<(&str, &str)> {
    let of = |sign: &str, is_within_words: bool| {
        let (inner, behind) = text.strip_prefix(sign)?.split_once(sign)?;
        let is_quoted = !inner.is_empty() && inner.trim() == inner;
        let is_word = is_at_word && !behind.starts_with(char::is_alphanumeric);
        (is_quoted && (is_within_words || is_word)).then_some((inner, behind))
    };
    of(&format!("{sign}{sign}"), true).or_else(|| of(&format!("{sign}"), false))
}

/// Returns the text of `link:target[text]`, `xref:target[text]` or `https://target[text]`, and what is behind it.
fn link(text: &str) -> Option<(&str, &str)> {
    if !["link:", "xref:", "http://", "https://"].iter().any(|sign| text.starts_with(sign)) {
        return None;
    }
    let (target, behind) = text.split_once('[')?;
    let (shown, behind) = behind.split_once(']')?;
    (!target.contains(' ') && !shown.is_empty()).then_some((shown, behind))
}
