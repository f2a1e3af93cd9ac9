//! A row with its values in the binary format of COPY.

use std::ops::Range;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::sql_types::Embedding;

/// Microseconds from the Unix epoch to PostgreSQL's epoch, 2000-01-01.
pub(super) const EPOCH: i64 = 946_684_800_000_000;

/// Values of a row in the binary format, in the order of the table's columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    bytes: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
    /// Vector of a passage of another system, with the number of its model's dimensions.
    pub(super) embedding: Option<Embedding>,
}

impl Row {
    /// Clears the row and gives it that number of columns, all NULL.
    pub(super) fn reset(&mut self, columns: usize) {
        self.bytes.clear();
        self.values.clear();
        self.embedding = None;
        self.values.resize(columns, None);
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

    /// Returns a time in microseconds of PostgreSQL.
    pub(super) fn time(&self, column: usize) -> Option<i64> {
        Some(i64::from_be_bytes(self.get(column)?.try_into().ok()?))
    }

    pub(super) fn text(&self, column: usize) -> Option<&str> {
        self.get(column).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Appends the row as a tuple of binary COPY.
    pub(super) fn write_tuple(&self, out: &mut Vec<u8>) -> Result<()> {
        self.write_values(out, 0)
    }

    /// Appends the row as a tuple, followed by the number of its line.
    pub(super) fn write_numbered_tuple(&self, out: &mut Vec<u8>, line: u64) -> Result<()> {
        self.write_values(out, 1)?;
        out.extend_from_slice(&8_i32.to_be_bytes());
        out.extend_from_slice(&line.to_be_bytes());
        Ok(())
    }

    fn write_values(&self, out: &mut Vec<u8>, more: usize) -> Result<()> {
        let too_large = |_| Error::invalid("a value is larger than 2 GiB");
        out.extend_from_slice(&i16::try_from(self.values.len() + more).map_err(too_large)?.to_be_bytes());
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
}
