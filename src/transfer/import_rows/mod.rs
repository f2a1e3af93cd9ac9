//! Import of another system's rows, as lines of JSON that a short script writes.

mod lines;
mod mistakes;

use std::collections::BTreeMap;
use std::io::BufRead;

use chrono::Utc;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_postgres::Transaction;

use self::lines::{Batch, FirstVector, LineReader, TableRows};
use self::mistakes::{Mistake, Mistakes};
use super::content::{CHUNKS, Content};
use super::layout::{Layout, TableLayout};
use super::row::EPOCH;
use super::stage::Stage;
use super::thread::ended;
use crate::embeddings::{StreamDimensions, check_dimensions_within};
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{BulkConnection, Database, WorkspaceScope};

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
/// | the columns | as [in an archive](super); a vector may also be a list of numbers, and that of a passage may have 32 to 1536 of them. An omitted or `null` column has its default |
///
/// A row must come after the rows that it refers to. Each id becomes a UUID that depends only on the workspace, the table
/// and the text, so you can import the same lines again. After an interrupted run this writes the remaining rows, and
/// existing rows stay unchanged. A batch of at most 5,000 rows is one transaction, under row-level security.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) with up to 100 mistakes, each with its line, table and column: a line that
/// can't be read, a row that the database rejects, or two lines of one id with different values. From the first batch with
/// a mistake on, nothing is written, and the remedy states which lines stay. [`is_unreachable`](Error::is_unreachable).
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
    let stages = tables.iter().enumerate().map(|(number, table)| Stage::for_external_rows(table, workspace, number));
    let mut writer = BatchWriter { workspace, stages: stages.collect(), names: Vec::new(), first_transaction: 0 };
    writer.names = tables.iter().map(|table| table.name.clone()).collect();
    let (sender, mut receiver) = mpsc::channel::<Batch>(AHEAD);
    let reader = LineReader { lines, tables, workspace, suspended_at, dimensions: StreamDimensions::default() };
    let thread = tokio::task::spawn_blocking(move || reader.read(&sender));
    let mut bulk = db.bulk(scope).await?;
    let written = writer.write_all(&mut bulk, &mut receiver, on_progress).await;
    drop(receiver);
    let read = ended(thread.await);
    let report = written?;
    read?;
    Ok(report)
}

/// Writer of the batches.
struct BatchWriter {
    workspace: WorkspaceId,
    /// Statements and name of each table.
    stages: Vec<Stage>,
    names: Vec<String>,
    /// Id of the first transaction that can be of this run, as a row has it.
    first_transaction: i64,
}

impl BatchWriter {
    /// Writes batches up to the first that has a mistake. Checks the others, and reports all mistakes.
    async fn write_all(
        &mut self,
        bulk: &mut BulkConnection,
        receiver: &mut mpsc::Receiver<Batch>,
        on_progress: &(dyn Fn(&RowImportReport) + Sync),
    ) -> Result<RowImportReport> {
        let mut report = RowImportReport::default();
        let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295";
        self.first_transaction = bulk.begin().await?.query_one(next, &[]).await?.get(0);
        let mut last_line = 0;
        while let Some(mut batch) = receiver.recv().await {
            let transaction = bulk.begin().await?;
            self.check_dimensions(&transaction, &mut batch).await?;
            let is_right = batch.mistakes.is_empty() && self.write(&transaction, &batch, &mut report).await?;
            if !is_right {
                drop(transaction);
                return self.check_all(bulk, batch, receiver, last_line).await;
            }
            transaction.commit().await?;
            last_line = batch.last_line;
            on_progress(&report);
        }
        Ok(report)
    }

    /// Writes a batch, and returns false if it has a mistake.
    async fn write(&self, transaction: &Transaction<'_>, batch: &Batch, report: &mut RowImportReport) -> Result<bool> {
        let mut counts = Vec::new();
        for ((stage, name), rows) in self.stages.iter().zip(&self.names).zip(&batch.tables) {
            let all = rows.len() as u64;
            if all == 0 {
                continue;
            }
            let written = match stage.write(transaction, rows.tuples(0..rows.len())).await {
                Ok(written) => written,
                Err(error) if is_interrupted(&error) => return Err(error),
                Err(_) => return Ok(false),
            };
            if written < all && !stage.differing(transaction, self.first_transaction).await?.is_empty() {
                return Ok(false);
            }
            counts.push((name, written, all - written));
        }
        for (name, written, found) in counts {
            *report.written.entry(name.clone()).or_default() += written;
            *report.found.entry(name.clone()).or_default() += found;
        }
        Ok(true)
    }

