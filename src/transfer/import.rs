//! Import of an archive into a database.

use postgres_protocol::escape::escape_identifier;
use std::collections::BTreeSet;
use std::path::Path;

use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::adapt::{OmittedRows, RowAdapter, tables_of_workspaces};
use super::content::{PEOPLE, WORKSPACES};
use super::delete::delete_rows;
use super::digest::Digest;
use super::import_options::ImportOptions;
use super::import_report::ImportReport;
use super::layout::{Layout, TableLayout};
use super::lock::lock;
use super::manifest::{ArchiveScope, ArchivedTable, Manifest};
use super::people;
use super::progress::{TransferProgress, TransferStep};
use super::read::ArchiveReader;
use super::row::{EPOCH, Row};
use super::stage::{CyclicInsert, Stage, Tuples};
use super::target::{BEGIN, DISCARD, DONE, LastTransfer, Target};
use super::thread::ended;
use super::verify;
use crate::auth::unusable_password;
use crate::error::{Error, ErrorKind, Result};
use crate::models::NewAuditEntry;
use crate::tenancy::{BulkConnection, Database, PlatformScope};

/// Maximum number of parts that wait to be written.
const AHEAD: usize = 1;

/// Writes the rows of an archive, after verifying all of it.
///
/// Meanwhile the workspace is inactive: no session enters it and no worker claims its jobs. At the end, the rows are read
/// again and compared with the expected ones. An interrupted run resumes if you import the same archive again. If the import
/// fails, the written rows are deleted, except audit entries.
///
/// Every archive is treated as content. Unfinished jobs are cancelled and schedules stopped, unless
/// [`with_jobs`](ImportOptions::with_jobs) is set. Tokens and invitations are omitted, and audit entries are marked as
/// imported. Members are found by their email; unknown ones get an account without a password. A membership must be accepted
/// here, unless this database wrote the archive.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input), with the place, if the archive is cut off or changed, has a later version,
/// has objects that this database does not know, or contains only one person; [`is_conflict`](Error::is_conflict) if the
/// workspace or its slug exists, the audit log knows that id but not this archive, or another transfer of the workspace
/// runs; [`is_forbidden`](Error::is_forbidden) if the scope's administrator is no longer a superadmin;
/// [`is_unreachable`](Error::is_unreachable), after which the next run resumes.
pub async fn import(
    db: &Database,
    platform: &PlatformScope,
    archive: &Path,
    options: ImportOptions,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<ImportReport> {
    let path = archive.to_owned();
    let reader = ended(tokio::task::spawn_blocking(move || ArchiveReader::open(&path)).await)?;
    let manifest = reader.manifest().clone();
    if manifest.holds != ArchiveScope::Workspace {
        return Err(Error::invalid(format!(
            "{}: it contains the rows of one person, not a workspace",
            archive.display()
        )));
    }
    let (layout, now) = {
        // The clocks of two servers may differ.
        let now = "SELECT (extract(epoch FROM clock_timestamp() + interval '1 minute') * 1000000)::bigint";
        let mut bulk = db.platform_bulk().await?;
        let transaction = bulk.begin().await?;
        (Layout::read(&*transaction).await?, transaction.query_one(now, &[]).await?.get::<_, i64>(0) - EPOCH)
    };
    if manifest.taken_at.timestamp_micros() - EPOCH > now {
        return Err(Error::invalid(format!(
            "{}: it was exported at {}, which is in the future",
            archive.display(),
            manifest.taken_at
        )));
    }
    let tables = reader.tables(&layout)?;
    let reader = check(reader, tables.clone(), now, manifest.rows(), on_progress).await?;
    let target = Target::find(db, &manifest, reader.id(), &options).await?;
    let _held = lock(db, target.workspace).await?;
    let import = Import { db, platform, layout: &layout, tables, manifest: &manifest, target, archive };
    import.begin(&reader).await?;
    match import.write(reader, options, on_progress).await {
        // The next run resumes from here.
        Err(error) if error.is_unreachable() || error.is_exhausted() => Err(error),
        Err(error) => {
            import.discard(&error).await?;
            Err(error)
        }
        done => done,
    }
}

/// Verifies the whole archive, before anything is written.
async fn check(
    mut reader: ArchiveReader,
    tables: Vec<(TableLayout, ArchivedTable)>,
    now: i64,
    of: u64,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<ArchiveReader> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let thread = tokio::task::spawn_blocking(move || {
        reader.verify(&tables, now, |rows| {
            // If the import was dropped, the channel is closed, and the progress is no longer needed.
            let _ = sender.send(rows);
        })?;
        Ok(reader)
    });
    let mut rows = 0;
    while let Some(more) = receiver.recv().await {
        rows += more;
        on_progress(TransferProgress { step: TransferStep::Checking, rows, of });
    }
    ended(thread.await)
}

struct Import<'a> {
    db: &'a Database,
    platform: &'a PlatformScope,
    layout: &'a Layout,
    tables: Vec<(TableLayout, ArchivedTable)>,
    manifest: &'a Manifest,
    target: Target,
    archive: &'a Path,
}

