//! Decoding of a line of JSON into a row.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::DateTime;
use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::content::CHUNKS;
use super::encode::{Dimension, ShapedArray};
use super::layout::{ColumnKind, TableLayout};
use super::row::{EPOCH, Row};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::sql_types::Embedding;

/// Bounds of the times that programs can read, in microseconds since 2000 as PostgreSQL counts: the years 1 to 9999.
const YEAR_1: i64 = -63_082_281_600_000_000;
const YEAR_10000: i64 = 252_455_616_000_000_000;

/// Default of the column `embedding_model`.
const DEFAULT_MODEL: &[u8] = b"text-embedding-3-large";

impl Row {
    /// Reads a line that [`write_line`](Self::write_line) wrote.
    pub(super) fn read_line(&mut self, table: &TableLayout, line: &[u8]) -> Result<()> {
        self.read(table, line, None)
    }

    /// Reads a line of another system, which has a `table` in addition to the columns. Its ids may be any text or number.
    /// Each becomes a UUID for that workspace, and the same id always becomes the same UUID.
    pub(super) fn read_external_line(
        &mut self,
        table: &TableLayout,
        line: &[u8],
        workspace: WorkspaceId,
    ) -> Result<()> {
        self.read(table, line, Some(workspace))
    }

    fn read(&mut self, table: &TableLayout, line: &[u8], made_for: Option<WorkspaceId>) -> Result<()> {
        self.reset(table.columns.len());
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = json.deserialize_map(Line { row: self, table, made_for }).and_then(|()| json.end());
        read.map_err(|error| not_read(&error))
    }
}

struct Line<'r> {
    row: &'r mut Row,
    table: &'r TableLayout,
    /// Workspace for which ids are derived, in a line of another system.
    made_for: Option<WorkspaceId>,
}

impl Row {
    /// Returns the model of a passage of another system, and its vector.
    pub(super) fn model_and_embedding(&self, chunks: &TableLayout) -> Option<(String, &Embedding)> {
        let model = self.get(chunks.position("embedding_model")?).unwrap_or(DEFAULT_MODEL);
        Some((String::from_utf8_lossy(model).into_owned(), self.embedding.as_ref()?))
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an object with a row of {}", self.table.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.made_for.is_some() && name == "table" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let unknown = || A::Error::custom(format!("{} has no column {name:?}", self.table.name));
            let at = self.table.position(&name).ok_or_else(unknown)?;
            let column = self.table.columns.get(at).ok_or_else(unknown)?;
            if self.row.get(at).is_some() {
                return Err(A::Error::custom(format!("{name} occurs twice")));
            }
            let json = map.next_value::<&RawValue>()?.get();
            // Other systems don't distinguish null from an omitted column, which has its default.
            if self.made_for.is_some() && json == "null" {
                continue;
            }
            let mut value = Vec::new();
            let decoded = match (self.made_for, &column.names) {
                (Some(workspace), Some(of)) => made_id(workspace, of, json).map(|id| value.extend(id.as_bytes())),
                // An archive has numbers, but another system's may be seconds or milliseconds.
                (Some(_), None) if column.kind == ColumnKind::Timestamp && !json.starts_with('"') => {
                    Err(format!("expected a time in RFC 3339 format, not the number {}", shortened(json)))
                }
                (Some(_), None) if column.kind == ColumnKind::Vector && self.table.name == CHUNKS => {
                    placed(json, &mut value).map(|embedding| self.row.embedding = Some(embedding))
                }
                _ => decode(column.kind, json, &mut value),
            };
            decoded.map_err(|why| A::Error::custom(format!("{name}: {why}")))?;
            self.row.set(at, Some(&value));
        }
        Ok(())
    }
}

/// Appends the binary value of a JSON text.
fn decode(kind: ColumnKind, json: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let expected = |what: &str| format!("expected {what}, not {}", shortened(json));
    match kind {
        ColumnKind::Bool => out.push(u8::from(json.parse::<bool>().map_err(|_| expected("true or false"))?)),
        ColumnKind::Int2 => out.extend(json.parse::<i16>().map_err(|_| expected("a small integer"))?.to_be_bytes()),
        ColumnKind::Int4 => out.extend(json.parse::<i32>().map_err(|_| expected("an integer"))?.to_be_bytes()),
        ColumnKind::Int8 => out.extend(json.parse::<i64>().map_err(|_| expected("an integer"))?.to_be_bytes()),
        ColumnKind::Float4 => {
            let number = number::<f32>(json).filter(|number| number.is_finite() || json.starts_with('"'));
            out.extend(number.ok_or_else(|| expected("a number that fits"))?.to_be_bytes());
        }
        ColumnKind::Float8 => {
            let number = number::<f64>(json).filter(|number| number.is_finite() || json.starts_with('"'));
            out.extend(number.ok_or_else(|| expected("a number that fits"))?.to_be_bytes());
        }
        ColumnKind::Text | ColumnKind::Other => {
            let text = string(json)?;
            if text.contains('\0') {
                return Err("PostgreSQL can't store NUL in a text".to_owned());
            }
            out.extend_from_slice(text.as_bytes());
        }
        ColumnKind::Uuid => {
            let uuid = Uuid::try_parse(&string(json)?).map_err(|_| expected("a UUID"))?;
            out.extend_from_slice(uuid.as_bytes());
        }
        ColumnKind::Timestamp => {
            let time = time(json).ok_or_else(|| expected("a time in RFC 3339 format with at most 6 decimals"))?;
            if !(YEAR_1..YEAR_10000).contains(&time) {
                return Err(expected("a time in the years 1 to 9999"));
            }
            out.extend(time.to_be_bytes());
        }
        ColumnKind::Jsonb => {
            check_escapes(json)?;
            // A value that serde_json can't parse would break every program that reads the row.
            serde_json::from_str::<serde_json::Value>(json).map_err(|error| not_parsed(&error))?;
            out.push(1);
            out.extend_from_slice(json.as_bytes());
        }
        ColumnKind::Bytes => BASE64.decode_vec(string(json)?.as_bytes(), out).map_err(|_| expected("base64"))?,
        ColumnKind::TextArray => decode_texts(json, out).ok_or_else(|| expected("a list of texts"))?,
        ColumnKind::Vector => encode_vector(&floats(json)?, out)?,
    }
    Ok(())
}

