//! Import of another system's rows, as lines of JSON that a short script writes.

use std::collections::BTreeMap;
use std::io::BufRead;

use chrono::Utc;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::adapt::suspend;
use super::archive_format::MAX_ROW_BYTES;
use super::content::Content;
use super::layout::{Layout, TableLayout};
use super::row::{EPOCH, Row};
use super::stage::{Stage, Tuples};
use super::thread::ended;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{Database, WorkspaceScope};

/// Maximum number of rows in a batch. The rows of one table in a batch are one transaction.
const BATCH_ROWS: u64 = 5_000;
/// Maximum number of bytes in a batch, without its last row.
const BATCH_BYTES: usize = 8 << 20;
/// Maximum number of batches that are read ahead.
const AHEAD: usize = 1;

/// Result of an import of another system's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowImportReport {
    /// Number of rows written, by table.
    pub written: BTreeMap<String, u64>,
    /// Number of rows that existed already and stay unchanged, by table.
    pub found: BTreeMap<String, u64>,
}

/// Writes rows of another system into the scope's workspace, from lines of JSON, one a row.
///
/// ```json
/// {"table": "conversations", "id": 4711, "external_user_id": "jane", "created_at": "2026-11-27T12:00:00Z"}
/// {"table": "messages", "id": "4711/1", "conversation_id": 4711, "role": "user", "content": "When do you open?"}
/// ```
///
/// | field | content |
/// |---|---|
/// | `table` | a table for content of a workspace: `datasources`, `documents`, `document_chunks`, `conversations`, `messages`, `feedback`, `analytics_events`, `webhook_subscriptions`, or your own |
/// | `id`, and references to ids | the other system's id of the row, any text or number, or a UUID, which is kept; `id` is required |
/// | the columns | as [in an archive](super); a vector may also be a list of numbers. An omitted or `null` column has its default |
///
/// A row must come after the rows that it refers to. Each id becomes a UUID that depends only on the workspace, the table
/// and the text, so you can import the same lines again. After an interrupted run this writes the remaining rows, and
/// existing rows stay unchanged. Batches have at most 5,000 rows. The rows of one table in a batch are one transaction,
/// under row-level security.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) with the line if it can't be read, or with the lines of the batch if the
/// database rejects a row; rows written before remain. [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use std::fs::File;
/// use std::io::BufReader;
/// use workspace_db::tenancy::{Database, WorkspaceScope};
/// use workspace_db::transfer::import_rows;
///
/// # async fn example(db: &Database, scope: &WorkspaceScope) -> Result<(), Box<dyn std::error::Error>> {
/// let lines = BufReader::new(File::open("helpdesk.jsonl")?);
/// let rows = import_rows(db, scope, lines, &|_| ()).await?;
/// println!("{:?}", rows.written);
/// # Ok(())
/// # }
/// ```
pub async fn import_rows(
    db: &Database,
    scope: &WorkspaceScope,
    lines: impl BufRead + Send + 'static,
    on_progress: &(dyn Fn(&RowImportReport) + Sync),
) -> Result<RowImportReport> {
    run(db, scope, lines, false, on_progress).await
}

/// Imports the operator's own lines as [`import_rows`] does, but unfinished jobs wait to run and schedules fire.
///
/// # Errors
///
/// As [`import_rows`].
pub async fn import_rows_with_jobs(
    db: &Database,
    scope: &WorkspaceScope,
    lines: impl BufRead + Send + 'static,
    on_progress: &(dyn Fn(&RowImportReport) + Sync),
) -> Result<RowImportReport> {
    run(db, scope, lines, true, on_progress).await
}

