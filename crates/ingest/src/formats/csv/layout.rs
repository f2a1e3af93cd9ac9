//! The layout of a table: its delimiter, its quotes and its header.

use csv::{ReaderBuilder, StringRecord};

use crate::outline::first_bytes;

/// Characters between two fields. Of equally likely ones, the first is used: a comma is also a part of texts and numbers.
pub(super) const DELIMITERS: [u8; 4] = [b';', b'\t', b'|', b','];
/// Number of records, and of bytes, by which the delimiter and the header are recognized.
const SAMPLE: (usize, usize) = (50, 65_536);
/// Number of lines from which a quoted field may be records that a lone quote swallows.
const LONG_FIELD: usize = 50;

#[derive(Clone, Debug)]
pub(super) struct Layout {
    delimiter: u8,
    /// True if quotes enclose fields. Otherwise they are part of the text.
    is_quoted: bool,
    /// Number of fields of most records.
    width: usize,
    /// Number of the record that names the columns, from 0. Those before it are no part of the table.
    pub(super) header: Option<usize>,
}

impl Layout {
    /// Returns the layout of a text with one of these delimiters, or none if it is no table.
    pub(super) fn of(text: &str, delimiters: &[u8]) -> Option<Self> {
        let quoted = Self::best(text, delimiters, true);
        let swallows = |layout: &Self| layout.swallows_records(text);
        let is_misread = match &quoted {
            Some(layout) => swallows(layout),
            None => delimiters
                .iter()
                .any(|delimiter| swallows(&Self { delimiter: *delimiter, is_quoted: true, width: 0, header: None })),
        };
        if is_misread { Self::best(text, delimiters, false) } else { quoted }
    }

    pub(super) fn reader<'a>(&self, text: &'a str) -> csv::Reader<&'a [u8]> {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.delimiter).quoting(self.is_quoted).flexible(true).has_headers(false);
        builder.from_reader(text.as_bytes())
    }

    /// Returns the layout with which most records have the same number of fields.
    fn best(text: &str, delimiters: &[u8], is_quoted: bool) -> Option<Self> {
        let (_, bytes) = SAMPLE;
        let start = first_bytes(text, bytes);
        let fit = |delimiter: &u8| Self { delimiter: *delimiter, is_quoted, width: 0, header: None }.fitted(start);
        delimiters
            .iter()
            .rev()
            .filter_map(fit)
            .max_by_key(|(records, layout)| (*records, layout.width))
            .map(|(_, it)| it)
    }

    /// Returns the number of records with the most common width, and the layout with that width and the header.
    fn fitted(self, start: &str) -> Option<(usize, Self)> {
        let sample: Vec<StringRecord> = self.reader(start).records().take(SAMPLE.0).map_while(Result::ok).collect();
        let widths: Vec<usize> = sample.iter().map(StringRecord::len).collect();
        let records = |width: usize| widths.iter().filter(|other| **other == width).count();
        let wide = || widths.iter().copied().filter(|width| *width > 1);
        if wide().count() < 2 || 2 * (wide().count() - 1) < widths.len() - 1 {
            return None;
        }
        let width = wide().rev().max_by_key(|width| records(*width))?;
        Some((records(width), Self { width, header: header(&sample, width), ..self }))
    }

    /// Returns true if a quote that nothing closes makes one field of several records.
    fn swallows_records(&self, text: &str) -> bool {
        let (mut reader, mut record, mut start) = (self.reader(text), StringRecord::new(), 0);
        while reader.read_record(&mut record).is_ok_and(|more| more) {
            let end = usize::try_from(reader.position().byte()).unwrap_or(text.len());
            let is_open = || text.get(start..).unwrap_or_default().matches('"').count() % 2 == 1;
            let last = record.iter().next_back().unwrap_or_default();
            if end >= text.len() && last.contains(['\n', '\r']) && is_open()
                || record.iter().any(|field| self.is_records(field))
            {
                return true;
            }
            start = end;
        }
        false
    }

    /// Returns true if most lines of a long field have as many fields as a record. A text of many lines has not.
    fn is_records(&self, field: &str) -> bool {
        let lines = field.lines().count();
        let is_record = |line: &&str| line.bytes().filter(|byte| *byte == self.delimiter).count() + 1 == self.width;
        lines > LONG_FIELD && 2 * field.lines().filter(is_record).count() > lines
    }
}

/// Returns the number of the record that names the columns: the first one, unless records of fewer fields precede a better one.
fn header(sample: &[StringRecord], width: usize) -> Option<usize> {
    let at = sample.iter().position(|record| record.len() == width)?;
    let (before, rest) = sample.split_at_checked(at)?;
    let is_preamble = before.iter().all(|record| record.len() < width);
    // Behind a delimiter at the end of each line, the last field of a record is empty, but no name is.
    let is_named = |record: &&StringRecord| is_header(record) && record.iter().all(|name| !name.trim().is_empty());
    if is_preamble && rest.first().is_some_and(|record| is_named(&record)) {
        return Some(at);
    }
    sample.first().filter(|record| record.len() > 1 && is_header(record)).map(|_| 0)
}

/// Returns true if a record has names of columns: words, and no value except numbers in sequence, such as years.
fn is_header(record: &StringRecord) -> bool {
    let values: Vec<&str> = record.iter().map(str::trim).filter(|cell| is_value(cell)).collect();
    let numbers: Vec<i32> = values.iter().filter_map(|value| value.parse().ok()).collect();
    let is_sequence = numbers.len() == values.len()
        && numbers.len() > 1
        && numbers.is_sorted_by(|one, next| one.abs_diff(*next) == 1);
    record.iter().any(|name| name.contains(char::is_alphabetic)) && (values.is_empty() || is_sequence)
}

/// Returns true for a number, a date or a time.
fn is_value(cell: &str) -> bool {
    let is_of_digits = cell.chars().all(|c| c.is_ascii_digit() || " +-.,:/'%€$£TZ".contains(c));
    // `T1` is a name, and `T` and `Z` are a part of times behind digits.
    cell.contains(|c: char| c.is_ascii_digit())
        && !cell.starts_with(['T', 'Z'])
        && (is_of_digits || cell.parse::<f64>().is_ok())
}
