//! The lines of a text in light markup.

/// Line without white space at its ends.
pub(super) struct Line<'a> {
    /// Position of the line in the text.
    pub(super) start: usize,
    /// Number of bytes of white space before the text.
    pub(super) indent: usize,
    pub(super) text: &'a str,
}

/// Returns the lines of a text. A byte order mark is no part of the first.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut end = 0;
    let line = |whole| {
        let start = end;
        end += str::len(whole);
        let content = whole.trim_start_matches('\u{feff}').trim_end();
        let text = content.trim_start();
        Line { start, indent: content.len() - text.len(), text }
    };
    text.split_inclusive('\n').map(line).collect()
}