/// Returns the components of a vector: a list of numbers, or the base64 of 32-bit floats.
fn floats(json: &str) -> Result<Vec<f32>, String> {
    let expected = |what: &str| format!("expected {what}, not {}", shortened(json));
    if json.starts_with('[') {
        let floats: Vec<f32> = serde_json::from_str(json).map_err(|_| expected("a list of numbers"))?;
        let are_finite = floats.iter().all(|float| float.is_finite());
        return if are_finite { Ok(floats) } else { Err(expected("numbers that fit into 32 bits")) };
    }
    let bytes = BASE64.decode(string(json)?.as_bytes()).map_err(|_| expected("base64"))?;
    let (floats, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(expected("the base64 of 32-bit floats"));
    }
    Ok(floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
}

/// Appends the binary value of a passage's vector, which is placed into the column if it has other dimensions.
fn placed(json: &str, out: &mut Vec<u8>) -> Result<Embedding, String> {
    let placed = Embedding::placed(floats(json)?).map_err(|error| error.to_string())?;
    encode_vector(placed.as_slice(), out)?;
    Ok(placed)
}

/// Appends the binary value of a vector.
fn encode_vector(floats: &[f32], out: &mut Vec<u8>) -> Result<(), String> {
    let dimensions = u16::try_from(floats.len())
        .map_err(|_| format!("expected a shorter vector than one of {} dimensions", floats.len()))?;
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend(floats.iter().flat_map(|float| float.to_be_bytes()));
    Ok(())
}

/// Returns a UUID unchanged. Derives a UUID of version 8 from any other value, by the workspace, the table and the text.
fn made_id(workspace: WorkspaceId, table: &str, json: &str) -> Result<Uuid, String> {
    let text = if json.starts_with('"') { string(json)? } else { Cow::Borrowed(json) };
    if let Ok(id) = Uuid::try_parse(&text) {
        return Ok(id);
    }
    if text.is_empty() || json.starts_with(['{', '[', 't', 'f']) {
        return Err(format!("expected a text or a number, not {}", shortened(json)));
    }
    let mut hash = Sha256::new();
    hash.update(workspace.as_uuid().as_bytes());
    hash.update(table.as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, drawn)| *byte = drawn);
    Ok(Uuid::new_v8(bytes))
}

fn not_read(error: &serde_json::Error) -> Error {
    Error::invalid(format!("{}, at column {}", not_parsed(error), error.column()))
}

/// Returns the message without the parser's line number, which is always 1. The caller adds the line number of the file.
fn not_parsed(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rfind(" at line ") {
        Some(end) => said.get(..end).unwrap_or(&said).to_owned(),
        None => said,
    }
}

fn shortened(json: &str) -> String {
    const LONGEST: usize = 40;
    match json.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", json.get(..end).unwrap_or_default()),
        None => json.to_owned(),
    }
}

/// Returns the text of a JSON string, without a copy if it contains no escapes.
fn string(json: &str) -> Result<Cow<'_, str>, String> {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(format!("expected a string, not {}", shortened(json)));
    };
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).map(Cow::Owned).map_err(|error| error.to_string())
}

/// Parses a number with the standard library, which finds the nearest number for each text.
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
    let array = if json.starts_with('{') {
        serde_json::from_str::<ShapedArray<String>>(json).ok()?
    } else {
        let elements: Vec<Option<String>> = serde_json::from_str(json).ok()?;
        let length = i32::try_from(elements.len()).ok()?;
        ShapedArray { dimensions: vec![Dimension { length, first: 1 }; usize::from(length > 0)], elements }
    };
    let elements = array.dimensions.iter().try_fold(1_i32, |all, one| all.checked_mul(one.length));
    let is_whole = array.dimensions.is_empty() && array.elements.is_empty()
        || elements.and_then(|all| usize::try_from(all).ok()) == Some(array.elements.len());
    is_whole.then_some(())?;
    let mut number = |number: i32| out.extend_from_slice(&number.to_be_bytes());
    number(i32::try_from(array.dimensions.len()).ok()?);
    number(i32::from(array.elements.contains(&None)));
    number(TEXT);
    for Dimension { length, first } in array.dimensions {
        number(length);
        number(first);
    }
    for text in &array.elements {
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

/// Rejects escapes that are well-formed JSON, but that jsonb rejects: NUL and halves of surrogate pairs.
fn check_escapes(json: &str) -> Result<(), String> {
    let mut rest = json;
    while let Some((_, escaped)) = rest.split_once('\\') {
        // The parser has already accepted the syntax, so no escape is cut off.
        let Some(digits) = escaped.strip_prefix('u') else {
            rest = escaped.get(1..).unwrap_or_default();
            continue;
        };
        let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let first = unit(digits).unwrap_or_default();
        rest = digits.get(4..).unwrap_or_default();
        match first {
            0 => return Err("PostgreSQL can't store NUL in a text".to_owned()),
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
