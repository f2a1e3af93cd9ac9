//! The copying of rows that were written in the source meanwhile.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::copy::{RowSelection, TableCopier};
use super::mapping::TableMapping;
use super::state;
use super::tables::TABLES;
use workspace_db::Result;
use workspace_db::db::roles::PLATFORM_ROLE;

/// Number of keys in a batch, the same as the number of rows in a batch of the copy.
const BATCH: usize = 2_000;

/// Result of one round of catching up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CatchUpRound {
    /// Number of rows that are or may be new or changed. During a long transaction these are all rows since its start.
    pub changed: u64,
    /// Number of rows that were deleted in the source.
    pub gone: u64,
}

impl TableCopier<'_> {
    /// Copies changed rows, and deletes rows that the source no longer has. The transaction id of a row shows when it
    /// changed, so the source needs no triggers.
    pub(super) async fn catch_up(&mut self) -> Result<CatchUpRound> {
        let mut done = CatchUpRound::default();
        // The next round starts from this point, so it also finds rows that are written during this round.
        let horizon = state::horizon(self.there.client).await?;
        for mapping in TABLES.iter().rev() {
            done.gone += self.delete_gone(mapping).await?;
        }
        let mut refused: HashMap<&str, Vec<Uuid>> = HashMap::new();
        for mapping in TABLES {
            let since = state::progress(&*self.target, mapping.table).await?.horizon;
            let changed = self.changed(mapping, since).await?;
            done.changed += changed.len() as u64;
            let mut keys: BTreeSet<Uuid> = changed.into_iter().collect();
            // Rows that were set aside may be valid now, and rows that they refer to may have been deleted.
            keys.extend(state::set_aside(&*self.target, mapping.table).await?);
            for (column, parent) in mapping.refers {
                if let Some(parents) = refused.get(parent) {
                    keys.extend(self.referring(mapping, column, parents).await?);
                }
            }
            let keys: Vec<Uuid> = keys.into_iter().collect();
            self.park(mapping, &keys).await?;
            for keys in keys.chunks(BATCH) {
                refused.entry(mapping.table).or_default().extend(self.batch(mapping, RowSelection::Of(keys)).await?);
            }
            let note = "UPDATE workspace_db_adoption.progress SET horizon = $2 WHERE table_name = $1";
            self.target.execute(note, &[&mapping.table, &horizon]).await?;
        }
        Ok(done)
    }

    /// Returns the keys of the rows that transactions from `since` on wrote. A transaction id in a row has 32 bits and wraps
    /// around; rows with ids below 3 are frozen.
    async fn changed(&self, mapping: &TableMapping, since: i64) -> Result<Vec<Uuid>> {
        let query = format!(
            "SELECT coalesce(array_agg({0}), '{{}}') FROM {1}.{2}
             WHERE ((xmin::text::bigint - $1) & 4294967295) < 2147483648 AND xmin::text::bigint > 2",
            mapping.key, self.there.old, mapping.table
        );
        Ok(self.there.client.query_one(&query, &[&since]).await?.get(0))
    }

    async fn park(&mut self, mapping: &TableMapping, keys: &[Uuid]) -> Result<()> {
        let Some(park) = mapping.park() else { return Ok(()) };
        let transaction = self.target.transaction().await?;
        transaction.batch_execute(&format!("SET LOCAL ROLE {PLATFORM_ROLE}")).await?;
        Transaction::execute(&transaction, &park, &[&keys]).await?;
        Ok(transaction.commit().await?)
    }

    async fn referring(&self, mapping: &TableMapping, column: &str, parents: &[Uuid]) -> Result<Vec<Uuid>> {
        let query = format!(
            "SELECT coalesce(array_agg({}), '{{}}') FROM {}.{} WHERE {column} = ANY ($1)",
            mapping.key, self.there.old, mapping.table
        );
        Ok(self.there.client.query_one(&query, &[&parents]).await?.get(0))
    }

    async fn delete_gone(&mut self, mapping: &TableMapping) -> Result<u64> {
        let (table, key) = (mapping.table, mapping.key);
        let scope =
            if mapping.columns.iter().any(|column| column.name == "workspace_id") { "workspace_id" } else { key };
        let transaction = self.target.transaction().await?;
        let set = format!(
            "SET LOCAL ROLE {PLATFORM_ROLE};
             CREATE TEMPORARY TABLE workspace_db_there (key uuid, scope uuid) ON COMMIT DROP"
        );
        transaction.batch_execute(&set).await?;
        let keys = format!("SELECT {key}, {scope} FROM {}.{table}", self.there.old);
        self.there.stage(&keys, &transaction, "workspace_db_there").await?;
        transaction.batch_execute("ANALYZE workspace_db_there").await?;
        let delete = format!(
            "DELETE FROM {table} n WHERE NOT EXISTS (
                SELECT FROM workspace_db_there t WHERE t.key = n.{key} AND t.scope = n.{scope})"
        );
        let gone = Transaction::execute(&transaction, &delete, &[]).await?;
        let forget = "DELETE FROM workspace_db_adoption.set_aside a WHERE table_name = $1
            AND NOT EXISTS (SELECT FROM workspace_db_there t WHERE t.key = a.key)";
        Transaction::execute(&transaction, forget, &[&table]).await?;
        transaction.commit().await?;
        Ok(gone)
    }
}