/// Rows of one part, from the thread that reads.
struct Batch {
    table: usize,
    file: String,
    tuples: Tuples,
}

impl Import<'_> {
    async fn audit(&self, conn: &mut AsyncPgConnection, action: &'static str, made: Value) -> Result<()> {
        let actor = self.platform.actor(conn, self.db).await?;
        let id = self.target.workspace;
        let entry = NewAuditEntry::new(actor, action, WORKSPACES, Some(*id.as_uuid()));
        entry.for_workspace(id).made(&made).insert(conn).await
    }

    /// Records the start in the audit log. An existing workspace must come from an interrupted run of the same import.
    async fn begin(&self, reader: &ArchiveReader) -> Result<()> {
        let id = self.target.workspace;
        self.db
            .platform(async |conn| {
                if self.target.is_there {
                    let last = LastTransfer::of(conn, id).await?;
                    if !last.is_some_and(|last| last.is(BEGIN, reader.id())) {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            format!("the workspace {:?} already exists", self.target.slug),
                        )
                        .remedy("import a copy under another slug, or erase the existing workspace first"));
                    }
                }
                self.audit(conn, BEGIN, json!({ "archive": reader.id(), "slug": self.target.slug })).await
            })
            .await
    }

    async fn write(
        &self,
        reader: ArchiveReader,
        options: ImportOptions,
        on_progress: &(dyn Fn(TransferProgress) + Sync),
    ) -> Result<ImportReport> {
        let archive_id = reader.id().to_owned();
        let is_first = |table: &TableLayout| [PEOPLE, WORKSPACES].contains(&table.name.as_str());
        let (first, mut rest): (Vec<_>, Vec<_>) = self.tables.iter().cloned().partition(|(table, _)| is_first(table));
        // Audit entries can't be deleted again, so they are written last.
        rest.sort_by_key(|(table, _)| !table.is_deletable);
        let (reader, first) = first_rows(reader, first).await?;
        let unusable = unusable_password().await?;
        let people = first.iter().find(|(table, _)| table.name == PEOPLE);
        let people = self
            .db
            .platform(async |conn| match people {
                Some((table, rows)) => people::settle(conn, table, rows, &unusable).await,
                None => Ok(people::People::default()),
            })
            .await?;
        let people_added = people.added.clone();
        let (own_table, own) = first
            .into_iter()
            .find(|(table, _)| table.name == WORKSPACES)
            .ok_or_else(|| Error::invalid("the archive contains no workspace"))?;
        let own = own.into_iter().next().ok_or_else(|| Error::invalid("the archive contains no workspace"))?;
        let mut bulk = self.db.platform_bulk().await?;
        if !self.target.is_there {
            self.write_own(&mut bulk, &own_table, own.clone()).await?;
        }
        let found = self.found(&mut bulk, &rest).await?;
        let adapting = RowAdapter {
            from: self.manifest.workspace,
            to: self.target.workspace,
            people,
            key: options.key,
            tables: tables_of_workspaces(self.layout),
            with_jobs: options.with_jobs,
            suspended_at: self.manifest.taken_at.timestamp_micros() - EPOCH,
            is_own: self.target.is_own,
            left_out: OmittedRows::default(),
            to_invite: BTreeSet::new(),
        };
        let (sender, mut receiver) = mpsc::channel::<Batch>(AHEAD);
        let stages: Vec<Stage> = (0..)
            .zip(&rest)
            .map(|(number, (table, _))| Stage::numbered(table, self.target.workspace, number))
            .collect();
        let cycle = |batch: &Batch| rest.get(batch.table).and_then(|(table, _)| table.cycle);
        let (tables, already) = (rest.clone(), found.clone());
        let thread = tokio::task::spawn_blocking(move || read_rows(reader, &tables, &already, adapting, &sender));
        let of = rest.iter().map(|(_, archived)| archived.rows).sum();
        let mut rows: u64 = found.iter().sum();
        let written = async {
            let mut next = receiver.recv().await;
            while let Some(batch) = next.take() {
                let transaction = bulk.begin().await?;
                let (of_ring, file) = (cycle(&batch), batch.file.clone());
                if of_ring.is_some() {
                    let (mut together, mut more) = (CyclicInsert::new(), Some(batch));
                    while let Some(batch) = more.take() {
                        let Some(stage) = stages.get(batch.table) else { break };
                        rows += batch.tuples.rows;
                        let added = together.add(&transaction, batch.table, stage, batch.tuples).await;
                        added.map_err(|error| self.at(&batch.file, &error))?;
                        next = receiver.recv().await;
                        more = next.take_if(|batch| cycle(batch) == of_ring);
                    }
                    together.write(&transaction).await.map_err(|error| self.at(&file, &error))?;
                } else if let Some(stage) = stages.get(batch.table) {
                    rows += batch.tuples.rows;
                    stage.write(&transaction, batch.tuples).await.map_err(|error| self.at(&file, &error))?;
                    next = receiver.recv().await;
                }
                transaction.commit().await?;
                on_progress(TransferProgress { step: TransferStep::Importing, rows, of });
            }
            Ok::<_, Error>(())
        };
        let written = written.await;
        drop(receiver);
        let read = ended(thread.await);
        written?;
        let (expected, adapted) = read?;
        verify::compare(&mut bulk, self.target.workspace, &rest, &expected, on_progress).await?;
        verify::finish(&mut bulk, &self.target, &own_table, &own, options.stays_archived).await?;
        let report = ImportReport {
            workspace: self.target.workspace,
            slug: self.target.slug.clone(),
            rows: self.manifest.rows(),
            found: found.iter().sum(),
            people_added,
            left_out: adapted.left_out,
            to_invite: adapted.to_invite.into_iter().collect(),
        };
        let told = json!({ "archive": archive_id, "report": report });
        self.db.platform(async |conn| self.audit(conn, DONE, told.clone()).await).await?;
        Ok(report)
    }

    fn at(&self, file: &str, error: &Error) -> Error {
        let kind = match error.kind() {
            // If the database rejects a row, the archive is invalid.
            ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Database => ErrorKind::InvalidInput,
            kind => kind,
        };
        Error::new(kind, format!("{}: {file}: {error}", self.archive.display()))
    }

    /// Writes the workspace's own row, inactive and unpublished.
    async fn write_own(&self, bulk: &mut BulkConnection, table: &TableLayout, mut row: Row) -> Result<()> {
        let mut set = |name, value: &[u8]| table.position(name).into_iter().for_each(|at| row.set(at, Some(value)));
        set("slug", self.target.slug.as_bytes());
        set("is_active", &[0]);
        set("is_published", &[0]);
        let mut tuples = Tuples::new();
        tuples.push(&row)?;
        let transaction = bulk.begin().await?;
        let stage = Stage::of(table, self.target.workspace);
        stage.write(&transaction, tuples).await.map_err(|error| self.at(WORKSPACES, &error))?;
        transaction.commit().await
    }

    /// Counts the rows that each table already has. They are those of complete parts, in the archive's order.
    async fn found(&self, bulk: &mut BulkConnection, tables: &[(TableLayout, ArchivedTable)]) -> Result<Vec<u64>> {
        let mut found = Vec::with_capacity(tables.len());
        let transaction = bulk.begin().await?;
        for (table, _) in tables {
            // The audit log also has other entries. Its count is 0, because writing the same entries again has no effect.
            let count =
                format!("SELECT count(*) FROM {} WHERE workspace_id = $1 AND $2", escape_identifier(&table.name));
            let row = transaction.query_one(&count, &[self.target.workspace.as_uuid(), &table.is_deletable]).await?;
            found.push(row.get::<_, i64>(0).unsigned_abs());
        }
        transaction.commit().await?;
        Ok(found)
    }

    /// Deletes the written rows, as far as possible.
    async fn discard(&self, why: &Error) -> Result<()> {
        delete_rows(self.db, self.layout, self.target.workspace, None, &|_| ()).await?;
        let id = self.target.workspace;
        self.db
            .platform(async |conn| {
                let delete = diesel::sql_query("DELETE FROM workspaces WHERE id = $1").bind::<SqlUuid, _>(id);
                delete.execute(conn).await?;
                self.audit(conn, DISCARD, json!({ "why": why.to_string() })).await
            })
            .await
    }
}