    /// Adds a mistake for each model that has another number of dimensions in the workspace.
    async fn check_dimensions(&self, transaction: &Transaction<'_>, batch: &mut Batch) -> Result<()> {
        for FirstVector { model, vector, line } in batch.first_vectors.drain(..) {
            match check_dimensions_within(transaction, self.workspace, &model, &vector).await {
                Err(error) if error.is_conflict() => {
                    batch.mistakes.push(Mistake { line, what: format!("{CHUNKS}: {error}") });
                }
                checked => checked?,
            }
        }
        Ok(())
    }

    /// Checks a batch and all that follow, in a transaction that is rolled back, and returns an error with the mistakes.
    async fn check_all(
        &self,
        bulk: &mut BulkConnection,
        first: Batch,
        receiver: &mut mpsc::Receiver<Batch>,
        last_line: u64,
    ) -> Result<RowImportReport> {
        let transaction = bulk.begin().await?;
        let mut mistakes = Mistakes::default();
        let mut next = Some(first);
        while let Some(mut batch) = next {
            self.check_dimensions(&transaction, &mut batch).await?;
            mistakes.extend(batch.mistakes.drain(..));
            for ((stage, name), rows) in self.stages.iter().zip(&self.names).zip(&batch.tables) {
                self.check(&transaction, stage, name, rows, &mut mistakes).await?;
            }
            if mistakes.is_full() {
                break;
            }
            next = receiver.recv().await;
        }
        if mistakes.is_empty() {
            // Another session removed the cause meanwhile.
            return Err(Error::new(ErrorKind::Conflict, "the rows were rejected, and are accepted now")
                .remedy("import the file again, which skips existing rows"));
        }
        mistakes.into_result(last_line).map(|()| RowImportReport::default())
    }

    /// Writes the rows of one table in halves, down to the rows that the database rejects.
    async fn check(
        &self,
        transaction: &Transaction<'_>,
        stage: &Stage,
        name: &str,
        rows: &TableRows,
        mistakes: &mut Mistakes,
    ) -> Result<()> {
        let mut parts = Vec::new();
        parts.push(0..rows.len());
        while let Some(part) = parts.pop().filter(|_| !mistakes.is_full()) {
            if part.is_empty() {
                continue;
            }
            transaction.batch_execute("SAVEPOINT workspace_db_rows").await?;
            match stage.write(transaction, rows.tuples(part.clone())).await {
                Ok(written) => {
                    if written < part.len() as u64 {
                        let differing = stage.differing(transaction, self.first_transaction).await?;
                        mistakes.extend(differing.into_iter().map(|line| Mistake {
                            line,
                            what: format!("{name}: another line has the same id and other values"),
                        }));
                    }
                    transaction.batch_execute("RELEASE SAVEPOINT workspace_db_rows").await?;
                }
                Err(error) if is_interrupted(&error) => return Err(error),
                Err(error) => {
                    transaction.batch_execute("ROLLBACK TO SAVEPOINT workspace_db_rows").await?;
                    if part.len() == 1 {
                        let column = stage.invalid_column(transaction, rows.tuples(part.clone())).await;
                        transaction.batch_execute("ROLLBACK TO SAVEPOINT workspace_db_rows").await?;
                        let column = column.map(|column| format!("{column}: ")).unwrap_or_default();
                        let line = rows.line(part.start);
                        let mistake = Mistake { line, what: format!("{name}: {column}{error}") };
                        // A foreign key is violated.
                        if error.is_not_found() {
                            mistakes.add_without_parent(mistake);
                        } else {
                            mistakes.extend([mistake]);
                        }
                    } else {
                        let middle = part.start + part.len() / 2;
                        parts.extend([middle..part.end, part.start..middle]);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns true if the error is of the connection, and not of a row.
fn is_interrupted(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Exhausted | ErrorKind::TimedOut | ErrorKind::Io)
}
