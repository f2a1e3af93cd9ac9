//! The text of a line without the signs of inline markup.

use crate::split::inline::{Shown, plain};

/// Returns the text as readers see it.
pub(super) fn plain_text(text: &str) -> String {
    plain(text, marked)
}

fn marked(text: &str, is_at_word: bool) -> Shown<'_> {
    match text.chars().next()? {
        '`' => literal(text).or_else(|| interpreted(text)),
        ':' if is_at_word => role(text).and_then(interpreted),
        '*' if is_at_word => emphasis(text, "**").or_else(|| emphasis(text, "*")),
        '\\' => escaped(text),
        _ => None,
    }
}

/// Returns the character behind a backslash, unless it is white space, and the text behind it.
fn escaped(text: &str) -> Shown<'_> {
    let behind = text.strip_prefix('\\')?;
    let (escaped, behind) = behind.split_at_checked(behind.chars().next()?.len_utf8())?;
    Some((if escaped.trim().is_empty() { "" } else { escaped }, behind))
}

/// Returns the content of ``` ``code`` ```, and the text behind it.
fn literal(text: &str) -> Shown<'_> {
    text.strip_prefix("``")?.split_once("``")
}

/// Returns what readers see of `` `text <target>`_ ``, and the text behind it.
fn interpreted(text: &str) -> Shown<'_> {
    let (inner, behind) = text.strip_prefix('`')?.split_once('`')?;
    let shown = match inner.split_once(" <") {
        Some((shown, target)) if target.ends_with('>') => shown,
        // A tilde shows the last part of a name alone.
        _ if inner.starts_with('~') => inner.rsplit(['.', '~']).next()?,
        _ => inner.trim_start_matches('!'),
    };
    Some((shown, behind.trim_start_matches('_')))
}

/// Returns the text behind the name of a role.
fn role(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix(':')?.split_once('`')?;
    let is_name =
        name.ends_with(':') && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '+'));
    text.get(1 + name.len()..).filter(|_| is_name)
}

/// Returns the content between two signs of emphasis, and the text behind them.
fn emphasis<'a>(text: &'a str, sign: &str) -> Shown<'a> {
    let (inner, behind) = text.strip_prefix(sign)?.split_once(sign)?;
    let is_inside = !inner.is_empty() && inner.trim() == inner && !behind.starts_with(char::is_alphanumeric);
    is_inside.then_some((inner, behind))
}
