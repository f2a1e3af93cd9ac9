//! Rows of one table, batch by batch, each with what is kept aside of it and how far that is.

use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use secrecy::SecretString;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::tables::TableMapping;
use crate::db::roles::PLATFORM_ROLE;
use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
use crate::sql_types::{SealedSecret, SecretKey};

/// Rows of a batch, which is a transaction: of chunks some 16 MB.
const BATCH: usize = 2_000;

/// Which rows a batch takes.
pub(super) enum RowSelection<'a> {
    /// Those behind a key.
    After(Option<Uuid>),
    /// Those of these keys, which may be here already.
    Of(&'a [Uuid]),
}

/// The old platform.
#[derive(Clone, Copy)]
pub(super) struct SourceDatabase<'a> {
    pub(super) client: &'a Client,
    /// The schema of its tables, quoted.
    pub(super) old: &'a str,
    /// What its secrets are sealed with.
    pub(super) key: Option<&'a SecretKey>,
}

/// From there into which database.
pub(super) struct TableCopier<'a> {
    pub(super) there: SourceDatabase<'a>,
    pub(super) target: &'a mut Client,
}

impl TableCopier<'_> {
    /// Takes over at most so many rows of a table, in one transaction with what is noted of it, and returns the keys
    /// of those that could not be.
    pub(super) async fn batch(&mut self, mapping: &TableMapping, rows: RowSelection<'_>) -> Result<Vec<Uuid>> {
        let table = mapping.table;
        let transaction = self.target.transaction().await?;
        let set = format!("SET LOCAL ROLE {PLATFORM_ROLE}; SET LOCAL TimeZone = 'UTC'; {}", mapping.stage());
        transaction.batch_execute(&set).await?;
        let (condition, again) = match &rows {
            RowSelection::After(None) => ("true".to_owned(), None),
            RowSelection::After(Some(last)) => (format!("o.{} > '{last}'", mapping.key), None),
            RowSelection::Of(keys) => {
                let list = keys.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
                (format!("o.{} = ANY ('{{{list}}}'::uuid[])", mapping.key), Some(*keys))
            }
        };
        let copy = format!(
            "COPY (SELECT {} FROM {}.{table} o WHERE {condition} ORDER BY o.{} LIMIT {BATCH}) TO STDOUT (FORMAT BINARY)",
            mapping.selected(),
            self.there.old,
            mapping.key
        );
        let from = self.there.client.copy_out(&copy).await?;
        let into =
            transaction.copy_in::<_, bytes::Bytes>("COPY workspace_db_adopting FROM STDIN (FORMAT BINARY)").await?;
        pin_mut!(from, into);
        while let Some(bytes) = from.try_next().await? {
            into.feed(bytes).await?;
        }
        let copied = into.finish().await?;
        if let Some(keys) = again {
            let forget = "DELETE FROM workspace_db_adoption.set_aside WHERE table_name = $1 AND key = ANY ($2)";
            Transaction::execute(&transaction, forget, &[&table, &keys]).await?;
        }
        if copied > 0 {
            transaction.batch_execute(&mapping.write(again.is_some())).await.map_err(|error| refused(table, error))?;
            self.there.seal(&transaction, mapping).await?;
            self.there.set_aside(&transaction, mapping).await?;
        }
        let refused = "SELECT coalesce(array_agg(key), '{}') FROM workspace_db_adopting_aside WHERE NOT is_kept";
        let refused: Vec<Uuid> = transaction.query_one(refused, &[]).await?.get(0);
        let last = format!("SELECT {0} FROM workspace_db_adopting ORDER BY {0} DESC LIMIT 1", mapping.key);
        let last = transaction.query_opt(&last, &[]).await?.map(|row| row.get::<_, Uuid>(0));
        if again.is_none() {
            let note = "UPDATE workspace_db_adoption.progress SET last_key = coalesce($2, last_key), rows = rows + $3,
                is_copied = $4 WHERE table_name = $1";
            let rows = i64::try_from(copied).unwrap_or(i64::MAX);
            Transaction::execute(&transaction, note, &[&table, &last, &rows, &(copied < BATCH as u64)]).await?;
        }
        transaction.commit().await?;
        Ok(refused)
    }
}

