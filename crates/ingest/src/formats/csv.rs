//! Tables of CSV and TSV: each record as lines of `column: value`, so that a passage says what its values mean.

use csv::{ReaderBuilder, StringRecord};

use super::text::Converted;
use crate::outline::{INNER_LINE, Outline, one_line};

/// Characters between two fields. Of equally likely ones, the first is taken.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Number of records, and of bytes, by which the delimiter is recognized.
const LOOKED_AT: (usize, usize) = (50, 65_536);
/// Maximum number of characters in the name of a column, which each record repeats.
const LONGEST_NAME: usize = 80;
/// Maximum number of bytes that a byte of the file may become. Otherwise the names say more than the values.
const GROWTH: usize = 16;

/// Returns the records of a table with a header, or none if the text is no table.
pub(super) fn converted(text: &str) -> Option<Converted> {
    let (body, named) = body(text);
    let mut reader = reader(body, named.or_else(|| delimiter(body))?);
    let mut lines = LineCounter { text, line: 1, counted: 0 };
    let (mut table, mut record) = (Table::default(), StringRecord::new());
    let mut start = text.len() - body.len();
    let mut columns = None;
    while reader.read_record(&mut record).ok()? {
        let line = lines.line_of_record(start);
        start = text.len() - body.len() + usize::try_from(reader.position().byte()).ok()?;
        if columns.is_none() && record.iter().any(|name| name.contains(char::is_alphabetic)) {
            columns = Some(names(&record));
            continue;
        }
        table.write(columns.get_or_insert_default(), &record, line);
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

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes())
}