async fn run(
    db: &Database,
    scope: &WorkspaceScope,
    lines: impl BufRead + Send + 'static,
    with_jobs: bool,
    on_progress: &(dyn Fn(&RowImportReport) + Sync),
) -> Result<RowImportReport> {
    let workspace = scope.workspace();
    let suspended_at = (!with_jobs).then(|| Utc::now().timestamp_micros() - EPOCH);
    let layout = {
        let mut bulk = db.platform_bulk().await?;
        Layout::read(&*bulk.begin().await?).await?
    };
    // Without a primary key, existing rows can't be recognized.
    let is_brought = |table: &TableLayout| table.has_key() && matches!(table.content, Content::Plain | Content::AtRest);
    let mut tables: Vec<TableLayout> = layout.tables.into_iter().filter(is_brought).collect();
    // No other system knows the platform's administrators.
    for table in &mut tables {
        table.columns.retain(|column| !column.is_person);
    }
    let stages: Vec<Stage> = tables.iter().map(|table| Stage::for_external_rows(table, workspace)).collect();
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    let (sender, mut receiver) = mpsc::channel::<Batch>(AHEAD);
    let thread = tokio::task::spawn_blocking(move || read(lines, &tables, workspace, suspended_at, &sender));
    let mut bulk = db.bulk(scope).await?;
    let mut report = RowImportReport::default();
    let written = async {
        while let Some(batch) = receiver.recv().await {
            for ((stage, name), tuples) in stages.iter().zip(&names).zip(batch.tables) {
                let rows = tuples.rows;
                if rows == 0 {
                    continue;
                }
                let transaction = bulk.begin().await?;
                let written =
                    stage.write(&transaction, tuples).await.map_err(|error| batch.lines.refused(name, &error))?;
                transaction.commit().await?;
                *report.written.entry(name.clone()).or_default() += written;
                *report.found.entry(name.clone()).or_default() += rows - written;
            }
            on_progress(&report);
        }
        Ok::<_, Error>(())
    };
    let written = written.await;
    drop(receiver);
    let read = ended(thread.await);
    written?;
    read?;
    Ok(report)
}

/// Rows of each table, and the range of their lines.
struct Batch {
    tables: Vec<Tuples>,
    lines: Lines,
}

#[derive(Clone, Copy)]
struct Lines {
    first: u64,
    last: u64,
}

impl Lines {
    fn refused(self, table: &str, error: &Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::Unreachable | ErrorKind::Exhausted => error.kind(),
            _ => ErrorKind::InvalidInput,
        };
        Error::new(kind, format!("lines {} to {}, {table}: {error}", self.first, self.last))
    }
}

#[derive(Deserialize)]
struct Head {
    table: String,
}

/// Reads lines on a thread, and sends them in batches.
fn read(
    mut lines: impl BufRead,
    tables: &[TableLayout],
    workspace: WorkspaceId,
    suspended_at: Option<i64>,
    sender: &mpsc::Sender<Batch>,
) -> Result<()> {
    let fresh =
        |first| Batch { tables: tables.iter().map(|_| Tuples::new()).collect(), lines: Lines { first, last: first } };
    let (mut batch, mut number, mut rows, mut bytes) = (fresh(1), 0_u64, 0_u64, 0_usize);
    let (mut line, mut row) = (Vec::new(), Row::default());
    loop {
        line.clear();
        let read = std::io::Read::take(&mut lines, MAX_ROW_BYTES + 1).read_until(b'\n', &mut line);
        read.map_err(|error| Error::new(ErrorKind::Io, format!("the lines can't be read: {error}")).caused_by(error))?;
        let is_end = line.is_empty();
        if is_end || rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
            batch.lines.last = number;
            let full = std::mem::replace(&mut batch, fresh(number + 1));
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
        let at = |error: Error| Error::invalid(format!("line {number}: {error}")).caused_by(error);
        if line.len() as u64 > MAX_ROW_BYTES {
            return Err(at(Error::invalid(format!("it has more than {MAX_ROW_BYTES} bytes"))));
        }
        let place = place(tables, &line).map_err(at)?;
        let (Some(table), Some(tuples)) = (tables.get(place), batch.tables.get_mut(place)) else { continue };
        row.read_external_line(table, &line, workspace).map_err(at)?;
        if table.position("id").is_some_and(|id| row.get(id).is_none()) {
            return Err(at(Error::invalid("it has no id").remedy("add the row's id in the other system")));
        }
        if let Some(at) = suspended_at {
            suspend(table, &mut row, at);
        }
        tuples.push(&row)?;
        rows += 1;
        bytes += line.len();
    }
}

/// Returns the position of the table that a line names.
fn place(tables: &[TableLayout], line: &[u8]) -> Result<usize> {
    let head: Head = serde_json::from_slice(line)
        .map_err(|error| Error::invalid(format!("it has no valid table name: {error}")).caused_by(error))?;
    tables.iter().position(|table| table.name == head.table).ok_or_else(|| {
        let known: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        Error::invalid(format!("there is no content table {:?}", head.table))
            .remedy(format!("use one of {}", known.join(", ")))
    })
}
