//! The copying of a table in batches, each with the rows that it sets aside and its progress.

use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use secrecy::SecretString;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::mapping::TableMapping;
use workspace_db::db::roles::PLATFORM_ROLE;
use workspace_db::id::WorkspaceId;
use workspace_db::sql_types::{SealedSecret, SecretKey};
use workspace_db::{Error, ErrorKind, Result};

/// Maximum number of rows in a batch, which is one transaction; about 16 MB of chunks.
const BATCH: usize = 2_000;

/// Selection of a batch's rows.
pub(super) enum RowSelection<'a> {
    /// Rows after a key.
    After(Option<Uuid>),
    /// Rows with these keys, which may already exist in the target.
    Of(&'a [Uuid]),
}

/// Database of the old platform.
#[derive(Clone, Copy)]
pub(super) struct SourceDatabase<'a> {
    pub(super) client: &'a Client,
    /// Schema of its tables, quoted.
    pub(super) old: &'a str,
    /// Key for sealing its secrets.
    pub(super) key: Option<&'a SecretKey>,
}

/// Source and target of a copy.
pub(super) struct TableCopier<'a> {
    pub(super) there: SourceDatabase<'a>,
    pub(super) target: &'a mut Client,
}

impl TableCopier<'_> {
    /// Copies a batch of a table's rows, and records it in the same transaction. Returns the keys of the rows that are not
    /// copied because they are invalid or conflict with others.
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
        let query = format!(
            "SELECT {} FROM {}.{table} o WHERE {condition} ORDER BY o.{} LIMIT {BATCH}",
            mapping.selected(),
            self.there.old,
            mapping.key
        );
        let copied = self.there.stage(&query, &transaction, "workspace_db_adopting").await?;
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
    /// Copies the rows of a query into a temporary table of the target, and returns their number.
    pub(super) async fn stage(&self, query: &str, target: &Transaction<'_>, table: &str) -> Result<u64> {
        let from = self.client.copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT BINARY)")).await?;
        let copy_in = format!("COPY {table} FROM STDIN (FORMAT BINARY)");
        let into = target.copy_in::<_, bytes::Bytes>(&copy_in).await?;
        pin_mut!(from, into);
        while let Some(bytes) = from.try_next().await? {
            into.feed(bytes).await?;
        }
        Ok(into.finish().await?)
    }

    /// Seals the secrets of the rows that were just written, which the source has in plain text.
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

    /// Sets aside the rows that were not copied unchanged, each as it is in the source, with the reason.
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
    /// Notes the settings that differ from the workspace's own columns.
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
            let reason = format!("its {column} differs from that of the workspace, which is used");
            Transaction::execute(transaction, insert, &[&others, &reason]).await?;
        }
        Ok(())
    }
}

pub(super) fn no_key() -> Error {
    Error::new(ErrorKind::MissingPrerequisite, "secrets in plain text can't be adopted without the key that seals them")
        .remedy("set WORKSPACE_DB_SECRET_KEY to the base64 of 32 bytes: openssl rand -base64 32")
}

/// Returns the error of a batch that the database rejected.
fn refused(table: &str, error: tokio_postgres::Error) -> Error {
    let detail =
        error.as_db_error().and_then(|said| said.detail()).map(|detail| format!(" ({detail})")).unwrap_or_default();
    let error = Error::from(error);
    Error::new(error.kind(), format!("{table}: {error}{detail}")).caused_by(error)
}
