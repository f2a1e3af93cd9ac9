//! The copying of rows that were written in the source meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::copy::{RowSelection, TableCopier};
use super::mapping::TableMapping;
use super::state;
use super::statements::TableStatements;
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
    ///
    /// Rows that were set aside because of other rows come again if these changed, or always with `rechecks`.
    pub(super) async fn catch_up(&mut self, rechecks: bool) -> Result<CatchUpRound> {
        let mut done = CatchUpRound::default();
        // The next round starts from this point, so it also finds rows that are written during this round.
        let horizon = state::horizon(self.there.client).await?;
        let statements = self.statements;
        // Tables with rows that were copied or deleted in this round.
        let mut touched: HashSet<&str> = HashSet::new();
        for of in statements.iter().rev() {
            let gone = self.delete_gone(of).await?;
            done.gone += gone;
            if gone > 0 {
                touched.insert(of.mapping.table);
            }
        }
        let mut refused: HashMap<&str, Vec<Uuid>> = HashMap::new();
        let mut workspaces: Vec<Uuid> = Vec::new();
        for of in statements {
            let mapping = of.mapping;
            let since = state::progress(&*self.target, mapping.table).await?.horizon;
            let changed = self.changed(mapping, since).await?;
            done.changed += changed.len() as u64;
            if mapping.table == "workspaces" {
                workspaces.clone_from(&changed);
            }
            let mut keys: BTreeSet<Uuid> = changed.into_iter().collect();
            if !mapping.repeated.is_empty() {
                // Their values are compared with those of the workspace.
                keys.extend(&workspaces);
            }
            let of_workspace = of.has_column("workspace_id").then_some(("workspace_id", "workspaces"));
            let refers: Vec<(&str, &str)> = mapping.refers.iter().copied().chain(of_workspace).collect();
            for (column, parent) in &refers {
                if let Some(parents) = refused.get(parent) {
                    keys.extend(self.referring(mapping, column, parents).await?);
                }
            }
            let depends_on = refers.iter().map(|(_, parent)| *parent).chain([mapping.table]);
            if rechecks || !keys.is_empty() || depends_on.into_iter().any(|table| touched.contains(table)) {
                keys.extend(state::set_aside_for_others(&*self.target, mapping.table).await?);
            }
            if !keys.is_empty() {
                touched.insert(mapping.table);
            }
            refused.insert(mapping.table, self.copy_again(of, keys.into_iter().collect()).await?);
        }
        state::set_horizon(&*self.target, horizon).await?;
        Ok(done)
    }

    /// Copies rows that may exist already, and returns the keys of those that are set aside.
    pub(super) async fn copy_again(&mut self, of: &TableStatements, keys: Vec<Uuid>) -> Result<Vec<Uuid>> {
        self.park(of, &keys).await?;
        let mut refused = Vec::new();
        for keys in keys.chunks(BATCH) {
            refused.extend(self.batch(of, RowSelection::Of(keys)).await?);
        }
        Ok(refused)
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

    async fn park(&mut self, of: &TableStatements, keys: &[Uuid]) -> Result<()> {
        let Some(park) = of.park().filter(|_| !keys.is_empty()) else { return Ok(()) };
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

    async fn delete_gone(&mut self, of: &TableStatements) -> Result<u64> {
        let (table, key) = (of.mapping.table, of.mapping.key);
        let scope = if of.has_column("workspace_id") { "workspace_id" } else { key };
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
        let forgotten = Transaction::execute(&transaction, forget, &[&table]).await?;
        transaction.commit().await?;
        Ok(gone.max(forgotten))
    }
}
