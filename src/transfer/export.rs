//! Export of rows into an archive.

use postgres_protocol::escape::escape_identifier;
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt as _, pin_mut};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_postgres::{GenericClient, Transaction};

use super::archive_format::{FORMAT, MAX_ROW_BYTES, PART_BYTES, VERSION};
use super::content::{PEOPLE, WORKSPACES};
use super::dependents::DependentTable;
use super::layout::{Layout, TableLayout};
use super::manifest::{ArchiveScope, ArchivedTable, Manifest};
use super::person;
use super::progress::{TransferProgress, TransferStep};
use super::row::Row;
use super::scan::{NO_TIMEOUTS, read_into, rows_of};
use super::selection::Selection;
use super::thread::ended;
use super::write::ArchiveWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::models::NewAuditEntry;
use crate::tenancy::{Administer, Database, WorkspaceScope};

/// Maximum number of parts that wait for compression.
const AHEAD: usize = 2;

/// Writes all rows of the scope's workspace into a new archive, as of one snapshot.
///
/// Concurrent writes don't affect the archive. The workspace's rows are read under its row-level security, so that rows of
/// other workspaces can't get into the file. The file gets its name when it is complete. Until then, and after a killed
/// process, the name ends in `.partial`. The next run starts again, because a snapshot ends with its process. Memory stays
/// below about 50 MB, whatever the size of the workspace.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace does not exist; [`is_conflict`](Error::is_conflict) if the file
/// exists; [`is_invalid_input`](Error::is_invalid_input) if a row has more than 64 MiB;
/// [`is_io_failure`](Error::is_io_failure), [`is_unreachable`](Error::is_unreachable).
pub async fn export(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    to: &Path,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<Manifest> {
    run(db, scope, ArchiveScope::Workspace, to, on_progress).await
}

/// Writes the rows of one person into a new archive: their conversations with messages and feedback, and their events.
///
/// The embedding application identifies the person by this id: `external_user_id` of conversations and `user_identifier` of
/// events. You can read such an archive, but not import it.
///
/// # Errors
///
/// As [`export`].
pub async fn export_person(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    external_user_id: &str,
    to: &Path,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<Manifest> {
    run(db, scope, ArchiveScope::Person { external_user_id: external_user_id.to_owned() }, to, on_progress).await
}

async fn run(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    holds: ArchiveScope,
    to: &Path,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<Manifest> {
    db.platform(async |conn| scope.actor(conn, db).await).await?;
    let workspace = scope.workspace();
    let (mut platform, mut own) = (db.platform_bulk().await?, db.bulk(&scope.to_write()).await?);
    let platform = platform.begin().await?;
    platform
        .batch_execute(&format!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {NO_TIMEOUTS}"))
        .await?;
    let snapshot: String = platform.query_one("SELECT pg_export_snapshot()", &[]).await?.get(0);
    let own = own.begin().await?;
    own.batch_execute(&format!(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'; {NO_TIMEOUTS}"
    ))
    .await?;
    let named = named(&*platform, workspace).await?;
    let layout = Layout::read(&*platform).await?;
    let (selection, person) = match &holds {
        ArchiveScope::Workspace => (Selection::Workspace, None),
        ArchiveScope::Person { external_user_id } => (Selection::Person, Some(external_user_id.as_str())),
    };
    for transaction in [&own, &platform] {
        person::set(transaction, person).await?;
    }
    DependentTable::reject_unarchived(&DependentTable::of(&*platform, &layout, selection, workspace).await?)?;
    let mut sources = Vec::new();
    for table in &layout.tables {
        let condition = match table.name.as_str() {
            PEOPLE if selection == Selection::Workspace => Some(layout.people_of(workspace)),
            _ => selection.condition(table, workspace),
        };
        let Some(condition) = condition else { continue };
        let from = if table.name == PEOPLE { &platform } else { &own };
        sources.push(TableSource { table, condition, from });
    }
    let mut of = 0;
    for source in &sources {
        of += source.count().await?;
    }
    let mtime = u64::try_from(named.taken_at.timestamp()).unwrap_or_default();
    let writer = ArchiveWriter::create(to, mtime)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let archived = sources.iter().map(|source| ArchivedTable::of(source.table)).collect();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        holds,
        workspace,
        slug: named.slug,
        taken_at: named.taken_at,
        schema: layout.schema.clone(),
        tables: archived,
    };
    let thread = tokio::task::spawn_blocking(move || write(writer, manifest, receiver));
    let mut sent = 0;
    let read = async {
        for (at, source) in sources.iter().enumerate() {
            source
                .read(at, &sender, |rows| {
                    sent += rows;
                    on_progress(TransferProgress { step: TransferStep::Exporting, rows: sent, of });
                })
                .await?;
        }
        let end = sender.send(Message::End).await;
        end.map_err(|_| hung_up())
    };
    let read = read.await;
    drop(sender);
    // The error of the writing thread comes first, because it is the cause.
    let manifest = ended(thread.await)?;
    read?;
    let (manifest, id) = manifest.ok_or_else(hung_up)?;
    let (rows, is_person) = (manifest.rows(), selection == Selection::Person);
    db.platform(async |conn| {
        let actor = scope.actor(conn, db).await?;
        let action = if is_person { "person.export" } else { "workspace.export" };
        NewAuditEntry::new(actor, action, WORKSPACES, Some(*workspace.as_uuid()))
            .for_workspace(workspace)
            .made(&json!({ "rows": rows, "archive": id }))
            .insert(conn)
            .await
    })
    .await?;
    Ok(manifest)
}

/// Slug of a workspace, and the time of the transaction that read it.
struct WorkspaceIdentity {
    slug: String,
    taken_at: DateTime<Utc>,
}

/// Returns the slug of the workspace and the time of the transaction.
async fn named(client: &impl GenericClient, workspace: WorkspaceId) -> Result<WorkspaceIdentity> {
    let query = "SELECT slug, (extract(epoch FROM now()) * 1000000)::bigint FROM workspaces WHERE id = $1";
    let row = client.query_opt(query, &[workspace.as_uuid()]).await?;
    let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no workspace {workspace}")))?;
    let taken_at = DateTime::from_timestamp_micros(row.get(1)).unwrap_or_default();
    Ok(WorkspaceIdentity { slug: row.get(0), taken_at })
}

fn hung_up() -> Error {
    Error::new(ErrorKind::Io, "the archive could not be written completely")
}

enum Message {
    Part { table: usize, lines: Vec<u8>, rows: u64 },
    End,
}

/// Compresses and writes parts on a thread. Without an end message, the reading side has failed and no archive is created.
fn write(
    mut writer: ArchiveWriter,
    mut manifest: Manifest,
    mut receiver: mpsc::Receiver<Message>,
) -> Result<Option<(Manifest, String)>> {
    while let Some(message) = receiver.blocking_recv() {
        match message {
            Message::Part { table, lines, rows } => {
                if let Some(table) = manifest.tables.get_mut(table) {
                    writer.add(table, &lines, rows)?;
                }
            }
            Message::End => {
                let id = writer.finish(&manifest)?;
                return Ok(Some((manifest, id)));
            }
        }
    }
    Ok(None)
}

/// Table, the condition of its rows, and the transaction that sees them.
struct TableSource<'a> {
    table: &'a TableLayout,
    condition: String,
    from: &'a Transaction<'a>,
}

impl TableSource<'_> {
    async fn count(&self) -> Result<u64> {
        let count = format!("SELECT count(*) FROM {} WHERE {}", escape_identifier(&self.table.name), self.condition);
        Ok(self.from.query_one(&count, &[]).await?.get::<_, i64>(0).unsigned_abs())
    }

    async fn read(&self, at: usize, sender: &mpsc::Sender<Message>, mut on_rows: impl FnMut(u64)) -> Result<()> {
        let (mut lines, mut rows) = (Vec::with_capacity(PART_BYTES), 0);
        let rows_of = rows_of(self.from, self.table, &self.condition).await?;
        pin_mut!(rows_of);
        let mut row = Row::default();
        while let Some(read) = rows_of.try_next().await? {
            read_into(&mut row, &read, self.table)?;
            let start = lines.len();
            row.write_line(self.table, &mut lines)?;
            if (lines.len() - start) as u64 > MAX_ROW_BYTES {
                let head: String =
                    String::from_utf8_lossy(lines.get(start..).unwrap_or_default()).chars().take(100).collect();
                return Err(Error::invalid(format!(
                    "a row of {} has more than {MAX_ROW_BYTES} bytes, the maximum of an archive: {head}...",
                    self.table.name
                )));
            }
            rows += 1;
            if lines.len() >= PART_BYTES {
                let lines = std::mem::replace(&mut lines, Vec::with_capacity(PART_BYTES));
                sender.send(Message::Part { table: at, lines, rows }).await.map_err(|_| hung_up())?;
                on_rows(std::mem::take(&mut rows));
            }
        }
        if rows > 0 {
            sender.send(Message::Part { table: at, lines, rows }).await.map_err(|_| hung_up())?;
            on_rows(rows);
        }
        Ok(())
    }
}

impl ArchivedTable {
    fn of(table: &TableLayout) -> Self {
        Self::new(&table.name, table.columns.iter().map(|column| column.name.clone()).collect())
    }
}
