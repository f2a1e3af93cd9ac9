//! Tables of CSV and TSV: each record as lines of `column: value`, so that a passage says what its values mean.

mod layout;

use csv::StringRecord;

use self::layout::{DELIMITERS, Layout};
use super::text::Converted;
use crate::outline::{INNER_LINE, Outline, one_line, shortened, unwrapped};

/// Maximum number of characters in the name of a column, which each record repeats.
const LONGEST_NAME: usize = 80;
/// Maximum number of bytes that a byte of the file may become. Otherwise the names say more than the values.
const GROWTH: usize = 16;

/// Returns the records of a table with a header, or none if the text is no table.
pub(super) fn converted(extension: &str, text: &str) -> Option<Converted> {
    let (body, named) = body(text);
    let layout = match named {
        Some(delimiter) => Layout::of(body, &[delimiter]),
        None if extension == "tsv" => Layout::of(body, b"\t"),
        None => Layout::of(body, &DELIMITERS),
    }?;
    let mut reader = layout.reader(body);
    let mut lines = LineCounter { text, line: 1, counted: 0 };
    let (mut table, mut record) = (Table::default(), StringRecord::new());
    let mut start = text.len() - body.len();
    let mut columns = Vec::new();
    for at in 0_usize.. {
        if !reader.read_record(&mut record).ok()? {
            break;
        }
        let end = text.len() - body.len() + usize::try_from(reader.position().byte()).ok()?;
        let places = lines.of_record(start, end);
        start = end;
        match layout.header {
            Some(header) if at < header => {
                let values: Vec<String> = record.iter().map(unwrapped).filter(|value| !value.is_empty()).collect();
                table.write_line(at == 0, &values.join(" | "), places);
            }
            Some(header) if at == header => {
                columns = names(&record);
                if record.iter().any(is_cut) || has_silent_column(&layout, body, &record) {
                    table.write_header(&record, places);
                }
            }
            _ => table.write(&columns, &record, places),
        }
        if table.done.markdown.len() > GROWTH * (text.len() + LONGEST_NAME) {
            return None;
        }
    }
    (!table.done.markdown.is_empty()).then_some(Converted { outline: Some(table.outline), ..table.done })
}

/// Returns the text behind a byte order mark and the line `sep=;` of spreadsheets, and the delimiter that this line names.
fn body(text: &str) -> (&str, Option<u8>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let named = text.strip_prefix("sep=").and_then(|rest| rest.split_once('\n'));
    match named.map(|(delimiter, body)| (delimiter.trim_end_matches('\r').as_bytes(), body)) {
        Some(([delimiter], body)) if DELIMITERS.contains(delimiter) => (body, Some(*delimiter)),
        _ => (text, None),
    }
}

/// Returns the names of the columns. A name that another column has, too, gets the number of its column.
fn names(header: &StringRecord) -> Vec<String> {
    let name = |(name, at): (&str, usize)| {
        let name = shortened(one_line(name), LONGEST_NAME);
        if name.is_empty() { numbered(at) } else { name }
    };
    let mut names: Vec<String> = header.iter().zip(1..).map(name).collect();
    let mut seen = std::collections::HashSet::new();
    for (name, at) in names.iter_mut().zip(1..) {
        if !seen.insert(name.clone()) {
            *name = format!("{name} ({at})");
        }
    }
    names
}

fn numbered(column: usize) -> String {
    format!("column {column}")
}

/// Returns true if the name of a column is longer than each record repeats.
fn is_cut(name: &str) -> bool {
    name.chars().nth(LONGEST_NAME).is_some()
}

/// Returns true if a named column has no value, so that its name stands beside none.
fn has_silent_column(layout: &Layout, body: &str, header: &StringRecord) -> bool {
    let mut is_silent: Vec<bool> = header.iter().map(|name| !name.trim().is_empty()).collect();
    let skipped = layout.header.map_or(0, |header| header + 1);
    for record in layout.reader(body).records().skip(skipped).map_while(Result::ok) {
        for (silent, value) in is_silent.iter_mut().zip(&record) {
            *silent &= value.trim().is_empty();
        }
    }
    is_silent.contains(&true)
}

/// Counts the lines of the file.
struct LineCounter<'a> {
    text: &'a str,
    line: usize,
    counted: usize,
}

impl LineCounter<'_> {
    /// Returns the first and the last line of the record in a range. Blank lines before it are no part of it.
    fn of_record(&mut self, start: usize, end: usize) -> (usize, usize) {
        let raw = self.text.get(start..end).unwrap_or_default();
        let behind_blank = raw.trim_start_matches(['\r', '\n']);
        let first = self.line_at(end - behind_blank.len());
        (first, self.line_at(end - behind_blank.len() + behind_blank.trim_end_matches(['\r', '\n']).len()))
    }

    /// Returns the line of a position, which is not before the last one.
    fn line_at(&mut self, position: usize) -> usize {
        self.line += self.text.get(self.counted..position).unwrap_or_default().matches('\n').count();
        self.counted = position;
        self.line
    }
}

#[derive(Default)]
struct Table {
    done: Converted,
    outline: Outline,
}

impl Table {
    /// Writes a record as a paragraph. Columns without a value are left out.
    fn write(&mut self, columns: &[String], record: &StringRecord, places: (usize, usize)) {
        let mut is_first = true;
        for (value, at) in record.iter().zip(1..) {
            let value = unwrapped(value);
            if value.is_empty() {
                continue;
            }
            let number = || numbered(at);
            let name = columns.get(at - 1).cloned().unwrap_or_else(number);
            self.write_line(is_first, &format!("{name}: {value}"), places);
            self.add_prose(&value);
            is_first = false;
        }
    }

    /// Writes the whole names of the columns as a paragraph.
    fn write_header(&mut self, header: &StringRecord, places: (usize, usize)) {
        let mut is_first = true;
        for name in header.iter().map(unwrapped).filter(|name| !name.is_empty()) {
            self.write_line(is_first, &name, places);
            self.add_prose(&name);
            is_first = false;
        }
    }

    /// Writes a line of a record. The first begins a paragraph.
    fn write_line(&mut self, is_first: bool, line: &str, places: (usize, usize)) {
        if !is_first {
            self.outline.structure.insert(self.done.markdown.len(), INNER_LINE);
        } else if !self.done.markdown.is_empty() {
            self.push("", places);
        }
        self.push(line, places);
    }

    fn push(&mut self, line: &str, (first, last): (usize, usize)) {
        self.done.markdown.push_str(line);
        self.done.markdown.push('\n');
        self.done.places.push(first);
        self.done.ends.push(last);
    }

    fn add_prose(&mut self, text: &str) {
        // A single word or a number says nothing about the language.
        if text.contains(' ') && text.contains(char::is_alphabetic) {
            self.outline.add_prose(text);
            self.outline.add_prose("\n");
        }
    }
}

#[cfg(test)]
mod tests;
