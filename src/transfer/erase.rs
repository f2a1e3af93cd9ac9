//! Erasure of rows from a database, with a proof that none is left.

use base16ct::lower::encode_string as hex;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use postgres_protocol::escape::escape_identifier;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Transaction;

use super::content::WORKSPACES;
use super::delete::{delete_rows, is_deleted, reject_undeletable};
use super::dependents::{DependentTable, reject_referenced};
use super::layout::Layout;
use super::lock::lock;
use super::person::{self, PERSON, check_person};
use super::progress::{TransferProgress, TransferStep};
use super::receipt::{ErasedRowCounts, ErasureScope, Receipt, ReceiptKey, SignedReceipt};
use super::redact::redact_jobs_of;
use super::selection::Selection;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::models::NewAuditEntry;
use crate::noun::noun_for;
use crate::tenancy::{Actor, Administer, Database, PlatformScope, WorkspaceScope};

/// Deletes a workspace and all of its rows, and returns the signed receipt.
///
/// The workspace is deactivated first. Each batch of rows is deleted in its own transaction, so that other sessions don't
/// wait. Rows that refer to others of their table, as messages do, are deleted in one statement. An interrupted run resumes with the next call. If a receipt was lost, the next call returns it again. At the end,
/// every table that has a `workspace_id` is queried again for rows of the workspace. The workspace's audit entries remain
/// for the platform's retention period, because no login may delete them earlier. The receipt states their number.
///
/// No query can reach deleted rows. They remain in files of the server until a vacuum, and in backups.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace does not exist and was never erased;
/// [`is_conflict`](Error::is_conflict) if another transfer of it runs, or rows are left;
/// [`is_forbidden`](Error::is_forbidden) if the scope's administrator is no longer a superadmin;
/// [`is_unreachable`](Error::is_unreachable), after which the next run resumes.
///
/// ```no_run
/// use workspace_db::id::WorkspaceId;
/// use workspace_db::tenancy::{Database, PlatformScope};
/// use workspace_db::transfer::{ReceiptKey, erase};
///
/// # async fn example(db: &Database, workspace: WorkspaceId, key: &ReceiptKey) -> workspace_db::Result<()> {
/// let platform = PlatformScope::unchecked("the contract has ended");
/// let receipt = erase(db, &platform, workspace, key, &|_| ()).await?;
/// assert!(receipt.verified(&key.public())?.tables.values().all(|rows| rows.left == 0));
/// # Ok(())
/// # }
/// ```
pub async fn erase(
    db: &Database,
    platform: &PlatformScope,
    workspace: WorkspaceId,
    key: &ReceiptKey,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<SignedReceipt> {
    let _held = lock(db, workspace).await?;
    let layout = Layout::of(db).await?;
    let erasing = Erasure { db, layout: &layout, workspace, person: None };
    if let Some(receipt) = erasing.earlier("workspace.erase").await? {
        return erasing.verify_and_sign(receipt, key).await;
    }
    let dependents = erasing.preflight().await?;
    let began = db
        .platform(async |conn| {
            let actor = platform.actor(conn, db).await?;
            let archive = "UPDATE workspaces SET is_active = false, is_published = false WHERE id = $1";
            diesel::sql_query(archive).bind::<SqlUuid, _>(workspace).execute(conn).await?;
            erasing.begin(conn, actor, "workspace.erase_begin", &dependents).await
        })
        .await?;
    erasing.delete(&began, on_progress).await?;
    let receipt = db
        .platform(async |conn| {
            let actor = platform.actor(conn, db).await?;
            // Also deletes rows that were written since: everything that refers to the workspace cascades.
            let delete = diesel::sql_query("DELETE FROM workspaces WHERE id = $1").bind::<SqlUuid, _>(workspace);
            delete.execute(conn).await?;
            erasing.end(conn, actor, "workspace.erase", began).await
        })
        .await?;
    erasing.verify_and_sign(receipt, key).await
}

/// Deletes the rows of one person of the scope's workspace, and returns the signed receipt.
///
/// The rows are the person's conversations with messages and feedback, and their events, as
/// [`export_person`](super::export_person) writes them. Jobs that mention the person by an id have their texts redacted, as by
/// [`redact_person`](super::redact_person). Redact the person first if jobs have a name or an address. Other rows that mention the person, such as a document or an audit entry, remain. Rows are deleted in batches, and the call can be repeated, as with [`erase`]. If the person has no
/// rows, the receipt says so.
///
/// # Errors
///
/// As [`erase`]; [`is_invalid_input`](Error::is_invalid_input) if the id is empty; [`is_conflict`](Error::is_conflict) if an unfinished
/// job or a schedule mentions the person;
/// [`is_not_found`](Error::is_not_found) and [`is_forbidden`](Error::is_forbidden) if the scope's
/// administrator may no longer do this.
pub async fn erase_person(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    external_user_id: &str,
    key: &ReceiptKey,
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<SignedReceipt> {
    check_person(external_user_id)?;
    let workspace = scope.workspace();
    let _held = lock(db, workspace).await?;
    let layout = Layout::of(db).await?;
    let erasing = Erasure { db, layout: &layout, workspace, person: Some(external_user_id) };
    let dependents = erasing.preflight().await?;
    let began = db
        .platform(async |conn| {
            let actor = scope.actor(conn, db).await?;
            // While the rows are there by whose ids the jobs are found.
            redact_jobs_of(conn, workspace, external_user_id).await?;
            erasing.begin(conn, actor, "person.erase_begin", &dependents).await
        })
        .await?;
    erasing.delete(&began, on_progress).await?;
    let receipt = db
        .platform(async |conn| {
            let actor = scope.actor(conn, db).await?;
            erasing.end(conn, actor, "person.erase", began).await
        })
        .await?;
    erasing.verify_and_sign(receipt, key).await
}

/// Rejects a move whose erasure would fail, before anything changes.
pub(super) async fn preflight_erase(db: &Database, workspace: WorkspaceId) -> Result<()> {
    let layout = Layout::of(db).await?;
    DependentTable::reject_unarchived(&Erasure { db, layout: &layout, workspace, person: None }.preflight().await?)
}

/// An erasure of a workspace, or of a person in it.
struct Erasure<'a> {
    db: &'a Database,
    layout: &'a Layout,
    workspace: WorkspaceId,
    person: Option<&'a str>,
}

#[derive(QueryableByName)]
struct RowCount {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[derive(QueryableByName)]
struct Slug {
    #[diesel(sql_type = Text)]
    slug: String,
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct LastAuditEntry {
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Jsonb)]
    after: Value,
}

const LAST: &str = "
SELECT action, after FROM audit_log
WHERE workspace_id = $1 AND action IN ($2, $3) AND after->'erased' = $4
    AND NOT coalesce(after ? 'imported', false)
ORDER BY occurred_at DESC, id DESC LIMIT 1";

impl Erasure<'_> {
    fn selection(&self) -> Selection {
        if self.person.is_some() { Selection::Person } else { Selection::Workspace }
    }

    fn erased(&self) -> ErasureScope {
        self.person.map_or(ErasureScope::Workspace, |person| ErasureScope::Person {
            external_user_id_sha256: hex(&Sha256::digest(person)),
        })
    }

    /// Returns the last audit entry of this erasure with one of the two actions.
    async fn last(&self, conn: &mut AsyncPgConnection, actions: [&str; 2]) -> Result<Option<LastAuditEntry>> {
        let erased = serde_json::to_value(self.erased()).unwrap_or_default();
        let [first, second] = actions;
        let query = diesel::sql_query(LAST)
            .bind::<SqlUuid, _>(self.workspace)
            .bind::<Text, _>(first)
            .bind::<Text, _>(second)
            .bind::<Jsonb, _>(erased);
        Ok(query.get_result(conn).await.optional()?)
    }

    /// Returns the receipt of a completed erasure, or none if the workspace still exists.
    async fn earlier(&self, action: &str) -> Result<Option<Receipt>> {
        self.db
            .platform(async |conn| {
                if self.slug(conn).await?.is_some() {
                    return Ok(None);
                }
                let told = self.last(conn, [action, action]).await?;
                let gone = || Error::new(ErrorKind::NotFound, format!("there is no workspace {}", self.workspace));
                told.map(|told| parsed(told.after)).ok_or_else(gone)?.map(Some)
            })
            .await
    }

    async fn slug(&self, conn: &mut AsyncPgConnection) -> Result<Option<Slug>> {
        let query = diesel::sql_query("SELECT slug, now() AS now FROM workspaces WHERE id = $1");
        Ok(query.bind::<SqlUuid, _>(self.workspace).get_result(conn).await.optional()?)
    }

    /// Counts the rows and records the counts in the audit log, unless an interrupted run has already done so.
    async fn begin(
        &self,
        conn: &mut AsyncPgConnection,
        actor: Actor,
        action: &'static str,
        dependents: &[DependentTable],
    ) -> Result<Receipt> {
        let gone = || Error::new(ErrorKind::NotFound, format!("there is no workspace {}", self.workspace));
        let Slug { slug, now } = self.slug(conn).await?.ok_or_else(gone)?;
        let end = action.trim_end_matches("_begin");
        if let Some(told) = self.last(conn, [action, end]).await?.filter(|told| told.action == action) {
            return parsed(told.after);
        }
        let mut receipt = Receipt {
            erased: self.erased(),
            workspace: self.workspace,
            slug,
            began_at: now,
            ended_at: now,
            schema: self.layout.schema.clone(),
            tables: std::collections::BTreeMap::new(),
            audit_entries_kept: 0,
            audit_entries_kept_days: self.db.retention().audit_days,
        };
        self.count(conn, &mut receipt, |rows, count| {
            rows.before = count;
        })
        .await?;
        for DependentTable { name, rows, .. } in dependents {
            receipt.tables.insert(name.clone(), ErasedRowCounts { before: *rows, left: 0 });
        }
        self.record(conn, actor, action, &receipt).await?;
        Ok(receipt)
    }

    async fn end(
        &self,
        conn: &mut AsyncPgConnection,
        actor: Actor,
        action: &'static str,
        mut receipt: Receipt,
    ) -> Result<Receipt> {
        self.count(conn, &mut receipt, |rows, count| rows.left = count).await?;
        receipt.ended_at = Utc::now();
        self.record(conn, actor, action, &receipt).await?;
        Ok(receipt)
    }

    async fn record(
        &self,
        conn: &mut AsyncPgConnection,
        actor: Actor,
        action: &'static str,
        receipt: &Receipt,
    ) -> Result<()> {
        let entry = NewAuditEntry::new(actor, action, WORKSPACES, Some(*self.workspace.as_uuid()));
        entry.for_workspace(self.workspace).made(receipt).insert(conn).await
    }

    /// Counts the rows of each table, in all of its partitions.
    async fn count(
        &self,
        conn: &mut AsyncPgConnection,
        receipt: &mut Receipt,
        note: impl Fn(&mut ErasedRowCounts, u64),
    ) -> Result<()> {
        if let Some(person) = self.person {
            person::set_for(conn, PERSON, person).await?;
        }
        for table in &self.layout.tables {
            let Some(condition) = self.selection().condition(table, self.workspace) else { continue };
            let query = format!("SELECT count(*) AS rows FROM {} WHERE {condition}", escape_identifier(&table.name));
            let rows = diesel::sql_query(query).get_result::<RowCount>(conn).await?.rows.unsigned_abs();
            if table.is_deletable {
                note(receipt.tables.entry(table.name.clone()).or_insert(ErasedRowCounts { before: 0, left: 0 }), rows);
            } else {
                receipt.audit_entries_kept = rows;
            }
        }
        Ok(())
    }

    /// Rejects an erasure that would fail, before anything changes. The reasons are rows that depend on these but would
    /// remain, and tables that reject a delete. Returns the tables whose rows are deleted with these.
    async fn preflight(&self) -> Result<Vec<DependentTable>> {
        let mut bulk = self.db.platform_bulk().await?;
        let transaction = bulk.begin().await?;
        let dependents = self.dependents(&transaction).await?;
        DependentTable::reject_unerased(&dependents)?;
        reject_referenced(&*transaction, self.layout, self.selection(), self.workspace).await?;
        for table in self.layout.tables.iter().filter(|table| is_deleted(table)) {
            let Some(condition) = self.selection().condition(table, self.workspace) else { continue };
            reject_undeletable(&transaction, table, &condition).await?;
        }
        // The trial deletes are rolled back with the transaction, which ends here.
        Ok(dependents)
    }

    async fn dependents(&self, transaction: &Transaction<'_>) -> Result<Vec<DependentTable>> {
        person::set(transaction, self.person).await?;
        DependentTable::of(transaction, self.layout, self.selection(), self.workspace).await
    }

    /// Counts the rows left in dependent tables. Tables that were counted at the start stay in the receipt.
    async fn count_dependents(&self, receipt: &mut Receipt) -> Result<()> {
        let mut bulk = self.db.platform_bulk().await?;
        let transaction = bulk.begin().await?;
        for one in self.dependents(&transaction).await? {
            receipt.tables.entry(one.name).or_insert(ErasedRowCounts { before: 0, left: 0 }).left = one.rows;
        }
        Ok(())
    }

    async fn delete(&self, receipt: &Receipt, on_progress: &(dyn Fn(TransferProgress) + Sync)) -> Result<()> {
        let of = receipt.tables.values().map(|rows| rows.before).sum();
        let on_rows = |rows| on_progress(TransferProgress { step: TransferStep::Erasing, rows, of });
        delete_rows(self.db, self.layout, self.workspace, self.person, &on_rows).await
    }

    /// Counts the rows of every table again in a separate transaction, and signs the result.
    async fn verify_and_sign(&self, mut receipt: Receipt, key: &ReceiptKey) -> Result<SignedReceipt> {
        let mut asked = receipt.clone();
        self.db.platform(async |conn| self.count(conn, &mut asked, |rows, count| rows.left = count).await).await?;
        receipt.tables = asked.tables;
        self.count_dependents(&mut receipt).await?;
        receipt.audit_entries_kept = asked.audit_entries_kept;
        if let Some((table, rows)) = receipt.tables.iter().find(|(_, rows)| rows.left > 0) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{} {} of {table} remain, or are new", rows.left, noun_for(rows.left, "row")),
            )
            .remedy("stop the sessions that write them, or disable the trigger that keeps them, and erase again"));
        }
        key.sign(&receipt)
    }
}

fn parsed(after: Value) -> Result<Receipt> {
    serde_json::from_value(after).map_err(|error| {
        Error::new(ErrorKind::Database, "an entry of the audit log is not a valid receipt").caused_by(error)
    })
}