impl SourceDatabase<'_> {
    /// Seals what was in the clear, in the rows that were just written.
    async fn seal(&self, transaction: &Transaction<'_>, mapping: &TableMapping) -> Result<()> {
        for column in mapping.sealed {
            let keys = format!("SELECT coalesce(array_agg({}), '{{}}') FROM workspace_db_adopting", mapping.key);
            let keys: Vec<Uuid> = transaction.query_one(&keys, &[]).await?.get(0);
            let secrets = format!(
                "SELECT {0}, workspace_id, {column} FROM {1}.{2} WHERE {0} = ANY ($1) AND {column} IS NOT NULL",
                mapping.key, self.old, mapping.table
            );
            for row in self.client.query(&secrets, &[&keys]).await? {
                let (id, workspace, secret): (Uuid, Uuid, String) = (row.get(0), row.get(1), row.get(2));
                let key = self.key.ok_or_else(no_key)?;
                let sealed = SealedSecret::seal(key, WorkspaceId::from(workspace), &SecretString::from(secret))?;
                let update = format!(
                    "UPDATE {} SET {column} = $3 WHERE workspace_id = $1 AND {} = $2",
                    mapping.table, mapping.key
                );
                Transaction::execute(transaction, &update, &[&workspace, &id, &sealed.as_bytes()]).await?;
            }
        }
        Ok(())
    }

    /// Keeps the rows that were not taken over as they are, each as it is there, with the reason.
    async fn set_aside(&self, transaction: &Transaction<'_>, mapping: &TableMapping) -> Result<()> {
        if !mapping.repeated.is_empty() {
            self.repeated(transaction, mapping).await?;
        }
        let aside = transaction.query("SELECT key, reason, is_kept FROM workspace_db_adopting_aside", &[]).await?;
        if aside.is_empty() {
            return Ok(());
        }
        let keys: Vec<Uuid> = aside.iter().map(|row| row.get(0)).collect();
        let whole = format!(
            "SELECT {0}, to_jsonb(o)::text FROM {1}.{2} o WHERE {0} = ANY ($1)",
            mapping.key, self.old, mapping.table
        );
        let whole: std::collections::HashMap<Uuid, String> =
            self.client.query(&whole, &[&keys]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
        let insert = "INSERT INTO workspace_db_adoption.set_aside (table_name, key, reason, is_kept, old_row)
            VALUES ($1, $2, $3, $4, $5::text::jsonb) ON CONFLICT DO NOTHING";
        for row in &aside {
            let (key, reason, is_kept): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
            let old_row = whole.get(&key).map_or("null", String::as_str);
            Transaction::execute(transaction, insert, &[&mapping.table, &key, &reason, &is_kept, &old_row]).await?;
        }
        Ok(())
    }
}

impl SourceDatabase<'_> {
    /// What settings say otherwise than their workspace does.
    async fn repeated(&self, transaction: &Transaction<'_>, mapping: &TableMapping) -> Result<()> {
        for column in mapping.repeated {
            let keys = format!("SELECT coalesce(array_agg({}), '{{}}') FROM workspace_db_adopting", mapping.key);
            let keys: Vec<Uuid> = transaction.query_one(&keys, &[]).await?.get(0);
            let others = format!(
                "SELECT o.{0} FROM {1}.{2} o JOIN {1}.workspaces w ON w.id = o.workspace_id
                 WHERE o.{0} = ANY ($1) AND o.{column} <> w.{column}",
                mapping.key, self.old, mapping.table
            );
            let others: Vec<Uuid> = self.client.query(&others, &[&keys]).await?.iter().map(|row| row.get(0)).collect();
            let insert = "INSERT INTO workspace_db_adopting_aside SELECT one, $2, true FROM unnest($1::uuid[]) AS one";
            let reason = format!("its {column} is another than that of the workspace, which holds");
            Transaction::execute(transaction, insert, &[&others, &reason]).await?;
        }
        Ok(())
    }
}

pub(super) fn no_key() -> Error {
    Error::new(Kind::MissingPrerequisite, "secrets in the clear can't be taken over without the key that seals them")
        .remedy("set WORKSPACE_DB_SECRET_KEY to the base64 of 32 bytes: openssl rand -base64 32")
}

/// Of a batch that the database refused.
fn refused(table: &str, error: tokio_postgres::Error) -> Error {
    let detail =
        error.as_db_error().and_then(|said| said.detail()).map(|detail| format!(" ({detail})")).unwrap_or_default();
    let error = Error::from(error);
    Error::new(error.kind(), format!("{table}: {error}{detail}")).caused_by(error)
}
