//! Move of a workspace from one database into another.

use std::path::Path;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Jsonb, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::{PEOPLE, WORKSPACES};
use super::erase::{erase, preflight_erase};
use super::export::export;
use super::import::import;
use super::import_options::ImportOptions;
use super::import_report::ImportReport;
use super::layout::Layout;
use super::manifest::{ArchiveScope, Manifest};
use super::progress::{TransferProgress, TransferStep};
use super::read::inspected;
use super::receipt::{ReceiptKey, SignedReceipt};
use super::scan::NO_TIMEOUTS;
use super::selection::Selection;
use super::target::imported;
use super::verify::digest_of;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::models::NewAuditEntry;
use crate::tenancy::{Database, PlatformScope, WorkspaceScope};

const BEGIN: &str = "workspace.move_begin";
const COMPARED: &str = "workspace.move_compared";

/// Time for which sessions that had access before may still write: a scope's permission is checked once per second.
const LAST_WRITES: Duration = Duration::from_millis(1_100);

/// Database, and the proof that the caller may administer it.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseSide<'a> {
    /// Database of this side.
    pub db: &'a Database,
    /// Scope of the platform of the same database.
    pub platform: &'a PlatformScope,
}

/// Result of a move.
#[derive(Debug, Serialize)]
pub struct RelocationReport {
    /// Report of the import.
    pub imported: ImportReport,
    /// Receipt that no rows are left in the source.
    pub receipt: SignedReceipt,
}

/// Moves a workspace from one database into another.
///
/// The workspace is deactivated, exported, imported, compared, activated in the target and erased in the source. The archive
/// remains in its place, and is one more copy of all rows. An interrupted run resumes if you call this again with the same
/// archive. The source is erased only if checksums show that the archive has every row of it, and the target has every row
/// of the archive.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if the target already has the workspace or its slug, or if rows were written after
/// the archive was created; the errors of [`export`], [`import`] and [`erase`].
///
/// ```no_run
/// use std::path::Path;
/// use workspace_db::id::WorkspaceId;
/// use workspace_db::tenancy::{Database, PlatformScope};
/// use workspace_db::transfer::{ReceiptKey, DatabaseSide, relocate};
///
/// # async fn example(here: Database, there: Database, workspace: WorkspaceId, key: &ReceiptKey) -> workspace_db::Result<()> {
/// let platform = PlatformScope::unchecked("to its own server");
/// let (from, to) = (DatabaseSide { db: &here, platform: &platform }, DatabaseSide { db: &there, platform: &platform });
/// let moved = relocate(from, to, workspace, Path::new("acme.tar"), key, &|_| ()).await?;
/// println!("{} rows", moved.imported.rows);
/// # Ok(())
/// # }
/// ```
pub async fn relocate(
    from: DatabaseSide<'_>,
    to: DatabaseSide<'_>,
    workspace: WorkspaceId,
    archive: &Path,
    key: &ReceiptKey,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<RelocationReport> {
    preflight_erase(from.db, workspace).await?;
    let before = from.deactivate(workspace).await?;
    if before.is_some() && !archive.exists() {
        tokio::time::sleep(LAST_WRITES).await;
        let scope = WorkspaceScope::unchecked_administer(workspace, "it is being moved");
        export(from.db, &scope, archive, on_progress).await?;
    }
    let (manifest, archive_id) = inspected(archive).await?;
    if manifest.workspace != workspace || manifest.holds != ArchiveScope::Workspace {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("{} is not an archive of this workspace", archive.display()),
        )
        .remedy("choose another file for the archive"));
    }
    let report = if let Some(report) = imported(to.db, workspace, &archive_id).await? {
        report
    } else {
        // The rows are compared with the source's before the workspace is activated.
        let options =
            ImportOptions { stays_archived: true, with_jobs: true, restores: true, ..ImportOptions::default() };
        import(to.db, to.platform, archive, options, on_progress).await?;
        // Another session may have replaced the file since it was inspected.
        imported(to.db, workspace, &archive_id).await?.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("{} was replaced during the import", archive.display()))
        })?
    };
    if let Some(before) = before {
        // A run that was interrupted during the erasure has already compared, and the source has fewer rows now.
        if before.compared.as_deref() != Some(archive_id.as_str()) {
            from.compare(&manifest, archive, on_progress).await?;
            from.note(workspace, COMPARED, &PriorState { compared: Some(archive_id), ..before.clone() }).await?;
        }
        to.activate(workspace, &before).await?;
    }
    let receipt = erase(from.db, from.platform, workspace, key, on_progress).await?;
    Ok(RelocationReport { imported: report, receipt })
}

/// State of a workspace before a move, and the id of the archive that was found to contain all of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PriorState {
    is_active: bool,
    is_published: bool,
    compared: Option<String>,
}

#[derive(QueryableByName)]
struct WorkspaceFlags {
    #[diesel(sql_type = Bool)]
    is_active: bool,
    #[diesel(sql_type = Bool)]
    is_published: bool,
}