/// Returns the delimiter with which most records have as many fields as the first.
fn delimiter(text: &str) -> Option<u8> {
    let (records, bytes) = LOOKED_AT;
    let end = (bytes..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let start = text.get(..end).unwrap_or_default();
    let fit = |delimiter: u8| {
        let widths: Vec<usize> =
            reader(start, delimiter).records().take(records).map_while(Result::ok).map(|record| record.len()).collect();
        let [first, rest @ ..] = widths.as_slice() else { return None };
        let tables = rest.iter().filter(|width| **width > 1).count();
        let is_table = *first > 1 && !rest.is_empty() && 2 * tables >= rest.len();
        is_table.then(|| (rest.iter().filter(|width| *width == first).count(), *first))
    };
    let fits = DELIMITERS.into_iter().rev().filter_map(|delimiter| Some((fit(delimiter)?, delimiter)));
    fits.max_by_key(|(fit, _)| *fit).map(|(_, delimiter)| delimiter)
}

/// Returns the names of the columns. A name that another column has, too, gets the number of its column.
fn names(header: &StringRecord) -> Vec<String> {
    let name = |(name, at): (&str, usize)| {
        let name = one_line(name);
        match name.char_indices().nth(LONGEST_NAME) {
            _ if name.is_empty() => numbered(at),
            Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
            None => name,
        }
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

/// Counts the lines of the file.
struct LineCounter<'a> {
    text: &'a str,
    line: usize,
    counted: usize,
}

impl LineCounter<'_> {
    /// Returns the line of the record behind a position. Blank lines before it are no part of it.
    fn line_of_record(&mut self, behind: usize) -> usize {
        let rest = self.text.get(behind..).unwrap_or_default();
        let start = behind + (rest.len() - rest.trim_start_matches(['\r', '\n']).len());
        self.line += self.text.get(self.counted..start).unwrap_or_default().matches('\n').count();
        self.counted = start;
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
    fn write(&mut self, columns: &[String], record: &StringRecord, line: usize) {
        let mut is_first = true;
        for (value, at) in record.iter().zip(1..) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            if value.is_empty() {
                continue;
            }
            if is_first && !self.done.markdown.is_empty() {
                self.push("\n", line);
            }
            if !is_first {
                self.outline.structure.insert(self.done.markdown.len(), INNER_LINE);
            }
            is_first = false;
            let number = || numbered(at);
            let name = columns.get(at - 1).cloned().unwrap_or_else(number);
            self.push(&format!("{name}: {value}\n"), line);
            // A single word or a number says nothing about the language.
            if value.contains(' ') && value.contains(char::is_alphabetic) {
                self.outline.add_prose(&value);
                self.outline.add_prose("\n");
            }
        }
    }

    fn push(&mut self, with_end: &str, line: usize) {
        self.done.markdown.push_str(with_end);
        self.done.places.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> String {
        converted(text).unwrap().markdown
    }

    #[test]
    fn records_name_their_columns_and_keep_their_lines() {
        let text = "\u{feff}City,Inhabitants,Note\r\nVienna,2000000,\"On the Danube,\nwith \"\"hills\"\"\"\r\n\r\n\nGraz,300000,\r\n";
        let Converted { markdown, places, outline, title, .. } = converted(text).unwrap();
        let expected = "City: Vienna\nInhabitants: 2000000\nNote: On the Danube, with \"hills\"\n\nCity: Graz\nInhabitants: 300000\n";
        assert_eq!(markdown, expected);
        assert_eq!(places, [2, 2, 2, 6, 6, 6]);
        let outline = outline.unwrap();
        let inner: Vec<&str> = outline.structure.keys().map(|at| &markdown[*at..*at + 4]).collect();
        assert_eq!(inner, ["Inha", "Note", "Inha"]);
        assert_eq!((outline.prose.trim(), title), ("On the Danube, with \"hills\"", None));
    }

    #[test]
    fn delimiters_are_recognized() {
        for text in [
            "a,b\n1,2\n",
            "a;b\n1;2\n",
            "a\tb\n1\t2\n",
            "a|b\n1|2\n",
            "sep=;\na;b\n1;2\n",
            "\"a\",\"b\"\n1,2",
            "a,b\r1,2\r",
        ] {
            assert_eq!(table(text), "a: 1\nb: 2\n", "{text:?}");
        }
        assert_eq!(table("price;note\n1,50;x, y\n2,00;z, a\n"), "price: 1,50\nnote: x, y\n\nprice: 2,00\nnote: z, a\n");
        assert_eq!(converted("sep=;\na;b\n1;2\n").unwrap().places, [3, 3]);
    }

    #[test]
    fn odd_headers_and_rows_keep_their_values() {
        assert_eq!(table("a,a,,b\n1,2,3,4\n"), "a: 1\na (2): 2\ncolumn 3: 3\nb: 4\n");
        assert_eq!(table("a,b\n1\n1,2,3\n,\n4,5\n"), "a: 1\n\na: 1\nb: 2\ncolumn 3: 3\n\na: 4\nb: 5\n");
        assert_eq!(table("1,2\n3,4\n"), "column 1: 1\ncolumn 2: 2\n\ncolumn 1: 3\ncolumn 2: 4\n");
        assert_eq!(table("a,b\n1,\"never closed\n2,3\n"), "a: 1\nb: never closed 2,3\n");
        let long = table(&format!("{},b\n1,2\n", "x".repeat(1000)));
        assert_eq!(long.lines().next().unwrap().chars().count(), LONGEST_NAME + "…: 1".chars().count());
    }

    #[test]
    fn other_text_is_no_table() {
        for text in ["", "a", "a,b", "a,b\n", "Dear all,\nthis is a text\nof lines\n", "one\ntwo\nthree\n", ",\n,\n"] {
            assert_eq!(converted(text), None, "{text:?}");
        }
    }

    #[test]
    fn hostile_tables_take_linear_time_and_space() {
        let wide = format!("{}\n{}", "n,".repeat(50_000), "1,".repeat(50_000));
        let names = format!("{}\n{}", format!("{},", "n".repeat(80)).repeat(100), "1,".repeat(100) + "\n").repeat(20);
        let repeated = format!("{}\n{}", format!("{},", "n".repeat(80)).repeat(10), "1,2,3\n".repeat(30_000));
        assert_eq!(converted(&repeated), None, "the names are longer than the values");
        for text in [
            wide,
            names,
            ",".repeat(300_000),
            "\"".repeat(1_000_000),
            "\n".repeat(1_000_000),
            format!("a,b\n1,{}", "x".repeat(1_000_000)),
            "a,b\n".repeat(50_000),
        ] {
            let begun = std::time::Instant::now();
            converted(&text);
            assert!(begun.elapsed().as_secs() < 10, "{:?} {:?}", &text[..5], begun.elapsed());
        }
    }
}
