//! Standard output for results, standard error for progress and messages.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use workspace_db::search::ExcerptPart;

/// A stream that escapes characters that control a terminal or change the direction of the text. It writes them as JSON
/// does, `\\u001b`, so that JSON stays the same JSON.
pub(super) struct SanitizedWriter<W>(W);

impl<W: Write> Write for SanitizedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the text with the characters escaped that control a terminal or change the direction of text.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            // Writing to a string does not fail.
            let _ = write!(harmless, "\\u{:04x}", u32::from(c));
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

/// Returns true if a character is a control other than line feed and tab, or changes the direction of text.
fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns standard error, for the log.
pub(super) fn errors() -> SanitizedWriter<io::Stderr> {
    SanitizedWriter(io::stderr())
}

/// Writes a line to standard error, and ignores an error of that.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(errors(), "{line}");
}

/// Sets the message of a progress bar. The message may quote content.
pub(super) fn tell(bar: &ProgressBar, what: &str) {
    bar.set_message(harmless(what).into_owned());
}

/// Writes a result as one JSON document.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = SanitizedWriter(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Writes a result for a person, given as lines.
pub(super) fn print_lines(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = SanitizedWriter(io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes a result for a person, given as lines whose content went through [`harmless`], such as lines with styles.
pub(super) fn print_harmless(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Returns a part of an excerpt. A match is bold on a terminal, and between asterisks elsewhere.
pub(super) fn marked(part: &ExcerptPart) -> String {
    let text = harmless(&part.text);
    match (part.is_match, is_terminal()) {
        (false, _) => text.into_owned(),
        (true, true) => format!("\u{1b}[1m{text}\u{1b}[0m"),
        (true, false) => format!("*{text}*"),
    }
}

/// Writes lines of JSON as they are made. Each is valid JSON without characters that control a terminal.
pub(super) fn json_lines() -> SanitizedWriter<io::BufWriter<io::Stdout>> {
    SanitizedWriter(io::BufWriter::new(io::stdout()))
}

/// Returns a spinner, visible only on a terminal.
pub(super) fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Returns a bar that counts, visible only on a terminal.
pub(super) fn counter(unit: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {unit}  {{elapsed}}  {{msg}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// Returns true if standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
