//! The text of a line without the signs of inline markup.

use crate::split::lines::first_bytes;

/// Maximum number of bytes that are read. A title is cut to fewer characters.
const READ: usize = 2000;

/// Returns the text as readers see it.
pub(super) fn plain(text: &str) -> String {
    let (mut rest, mut plain) = (first_bytes(text, READ), String::new());
    while let Some(first) = rest.chars().next() {
        let is_at_word = !plain.ends_with(char::is_alphanumeric);
        let marked = match first {
            '`' => literal(rest).or_else(|| interpreted(rest)),
            ':' if is_at_word => role(rest).and_then(interpreted),
            '*' if is_at_word => emphasis(rest, "**").or_else(|| emphasis(rest, "*")),
            '\\' => rest.chars().nth(1).map(|escaped| {
                let behind = rest.get(1 + escaped.len_utf8()..).unwrap_or_default();
                (
                    if escaped.is_whitespace() { "" } else { rest.get(1..1 + escaped.len_utf8()).unwrap_or_default() },
                    behind,
                )
            }),
            _ => None,
        };
        let first = rest.get(..first.len_utf8()).unwrap_or_default();
        let (shown, behind) = marked.unwrap_or((first, rest.get(first.len()..).unwrap_or_default()));
        plain.push_str(shown);
        rest = behind;
    }
    plain
}

/// Returns the content of ``` ``code`` ```, and the text behind it.
fn literal(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("``")?.split_once("``")
}

/// Returns what readers see of `` `text <target>`_ ``, and the text behind it.
fn interpreted(text: &str) -> Option<(&str, &str)> {
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
fn emphasis<'a>(text: &'a str, sign: &str) -> Option<(&'a str, &'a str)> {
    let (inner, behind) = text.strip_prefix(sign)?.split_once(sign)?;
    let is_inside = !inner.is_empty() && inner.trim() == inner && !behind.starts_with(char::is_alphanumeric);
    is_inside.then_some((inner, behind))
}
