//! The text of a title without the signs of AsciiDoc's inline markup.

use crate::split::inline::{Shown, plain};

/// Returns the text as readers see it.
pub(super) fn plain_text(text: &str) -> String {
    plain(text, marked)
}

fn marked(text: &str, is_at_word: bool) -> Shown<'_> {
    match text.chars().next()? {
        '[' => anchor(text),
        '<' => reference(text),
        sign @ ('`' | '*' | '_' | '#' | '+') => quoted(text, sign, is_at_word),
        _ if is_at_word => link(text),
        _ => None,
    }
}

/// Returns the text behind `[[anchor]]`.
fn anchor(text: &str) -> Shown<'_> {
    Some(("", text.strip_prefix("[[")?.split_once("]]")?.1))
}

/// Returns the text of `<<target,text>>`, and what is behind it.
fn reference(text: &str) -> Shown<'_> {
    let (inner, behind) = text.strip_prefix("<<")?.split_once(">>")?;
    Some((inner.split_once(',').map_or(inner, |(_, shown)| shown.trim()), behind))
}

/// Returns the text between two signs, or two double ones, and what is behind them.
fn quoted(text: &str, sign: char, is_at_word: bool) -> Shown<'_> {
    let of = |sign: &str, is_within_words: bool| {
        let (inner, behind) = text.strip_prefix(sign)?.split_once(sign)?;
        let is_quoted = !inner.is_empty() && inner.trim() == inner;
        let is_word = is_at_word && !behind.starts_with(char::is_alphanumeric);
        (is_quoted && (is_within_words || is_word)).then_some((inner, behind))
    };
    of(&format!("{sign}{sign}"), true).or_else(|| of(&format!("{sign}"), false))
}

/// Returns the text of `link:target[text]`, `xref:target[text]` or `https://target[text]`, and what is behind it.
fn link(text: &str) -> Shown<'_> {
    if !["link:", "xref:", "http://", "https://"].iter().any(|sign| text.starts_with(sign)) {
        return None;
    }
    let (target, behind) = text.split_once('[')?;
    let (shown, behind) = behind.split_once(']')?;
    (!target.contains(' ') && !shown.is_empty()).then_some((shown, behind))
}
