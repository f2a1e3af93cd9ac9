//! Encoding of a row as a line of JSON, without loss.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Datelike as _, SecondsFormat};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{ColumnKind, TableLayout};
use super::row::{EPOCH, Row};
use crate::error::{Error, Result};

impl Row {
    /// Appends the row as a line of JSON with its line feed. NULL values are omitted, since JSON's `null` is a value of
    /// jsonb.
    pub(super) fn write_line(&self, table: &TableLayout, out: &mut Vec<u8>) -> Result<()> {
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
}

fn json_string(out: &mut Vec<u8>, text: &str) {
    // Writing to memory can't fail, and a string contains no map with keys that are not strings.
    let _ = serde_json::to_writer(out, text);
}

fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// Appends a value as JSON. Returns none if the bytes don't match the type.
fn encode(kind: ColumnKind, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match kind {
        ColumnKind::Bool => out.extend_from_slice(if array::<1>(value)? == [0] { b"false" } else { b"true" }),
        ColumnKind::Int2 => write!(out, "{}", i16::from_be_bytes(array(value)?)).ok()?,
        ColumnKind::Int4 => write!(out, "{}", i32::from_be_bytes(array(value)?)).ok()?,
        ColumnKind::Int8 => write!(out, "{}", i64::from_be_bytes(array(value)?)).ok()?,
        ColumnKind::Float4 => {
            let number = f32::from_be_bytes(array(value)?);
            encode_float(number.into(), number, out)?;
        }
        ColumnKind::Float8 => {
            let number = f64::from_be_bytes(array(value)?);
            encode_float(number, number, out)?;
        }
        ColumnKind::Text | ColumnKind::Other => json_string(out, std::str::from_utf8(value).ok()?),
        ColumnKind::Uuid => write!(out, "\"{}\"", Uuid::from_slice(value).ok()?).ok()?,
        ColumnKind::Timestamp => encode_time(i64::from_be_bytes(array(value)?), out)?,
        // A version byte, then the text of the value. PostgreSQL writes no line breaks into it.
        ColumnKind::Jsonb => out.extend_from_slice(value.strip_prefix(b"\x01")?),
        ColumnKind::Bytes => encode_base64(value, out),
        ColumnKind::TextArray => encode_texts(value, out)?,
        ColumnKind::Vector => {
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

/// Appends a time of the years 0 to 9999 as RFC 3339, and other or infinite times as PostgreSQL's own number.
fn encode_time(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    let time = micros.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
    match time.filter(|time| (0..=9999).contains(&time.year())) {
        Some(time) => write!(out, "\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true)).ok(),
        None => write!(out, "{micros}").ok(),
    }
}

/// Array with several dimensions, or with a first subscript other than 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapedArray<T> {
    pub(super) dimensions: Vec<Dimension>,
    /// Elements, row by row.
    pub(super) elements: Vec<Option<T>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dimension {
    pub(super) length: i32,
    /// Subscript of the first element.
    pub(super) first: i32,
}

fn encode_base64(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64.encode(value).as_bytes());
    out.push(b'"');
}

/// Appends a list if the array is empty or its first subscript is 1, as in most arrays of one dimension. Otherwise appends
/// the dimensions and all elements in their order.
fn encode_texts(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = value;
    let mut number = || {
        let (number, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        Some(i32::from_be_bytes(*number))
    };
    let (dimensions, _flags, _element) = (number()?, number()?, number()?);
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(Dimension { length: number()?, first: number()? });
    }
    let mut elements: Vec<Option<&str>> = Vec::new();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        rest = after;
        elements.push(match usize::try_from(i32::from_be_bytes(*size)) {
            Err(_) => None,
            Ok(size) => {
                let (text, after) = rest.split_at_checked(size)?;
                rest = after;
                Some(std::str::from_utf8(text).ok()?)
            }
        });
    }
    rest.is_empty().then_some(())?;
    match shape[..] {
        [] | [Dimension { first: 1, .. }] => serde_json::to_writer(out, &elements).ok(),
        _ => serde_json::to_writer(out, &ShapedArray { dimensions: shape, elements }).ok(),
    }
}