#[derive(QueryableByName)]
struct AuditPayload {
    #[diesel(sql_type = Jsonb)]
    after: Value,
}

/// Query for the last audit entry of a move, unless the workspace was archived or restored since.
const LAST_BEGUN: &str = "
SELECT after FROM (
    SELECT action, after FROM audit_log
    WHERE workspace_id = $1 AND NOT coalesce(after ? 'imported', false)
        AND action IN ('workspace.move_begin', 'workspace.move_compared', 'workspace.archive', 'workspace.restore')
    ORDER BY occurred_at DESC, id DESC LIMIT 1
) AS last WHERE action LIKE 'workspace.move%'";

impl DatabaseSide<'_> {
    /// Deactivates the workspace and returns its state before. Returns none if this database no longer has it.
    async fn deactivate(self, workspace: WorkspaceId) -> Result<Option<PriorState>> {
        self.db
            .platform(async |conn| {
                let query = "SELECT is_active, is_published FROM workspaces WHERE id = $1 FOR NO KEY UPDATE";
                let now: Option<WorkspaceFlags> =
                    diesel::sql_query(query).bind::<SqlUuid, _>(workspace).get_result(conn).await.optional()?;
                let Some(WorkspaceFlags { is_active, is_published }) = now else { return Ok(None) };
                let now = PriorState { is_active, is_published, compared: None };
                if !is_active {
                    let last = diesel::sql_query(LAST_BEGUN).bind::<SqlUuid, _>(workspace);
                    let last: Option<AuditPayload> = last.get_result(conn).await.optional()?;
                    return Ok(Some(last.and_then(|told| serde_json::from_value(told.after).ok()).unwrap_or(now)));
                }
                set_use(conn, workspace, false, is_published).await?;
                self.record(conn, workspace, BEGIN, &now).await?;
                Ok(Some(now))
            })
            .await
    }

    async fn activate(self, workspace: WorkspaceId, before: &PriorState) -> Result<()> {
        self.db
            .platform(async |conn| {
                set_use(conn, workspace, before.is_active, before.is_published).await?;
                self.record(conn, workspace, "workspace.move", before).await
            })
            .await
    }

    async fn note(self, workspace: WorkspaceId, action: &'static str, before: &PriorState) -> Result<()> {
        self.db.platform(async |conn| self.record(conn, workspace, action, before).await).await
    }

    async fn record(
        self,
        conn: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        action: &'static str,
        before: &PriorState,
    ) -> Result<()> {
        let actor = self.platform.actor(conn, self.db).await?;
        let entry = NewAuditEntry::new(actor, action, WORKSPACES, Some(*workspace.as_uuid()));
        entry.for_workspace(workspace).made(before).insert(conn).await
    }

    /// Verifies that the workspace's rows in this database are those of the archive.
    async fn compare(
        self,
        manifest: &Manifest,
        archive: &Path,
        on_progress: &(dyn Fn(TransferProgress) + Sync),
    ) -> Result<()> {
        let mut bulk = self.db.platform_bulk().await?;
        let transaction = bulk.begin().await?;
        let begin = format!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {NO_TIMEOUTS}");
        transaction.batch_execute(&begin).await?;
        let layout = Layout::read(&*transaction).await?;
        let mut rows = 0;
        // Compares all tables of this database, not only those in the archive: rows that the archive lacks would be erased.
        for table in layout.tables.iter().filter(|table| table.is_deletable && table.name != WORKSPACES) {
            let differs = || {
                let what = format!("rows of {} were written after {} was made", table.name, archive.display());
                Error::new(ErrorKind::Conflict, format!("{what}, or the archive lacks some rows")).remedy(
                    "erase the workspace in the target database, remove the archive, and move the workspace again",
                )
            };
            let condition = match table.name.as_str() {
                PEOPLE => Some(layout.people_of(manifest.workspace)),
                _ => Selection::Workspace.condition(table, manifest.workspace),
            };
            let Some(condition) = condition else { continue };
            let archived = manifest.tables.iter().find(|archived| archived.name == table.name).ok_or_else(differs)?;
            if !archived.columns.iter().eq(table.columns.iter().map(|column| &column.name))
                || digest_of(&transaction, table, &condition).await? != archived.digest
            {
                return Err(differs());
            }
            rows += archived.rows;
            on_progress(TransferProgress { step: TransferStep::Verifying, rows, of: manifest.rows() });
        }
        Ok(())
    }
}

async fn set_use(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    is_active: bool,
    is_published: bool,
) -> Result<()> {
    let update = diesel::sql_query("UPDATE workspaces SET is_active = $2, is_published = $3 WHERE id = $1")
        .bind::<SqlUuid, _>(workspace)
        .bind::<Bool, _>(is_active)
        .bind::<Bool, _>(is_published);
    update.execute(conn).await?;
    Ok(())
}
