//! Deletion of a workspace's rows, table by table.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::content::{PEOPLE, WORKSPACES};
use super::layout::{Layout, TableLayout};
use super::person;
use super::selection::Selection;
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{BulkConnection, Database};

/// Maximum number of rows that one statement deletes, so that it holds its locks only briefly.
const BATCH: u32 = 5_000;

/// Deletes rows in batches. Rows are deleted before the rows that they refer to.
pub(super) async fn delete_rows(
    db: &Database,
    layout: &Layout,
    workspace: WorkspaceId,
    person: Option<&str>,
    on_rows: &(dyn Fn(u64) + Sync),
) -> Result<()> {
    let selection = if person.is_some() { Selection::Person } else { Selection::Workspace };
    let mut bulk = db.platform_bulk().await?;
    let mut total = 0;
    let mut tables: Vec<&TableLayout> = layout.tables.iter().rev().filter(|table| is_deleted(table)).collect();
    while let Some(table) = tables.first().copied() {
        let of_ring = tables.iter().take_while(|one| table.cycle.is_some() && one.cycle == table.cycle).count();
        if of_ring > 0 {
            let cycle: Vec<&TableLayout> = tables.drain(..of_ring).collect();
            total += delete_together(&mut bulk, &cycle, selection, workspace, person).await?;
            on_rows(total);
            continue;
        }
        tables.remove(0);
        let Some(condition) = selection.condition(table, workspace) else { continue };
        let (name, key) = (escape_identifier(&table.name), table.key());
        let delete = format!(
            "DELETE FROM {name} WHERE {scope} = '{workspace}' AND ({key}) IN (SELECT {key} FROM {name} WHERE {condition} LIMIT {BATCH})",
            scope = escape_identifier(table.scope()),
        );
        loop {
            let transaction = bulk.begin().await?;
            person::set(&transaction, person).await?;
            let rows = Transaction::execute(&transaction, &delete, &[]).await?;
            transaction.commit().await?;
            total += rows;
            on_rows(total);
            if rows < BATCH.into() {
                break;
            }
        }
    }
    Ok(())
}

/// Returns true if an erasure deletes rows of this table directly.
pub(super) fn is_deleted(table: &TableLayout) -> bool {
    table.is_deletable && ![PEOPLE, WORKSPACES].contains(&table.name.as_str())
}

/// Deletes rows of tables that refer to each other in one statement, because foreign keys are checked at its end.
async fn delete_together(
    bulk: &mut BulkConnection,
    cycle: &[&TableLayout],
    selection: Selection,
    workspace: WorkspaceId,
    person: Option<&str>,
) -> Result<u64> {
    let deletes: Vec<(String, String)> = cycle
        .iter()
        .enumerate()
        .filter_map(|(at, table)| {
            let condition = selection.condition(table, workspace)?;
            let delete = format!("DELETE FROM {} WHERE {condition} RETURNING 1", escape_identifier(&table.name));
            Some((format!("d{at} AS ({delete})"), format!("SELECT 1 FROM d{at}")))
        })
        .collect();
    if deletes.is_empty() {
        return Ok(0);
    }
    let (deletes, counts): (Vec<String>, Vec<String>) = deletes.into_iter().unzip();
    let statement =
        format!("WITH {} SELECT count(*) FROM ({}) AS gone", deletes.join(", "), counts.join(" UNION ALL "));
    let transaction = bulk.begin().await?;
    person::set(&transaction, person).await?;
    let rows = transaction.query_one(&statement, &[]).await?.get::<_, i64>(0).unsigned_abs();
    transaction.commit().await?;
    Ok(rows)
}

/// Tries to delete one row and rolls that back. Returns an error if a trigger keeps the row or raises an error.
pub(super) async fn reject_undeletable(
    transaction: &Transaction<'_>,
    table: &TableLayout,
    condition: &str,
) -> Result<()> {
    if !table.has_triggers {
        return Ok(());
    }
    let (name, key) = (escape_identifier(&table.name), table.key());
    let one = format!("SELECT {key} FROM {name} WHERE {condition} LIMIT 1");
    if transaction.query_opt(&format!("SELECT FROM ({one}) AS one"), &[]).await?.is_none() {
        return Ok(());
    }
    transaction.batch_execute("SAVEPOINT trial").await?;
    let tried = Transaction::execute(transaction, &format!("DELETE FROM {name} WHERE ({key}) IN ({one})"), &[]).await;
    transaction.batch_execute("ROLLBACK TO trial").await?;
    let why = match tried {
        Ok(0) => "a trigger prevents it".to_owned(),
        Ok(_) => return Ok(()),
        // The erasure deletes the rows that refer to this row before it.
        Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => return Ok(()),
        Err(error) => Error::from(error).to_string(),
    };
    Err(Error::new(ErrorKind::Conflict, format!("rows of {} can't be deleted: {why}", table.name))
        .remedy("disable the trigger during the erasure with ALTER TABLE ... DISABLE TRIGGER"))
}
