//! A row: from the binary format of COPY to a line of JSON, and back, without losing a bit.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Datelike as _, SecondsFormat};
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::layout::{Column, Kind, Table};
use crate::error::{Error, Result};

/// Microseconds from the epoch of Unix to that of PostgreSQL, 2000-01-01.
const EPOCH: i64 = 946_684_800_000_000;

/// Values of a row, in the binary format, by the columns of its table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    bytes: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
}

impl Row {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
    }

    pub(super) fn push(&mut self, value: Option<&[u8]>) {
        let range = value.map(|value| self.store(value));
        self.values.push(range);
    }

    fn store(&mut self, value: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        start..self.bytes.len()
    }

    pub(super) fn set(&mut self, column: usize, value: Option<&[u8]>) {
        let range = value.map(|value| self.store(value));
        if let Some(place) = self.values.get_mut(column) {
            *place = range;
        }
    }

    pub(super) fn get(&self, column: usize) -> Option<&[u8]> {
        self.bytes.get(self.values.get(column)?.clone()?)
    }

    pub(super) fn uuid(&self, column: usize) -> Option<Uuid> {
        self.get(column).and_then(|bytes| Uuid::from_slice(bytes).ok())
    }

    pub(super) fn text(&self, column: usize) -> Option<&str> {
        self.get(column).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The row as a tuple of binary COPY.
    pub(super) fn write_tuple(&self, out: &mut Vec<u8>) -> Result<()> {
        let too_large = |_| Error::invalid("a value is larger than 2 GiB");
        out.extend_from_slice(&i16::try_from(self.values.len()).map_err(too_large)?.to_be_bytes());
        for column in 0..self.values.len() {
            match self.get(column) {
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
                Some(value) => {
                    out.extend_from_slice(&i32::try_from(value.len()).map_err(too_large)?.to_be_bytes());
                    out.extend_from_slice(value);
                }
            }
        }
        Ok(())
    }

    /// The row as one line of JSON with its line feed. A value that is NULL is left out, since JSON's `null` is one of jsonb's.
    pub(super) fn write_line(&self, table: &Table, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'{');
        let mut separator = "";
        for (at, column) in table.columns.iter().enumerate() {
            let Some(value) = self.get(at) else { continue };
            out.extend_from_slice(separator.as_bytes());
            separator = ",";
            json_string(out, &column.name);
            out.push(b':');
            encode(column.kind, value, out).ok_or_else(|| {
                Error::invalid(format!("{}.{} has a value that can't be read", table.name, column.name))
            })?;
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    /// Reads what [`write_line`](Self::write_line) wrote.
    pub(super) fn read_line(&mut self, table: &Table, line: &[u8]) -> Result<()> {
        self.clear();
        self.values.resize(table.columns.len(), None);
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = json.deserialize_map(Line { row: self, table }).and_then(|()| json.end());
        read.map_err(|error| {
            let said = error.to_string();
            // The line of the file is named by whoever knows it; for the parser it is always its first.
            let end = said.rfind(" at line ").unwrap_or(said.len());
            let message = said.get(..end).unwrap_or(&said).to_owned();
            Error::invalid(format!("{message}, at column {}", error.column())).caused_by(error)
        })
    }
}

fn json_string(out: &mut Vec<u8>, text: &str) {
    // Writing to memory can't fail, and a string is no map whose keys are not strings.
    let _ = serde_json::to_writer(out, text);
}

fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// Appends a value's JSON, unless the value is not what its type says.
fn encode(kind: Kind, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Bool => out.extend_from_slice(if array::<1>(value)? == [0] { b"false" } else { b"true" }),
        Kind::Int2 => write!(out, "{}", i16::from_be_bytes(array(value)?)).ok()?,
        Kind::Int4 => write!(out, "{}", i32::from_be_bytes(array(value)?)).ok()?,
        Kind::Int8 => write!(out, "{}", i64::from_be_bytes(array(value)?)).ok()?,
        Kind::Float4 => {
            let number = f32::from_be_bytes(array(value)?);
            encode_float(number.into(), number, out)?;
        }
        Kind::Float8 => {
            let number = f64::from_be_bytes(array(value)?);
            encode_float(number, number, out)?;
        }
        Kind::Text | Kind::Other => json_string(out, std::str::from_utf8(value).ok()?),
        Kind::Uuid => write!(out, "\"{}\"", Uuid::from_slice(value).ok()?).ok()?,
        Kind::Timestamp => encode_time(i64::from_be_bytes(array(value)?), out)?,
        // A version, then the text of the value, in which PostgreSQL breaks no line.
        Kind::Jsonb => out.extend_from_slice(value.strip_prefix(b"\x01")?),
        Kind::Bytes => encode_base64(value, out),
        Kind::TextArray => encode_texts(value, out)?,
        Kind::Vector => {
            let (_, components) = value.split_first_chunk::<4>()?;
            let (floats, rest) = components.as_chunks::<4>();
            rest.is_empty().then_some(())?;
            let little: Vec<u8> = floats.iter().flat_map(|float| u32::from_be_bytes(*float).to_le_bytes()).collect();
            encode_base64(&little, out);
        }
    }
    Some(())
}

