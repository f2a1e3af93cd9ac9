//! The reading of lines into batches, on a thread.

use std::io::{BufRead, Read as _};
use std::ops::Range;

use serde::Deserialize;
use tokio::sync::mpsc;

use super::mistakes::{MAX_MISTAKES, Mistake};
use crate::embeddings::StreamDimensions;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::sql_types::Embedding;
use crate::transfer::adapt::suspend;
use crate::transfer::archive_format::MAX_ROW_BYTES;
use crate::transfer::layout::TableLayout;
use crate::transfer::row::Row;
use crate::transfer::stage::Tuples;

/// Maximum number of rows in a batch. The rows of a batch are one transaction.
const BATCH_ROWS: u64 = 5_000;
/// Maximum number of bytes in a batch, without its last row.
const BATCH_BYTES: usize = 8 << 20;

/// Rows of each table, and the last of their lines.
pub(super) struct Batch {
    pub(super) tables: Vec<TableRows>,
    pub(super) last_line: u64,
    /// Mistakes of lines that can't be read.
    pub(super) mistakes: Vec<Mistake>,
    /// First vector of each model that no batch before has.
    pub(super) first_vectors: Vec<FirstVector>,
}

/// First vector of a model among the lines.
pub(super) struct FirstVector {
    pub(super) model: String,
    pub(super) vector: Embedding,
    pub(super) line: u64,
}

/// Rows of one table in a batch, each with the number of its line.
#[derive(Default)]
pub(super) struct TableRows {
    bytes: Vec<u8>,
    /// Line of each row, and the end of its bytes.
    ends: Vec<(u64, usize)>,
}

impl TableRows {
    fn push(&mut self, row: &Row, line: u64) -> Result<()> {
        row.write_numbered_tuple(&mut self.bytes, line)?;
        self.ends.push((line, self.bytes.len()));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the line of the row at that position.
    pub(super) fn line(&self, at: usize) -> u64 {
        self.ends.get(at).map_or(0, |(line, _)| *line)
    }

    /// Returns the rows in a range of positions.
    pub(super) fn tuples(&self, range: Range<usize>) -> Tuples {
        let end = |at: usize| self.ends.get(at).map_or(0, |(_, end)| *end);
        let from = if range.start == 0 { 0 } else { end(range.start - 1) };
        let to = if range.is_empty() { from } else { end(range.end - 1) };
        Tuples::from_bytes(self.bytes.get(from..to).unwrap_or_default(), range.len() as u64)
    }
}

/// Reader of lines.
pub(super) struct LineReader<R> {
    pub(super) lines: R,
    pub(super) tables: Vec<TableLayout>,
    pub(super) workspace: WorkspaceId,
    /// Time from which unfinished jobs are suspended, if they are.
    pub(super) suspended_at: Option<i64>,
    pub(super) dimensions: StreamDimensions,
}

#[derive(Deserialize)]
struct Head {
    table: String,
}

impl<R: BufRead> LineReader<R> {
    /// Sends the lines in batches. It goes on after a mistake, up to the maximum number.
    pub(super) fn read(mut self, sender: &mpsc::Sender<Batch>) -> Result<()> {
        let fresh = |tables: &[TableLayout]| Batch {
            tables: tables.iter().map(|_| TableRows::default()).collect(),
            last_line: 0,
            mistakes: Vec::new(),
            first_vectors: Vec::new(),
        };
        let mut batch = fresh(&self.tables);
        let (mut number, mut rows, mut bytes, mut mistakes) = (0_u64, 0_u64, 0_usize, 0_usize);
        let (mut line, mut row) = (Vec::new(), Row::default());
        loop {
            line.clear();
            self.read_line(&mut line)?;
            let is_end = line.is_empty() || mistakes >= MAX_MISTAKES;
            if is_end || rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
                batch.last_line = number;
                let full = std::mem::replace(&mut batch, fresh(&self.tables));
                (rows, bytes) = (0, 0);
                // The receiver closes the channel only after an error, which it reports itself.
                if sender.blocking_send(full).is_err() || is_end {
                    return Ok(());
                }
            }
            number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.add(&line, &mut row, number, &mut batch) {
                Ok(()) => rows += 1,
                Err(error) => {
                    mistakes += 1;
                    batch.mistakes.push(Mistake { line: number, what: error.to_string() });
                }
            }
            bytes += line.len();
        }
    }

    /// Reads a line, without the rest of a line that is too long.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<()> {
        let unreadable = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("the lines can't be read: {error}")).caused_by(error)
        };
        self.lines.by_ref().take(MAX_ROW_BYTES + 1).read_until(b'\n', line).map_err(unreadable)?;
        if line.len() as u64 > MAX_ROW_BYTES && !line.ends_with(b"\n") {
            self.lines.skip_until(b'\n').map_err(unreadable)?;
        }
        Ok(())
    }

    fn add(&mut self, line: &[u8], row: &mut Row, number: u64, batch: &mut Batch) -> Result<()> {
        if line.len() as u64 > MAX_ROW_BYTES {
            return Err(Error::invalid(format!("the line has more than {MAX_ROW_BYTES} bytes")));
        }
        let place = self.place(line)?;
        let (Some(table), Some(rows)) = (self.tables.get(place), batch.tables.get_mut(place)) else { return Ok(()) };
        let of_table = |error: Error| Error::invalid(format!("{}: {error}", table.name)).caused_by(error);
        row.read_external_line(table, line, self.workspace).map_err(of_table)?;
        if table.position("id").is_some_and(|id| row.get(id).is_none()) {
            let what = format!("{}: it has no id", table.name);
            return Err(Error::invalid(what).remedy("add the row's id in the other system"));
        }
        if let Some((model, vector)) = row.model_and_embedding(table)
            && self.dimensions.check(&model, vector).map_err(of_table)?
        {
            batch.first_vectors.push(FirstVector { model, vector: vector.clone(), line: number });
        }
        if let Some(at) = self.suspended_at {
            suspend(table, row, at);
        }
        rows.push(row, number)
    }

    /// Returns the position of the table that a line names.
    fn place(&self, line: &[u8]) -> Result<usize> {
        let head: Head = serde_json::from_slice(line)
            .map_err(|error| Error::invalid(format!("it has no valid table name: {error}")).caused_by(error))?;
        self.tables.iter().position(|table| table.name == head.table).ok_or_else(|| {
            let known: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
            Error::invalid(format!("there is no content table {:?}", head.table))
                .remedy(format!("use one of {}", known.join(", ")))
        })
    }
}