/// Reads the few rows that all others depend on.
async fn first_rows(
    mut reader: ArchiveReader,
    tables: Vec<(TableLayout, ArchivedTable)>,
) -> Result<(ArchiveReader, Vec<(TableLayout, Vec<Row>)>)> {
    let read = move || {
        let mut first = Vec::with_capacity(tables.len());
        for (table, archived) in tables {
            let mut rows = Vec::new();
            for part in &archived.parts {
                reader.rows(&table, part, |row, _| {
                    rows.push(row.clone());
                    Ok(())
                })?;
            }
            first.push((table, rows));
        }
        Ok((reader, first))
    };
    ended(tokio::task::spawn_blocking(read).await)
}

/// Reads rows on a thread, and sends those that are not written yet. Returns the checksums of all expected rows.
fn read_rows(
    mut reader: ArchiveReader,
    tables: &[(TableLayout, ArchivedTable)],
    found: &[u64],
    mut adapting: RowAdapter,
    sender: &mpsc::Sender<Batch>,
) -> Result<(Vec<Digest>, RowAdapter)> {
    let mut expected = Vec::with_capacity(tables.len());
    for (at, ((table, archived), found)) in tables.iter().zip(found).enumerate() {
        let (mut digest, mut rows, mut line) = (Digest::default(), 0, Vec::new());
        for part in &archived.parts {
            let mut tuples = Tuples::new();
            reader.rows(table, part, |row, _| {
                if adapting.row(table, row)? {
                    line.clear();
                    row.write_line(table, &mut line)?;
                    digest.add(&line);
                    tuples.push(row)?;
                }
                Ok(())
            })?;
            rows += tuples.rows;
            let is_new = rows > *found;
            let batch = Batch { table: at, file: part.file.clone(), tuples };
            // The receiver closes the channel only after an error, which it reports itself.
            if is_new && sender.blocking_send(batch).is_err() {
                return Ok((expected, adapting));
            }
        }
        expected.push(digest);
    }
    Ok((expected, adapting))
}