fn encode_float(number: f64, shortest: impl serde::Serialize, out: &mut Vec<u8>) -> Option<()> {
    match number {
        _ if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        _ => serde_json::to_writer(out, &shortest).ok()?,
    }
    Some(())
}

/// A time of the years 0 to 9999 as RFC 3339; any other, and the infinite ones, as PostgreSQL's own number.
fn encode_time(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    let time = micros.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
    match time.filter(|time| (0..=9999).contains(&time.year())) {
        Some(time) => write!(out, "\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true)).ok(),
        None => write!(out, "{micros}").ok(),
    }
}

fn encode_base64(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64.encode(value).as_bytes());
    out.push(b'"');
}

/// An array of one dimension that counts from 1, as every array is that was not made otherwise on purpose.
fn encode_texts(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = value;
    let mut number = || {
        let (number, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        Some(i32::from_be_bytes(*number))
    };
    let (dimensions, _flags, _element) = (number()?, number()?, number()?);
    let mut texts: Vec<Option<&str>> = Vec::new();
    if dimensions != 0 {
        let (length, first) = (number()?, number()?);
        (dimensions == 1 && first == 1).then_some(())?;
        for _ in 0..length {
            let (size, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            texts.push(match usize::try_from(i32::from_be_bytes(*size)) {
                Err(_) => None,
                Ok(size) => {
                    let (text, after) = rest.split_at_checked(size)?;
                    rest = after;
                    Some(std::str::from_utf8(text).ok()?)
                }
            });
        }
    }
    serde_json::to_writer(out, &texts).ok()
}

struct Line<'r> {
    row: &'r mut Row,
    table: &'r Table,
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an object, a row of {}", self.table.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let unknown = || A::Error::custom(format!("{} has no column {name:?}", self.table.name));
            let at = self.table.position(&name).ok_or_else(unknown)?;
            let column = self.table.columns.get(at).ok_or_else(unknown)?;
            if self.row.get(at).is_some() {
                return Err(A::Error::custom(format!("{name} comes twice")));
            }
            let json: &RawValue = map.next_value()?;
            let mut value = Vec::new();
            decode(column, json.get(), &mut value).map_err(|why| A::Error::custom(format!("{name}: {why}")))?;
            self.row.set(at, Some(&value));
        }
        Ok(())
    }
}

