//! The text of a line without the signs of inline markup.

use crate::outline::first_bytes;

/// Maximum number of bytes that are read. A title is cut to fewer characters, so signs need no search in a long line.
const READ: usize = 2000;

/// Text as readers see it, and the text behind its markup.
pub(super) type Shown<'a> = Option<(&'a str, &'a str)>;

/// Returns a text as readers see it. `marked` reads the markup with which a text begins, if it begins with any. Its second argument is
/// true if no letter or digit stands before.
pub(super) fn plain(text: &str, marked: impl Fn(&str, bool) -> Shown<'_>) -> String {
    let (mut rest, mut plain) = (first_bytes(text, READ), String::new());
    while let Some(first) = rest.chars().next() {
        let is_at_word = !plain.ends_with(char::is_alphanumeric);
        let read = marked(rest, is_at_word).or_else(|| rest.split_at_checked(first.len_utf8()));
        let (shown, behind) = read.unwrap_or_default();
        plain.push_str(shown);
        rest = behind;
    }
    plain
}
