//! An archive into a database.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::adapt::{OmittedRows, RowAdapter, tables_of_workspaces};
use super::delete::delete_rows;
use super::digest::Digest;
use super::layout::{Layout, PEOPLE, TableLayout, WORKSPACES, identifier};
use super::manifest::{ArchiveScope, ArchivedTable, Manifest};
use super::people;
use super::read::ArchiveReader;
use super::row::{EPOCH, Row};
use super::stage::{CyclicInsert, Stage, Tuples};
use super::target::{BEGIN, DISCARD, DONE, LastTransfer, Target};
use super::{TransferProgress, TransferStep, ended, lock};
use crate::auth::unusable_password;
use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
use crate::models::NewAuditEntry;
use crate::sql_types::{SecretKey, Slug};
use crate::tenancy::{BulkConnection, Database, PlatformScope};

/// Parts that wait for being written.
const AHEAD: usize = 1;

/// How an archive is imported.
#[derive(Debug, Default)]
pub struct ImportOptions {
    /// Beside the original, under this slug: everything gets a new id, and the workspace stays out of use until it is
    /// restored. Without it everything is what it was.
    pub beside_as: Option<Slug>,
    /// What webhook secrets are sealed with. A copy has another id, for which they are sealed anew; without the key it has none.
    pub key: Option<SecretKey>,
    /// Leaves the workspace out of use, whatever it was.
    pub stays_archived: bool,
    /// Has jobs that are not finished run here, schedules fire, and takes over rows that no workspace may write: where the
    /// operator made the archive. Else these jobs come cancelled, schedules stopped, and those rows are left out.
    pub with_jobs: bool,
    /// Takes an id of which the audit log here tells already, as of a workspace that was erased, from an archive that was
    /// written elsewhere.
    pub restores: bool,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug.
    pub slug: String,
    /// Rows of the archive.
    pub rows: u64,
    /// Rows that an earlier run had written already.
    pub found: u64,
    /// Emails of administrators who were not known here: each has an account now, without a password.
    pub people_added: Vec<String>,
    /// Rows that were not taken over, or not as they are.
    pub left_out: OmittedRows,
    /// Emails of members who have to be invited again: a membership counts once it was accepted here.
    #[serde(default)]
    pub to_invite: Vec<String>,
}

/// Writes the rows of an archive, once all of it has been read and found whole.
///
/// Meanwhile the workspace is out of use: nobody enters it and none of its jobs is claimed. At the end everything is
/// read again and compared with what was to be written. A run that was killed is gone on with by the next of the same
/// archive. Where anything in it is refused, what was written is deleted again, but for entries of the audit log.
/// An archive is content, whoever made it: jobs that are not finished come cancelled and schedules stopped, unless
/// [`with_jobs`](ImportOptions::with_jobs) says otherwise; tokens and invitations are left out; entries of the audit log say
/// that they were imported. Members are found by their email; whoever is not known here gets an account without a password.
/// A membership counts once it was accepted here, which it was where this database wrote the archive itself.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input), with the place, where the archive is cut off, was changed, is of a later
/// version, has something that this database does not know, or holds one person alone;
/// [`is_conflict`](Error::is_conflict) where the workspace or its slug is there, where the audit log tells of a workspace of
/// that id and not of this archive, or another transfer of it runs;
/// [`is_forbidden`](Error::is_forbidden) where the scope's superadmin is none any more;
/// [`is_unreachable`](Error::is_unreachable), after which the next run goes on.
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
        return Err(Error::invalid(format!("{}: it holds one person's rows, and no workspace", archive.display())));
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
            "{}: it was taken at {}, which is to come",
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
        // The next run goes on from here.
        Err(error) if error.is_unreachable() || error.is_exhausted() => Err(error),
        Err(error) => {
            import.discard(&error).await?;
            Err(error)
        }
        done => done,
    }
}

/// Reads everything, before anything is written.
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
            // Nobody listens any more where the import was dropped, and then nobody minds.
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

pub(super) struct Import<'a> {
    db: &'a Database,
    platform: &'a PlatformScope,
    layout: &'a Layout,
    tables: Vec<(TableLayout, ArchivedTable)>,
    manifest: &'a Manifest,
    pub(super) target: Target,
    archive: &'a Path,
}

/// What the thread that reads hands over.
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
        entry.of(id).made(&made).insert(conn).await
    }

    /// Writes down what is about to be done. A workspace that is there must be one that an earlier run of this began.
    async fn begin(&self, reader: &ArchiveReader) -> Result<()> {
        let id = self.target.workspace;
        self.db
            .platform(async |conn| {
                if self.target.is_there {
                    let last = LastTransfer::of(conn, id).await?;
                    if !last.is_some_and(|last| last.is(BEGIN, reader.id())) {
                        return Err(Error::new(
                            Kind::Conflict,
                            format!("the workspace {:?} is there already", self.target.slug),
                        )
                        .remedy("import it beside under another slug, or erase that one first"));
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
        // Entries of the audit log can't be taken back, so they are written when everything else is.
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
            .ok_or_else(|| Error::invalid("the archive holds no workspace"))?;
        let own = own.into_iter().next().ok_or_else(|| Error::invalid("the archive holds no workspace"))?;
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
        self.compare(&mut bulk, &rest, &expected, on_progress).await?;
        self.finish(&mut bulk, &own_table, &own, options.stays_archived).await?;
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
            // What the database refuses of the archive is wrong with the archive.
            Kind::Conflict | Kind::NotFound | Kind::Database => Kind::InvalidInput,
            kind => kind,
        };
        Error::new(kind, format!("{}: {file}: {error}", self.archive.display()))
    }

    /// Writes the workspace's own row, out of use.
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

    /// How many rows of each table are there already: those of whole parts, in the archive's order.
    async fn found(&self, bulk: &mut BulkConnection, tables: &[(TableLayout, ArchivedTable)]) -> Result<Vec<u64>> {
        let mut found = Vec::with_capacity(tables.len());
        let transaction = bulk.begin().await?;
        for (table, _) in tables {
            // In the audit log are others, and there the same rows may come twice.
            let count = format!("SELECT count(*) FROM {} WHERE workspace_id = $1 AND $2", identifier(&table.name));
            let row = transaction.query_one(&count, &[self.target.workspace.as_uuid(), &table.is_deletable]).await?;
            found.push(row.get::<_, i64>(0).unsigned_abs());
        }
        transaction.commit().await?;
        Ok(found)
    }

    /// Deletes what was written, as far as it can be.
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

/// The few rows that everything else depends on.
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

/// The thread that reads: hands over what is not there yet, and returns the checksums of all that should be.
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
            // Whoever hangs up has failed, and says why.
            if is_new && sender.blocking_send(batch).is_err() {
                return Ok((expected, adapting));
            }
        }
        expected.push(digest);
    }
    Ok((expected, adapting))
}