/// Appends the binary value that a JSON text stands for.
fn decode(column: &Column, json: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let expected = |what: &str| format!("{what} is expected, and not {}", shortened(json));
    match column.kind {
        Kind::Bool => out.push(u8::from(json.parse::<bool>().map_err(|_| expected("true or false"))?)),
        Kind::Int2 => out.extend(json.parse::<i16>().map_err(|_| expected("a small integer"))?.to_be_bytes()),
        Kind::Int4 => out.extend(json.parse::<i32>().map_err(|_| expected("an integer"))?.to_be_bytes()),
        Kind::Int8 => out.extend(json.parse::<i64>().map_err(|_| expected("an integer"))?.to_be_bytes()),
        Kind::Float4 => out.extend(number::<f32>(json).ok_or_else(|| expected("a number"))?.to_be_bytes()),
        Kind::Float8 => out.extend(number::<f64>(json).ok_or_else(|| expected("a number"))?.to_be_bytes()),
        Kind::Text | Kind::Other => {
            let text = string(json)?;
            if text.contains('\0') {
                return Err("PostgreSQL stores no NUL in a text".to_owned());
            }
            out.extend_from_slice(text.as_bytes());
        }
        Kind::Uuid => {
            let uuid = Uuid::try_parse(&string(json)?).map_err(|_| expected("a UUID"))?;
            out.extend_from_slice(uuid.as_bytes());
        }
        Kind::Timestamp => out.extend(time(json).ok_or_else(|| expected("a time as in RFC 3339"))?.to_be_bytes()),
        Kind::Jsonb => {
            check_escapes(json)?;
            out.push(1);
            out.extend_from_slice(json.as_bytes());
        }
        Kind::Bytes => BASE64.decode_vec(string(json)?.as_bytes(), out).map_err(|_| expected("base64"))?,
        Kind::TextArray => decode_texts(json, out).ok_or_else(|| expected("a list of texts"))?,
        Kind::Vector => {
            let bytes = BASE64.decode(string(json)?.as_bytes()).map_err(|_| expected("base64"))?;
            let (floats, rest) = bytes.as_chunks::<4>();
            let dimensions = u16::try_from(floats.len()).ok().filter(|_| rest.is_empty());
            let dimensions = dimensions.ok_or_else(|| expected("the base64 of 32-bit floats"))?;
            out.extend_from_slice(&dimensions.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
            out.extend(floats.iter().flat_map(|float| u32::from_le_bytes(*float).to_be_bytes()));
        }
    }
    Ok(())
}

fn shortened(json: &str) -> String {
    const LONGEST: usize = 40;
    match json.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", json.get(..end).unwrap_or_default()),
        None => json.to_owned(),
    }
}

/// The text of a JSON string, without a copy where nothing in it is escaped.
fn string(json: &str) -> Result<Cow<'_, str>, String> {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(format!("a string is expected, and not {}", shortened(json)));
    };
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).map(Cow::Owned).map_err(|error| error.to_string())
}

/// By the standard library, which finds the nearest number for each text.
fn number<N: std::str::FromStr>(json: &str) -> Option<N> {
    match json {
        "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"" => json.trim_matches('"').parse().ok(),
        _ if json.starts_with('"') => None,
        _ => json.parse().ok(),
    }
}

fn time(json: &str) -> Option<i64> {
    if let Ok(micros) = json.parse() {
        return Some(micros);
    }
    let time = DateTime::parse_from_rfc3339(&string(json).ok()?).ok()?;
    (time.timestamp_subsec_nanos() % 1_000 == 0).then_some(())?;
    time.timestamp_micros().checked_sub(EPOCH)
}

fn decode_texts(json: &str, out: &mut Vec<u8>) -> Option<()> {
    const TEXT: i32 = 25;
    let texts: Vec<Option<String>> = serde_json::from_str(json).ok()?;
    let mut number = |number: i32| out.extend_from_slice(&number.to_be_bytes());
    number(i32::from(!texts.is_empty()));
    number(i32::from(texts.contains(&None)));
    number(TEXT);
    if !texts.is_empty() {
        number(i32::try_from(texts.len()).ok()?);
        number(1);
    }
    for text in &texts {
        match text {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(text) if text.contains('\0') => return None,
            Some(text) => {
                out.extend_from_slice(&i32::try_from(text.len()).ok()?.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    Some(())
}

/// What jsonb refuses, though it is well-formed JSON: NUL, and halves of surrogate pairs.
fn check_escapes(json: &str) -> Result<(), String> {
    let mut rest = json;
    while let Some((_, escaped)) = rest.split_once('\\') {
        // A string that is read without its escapes has none that is cut off.
        let Some(digits) = escaped.strip_prefix('u') else {
            rest = escaped.get(1..).unwrap_or_default();
            continue;
        };
        let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let first = unit(digits).unwrap_or_default();
        rest = digits.get(4..).unwrap_or_default();
        match first {
            0 => return Err("PostgreSQL stores no NUL in a text".to_owned()),
            0xD800..=0xDBFF => {
                let second = rest.strip_prefix("\\u").and_then(unit);
                if !second.is_some_and(|second| (0xDC00..=0xDFFF).contains(&second)) {
                    return Err("half of a surrogate pair".to_owned());
                }
                rest = rest.get(6..).unwrap_or_default();
            }
            0xDC00..=0xDFFF => return Err("half of a surrogate pair".to_owned()),
            _ => {}
        }
    }
    Ok(())
}
