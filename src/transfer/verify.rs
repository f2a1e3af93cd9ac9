//! Comparison of the written rows with the expected checksums.

use futures_util::{TryStreamExt as _, pin_mut};
use tokio_postgres::Transaction;

use super::content::WORKSPACES;
use super::digest::Digest;
use super::layout::TableLayout;
use super::manifest::ArchivedTable;
use super::progress::{TransferProgress, TransferStep};
use super::row::Row;
use super::scan::{NO_TIMEOUTS, read_into, rows_of};
use super::selection::Selection;
use super::stage::{disable_triggers, enable_triggers};
use super::target::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::BulkConnection;

/// Reads the written rows again, and compares their checksums with the expected ones.
pub(super) async fn compare(
    bulk: &mut BulkConnection,
    workspace: WorkspaceId,
    tables: &[(TableLayout, ArchivedTable)],
    expected: &[Digest],
    on_progress: &(dyn Fn(TransferProgress) + Sync),
) -> Result<()> {
    let transaction = bulk.begin().await?;
    let begin = format!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {NO_TIMEOUTS}");
    transaction.batch_execute(&begin).await?;
    let of = tables.iter().map(|(_, archived)| archived.rows).sum();
    let mut rows = 0;
    for ((table, archived), expected) in tables.iter().zip(expected) {
        // Each batch of the audit log was compared when it was written.
        if table.is_deletable {
            let found = digest_of_workspace(&transaction, table, workspace).await?;
            if found != *expected {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "the rows of {} differ from the written rows: another session has changed them",
                        table.name
                    ),
                ));
            }
        }
        rows += archived.rows;
        on_progress(TransferProgress { step: TransferStep::Verifying, rows, of });
    }
    Ok(())
}

/// Activates and publishes the workspace if it was, unless it is a copy or stays archived. Compares its own row.
pub(super) async fn finish(
    bulk: &mut BulkConnection,
    target: &Target,
    table: &TableLayout,
    own: &Row,
    stays_archived: bool,
) -> Result<()> {
    let mut row = own.clone();
    if let Some(at) = table.position("slug") {
        row.set(at, Some(target.slug.as_bytes()));
    }
    let was = |name| table.position(name).and_then(|at| own.get(at)) == Some(&[1]);
    let is_active = was("is_active") && !target.is_copy && !stays_archived;
    let is_published = was("is_published") && !target.is_copy && !stays_archived;
    for (name, value) in [("is_active", is_active), ("is_published", is_published)] {
        if let Some(at) = table.position(name) {
            row.set(at, Some(&[u8::from(value)]));
        }
    }
    let transaction = bulk.begin().await?;
    let disabled = disable_triggers(&transaction, table.has_triggers.then_some(WORKSPACES)).await?;
    let update = "UPDATE workspaces SET is_active = $2, is_published = $3 WHERE id = $1";
    Transaction::execute(&transaction, update, &[target.workspace.as_uuid(), &is_active, &is_published]).await?;
    enable_triggers(&transaction, disabled).await?;
    let (mut line, mut expected) = (Vec::new(), Digest::default());
    row.write_line(table, &mut line)?;
    expected.add(&line);
    if digest_of_workspace(&transaction, table, target.workspace).await? != expected {
        return Err(Error::new(ErrorKind::Conflict, "the row of the workspace differs from the written row"));
    }
    transaction.commit().await
}

/// Returns the checksum of a workspace's rows in a table.
async fn digest_of_workspace(
    transaction: &Transaction<'_>,
    table: &TableLayout,
    workspace: WorkspaceId,
) -> Result<Digest> {
    match Selection::Workspace.condition(table, workspace) {
        Some(condition) => digest_of(transaction, table, &condition).await,
        None => Ok(Digest::default()),
    }
}

/// Returns the checksum of a table's rows that meet a condition.
pub(super) async fn digest_of(transaction: &Transaction<'_>, table: &TableLayout, condition: &str) -> Result<Digest> {
    let (mut digest, mut row, mut line) = (Digest::default(), Row::default(), Vec::new());
    let rows = rows_of(transaction, table, condition).await?;
    pin_mut!(rows);
    while let Some(read) = rows.try_next().await? {
        read_into(&mut row, &read, table)?;
        line.clear();
        row.write_line(table, &mut line)?;
        digest.add(&line);
    }
    Ok(digest)
}
