//! The copying of a table in batches, each with the rows that it sets aside and its progress.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use secrecy::SecretString;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::mapping::TableMapping;
use super::published_password;
use super::statements::TableStatements;
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
    pub(super) statements: &'a [TableStatements],
}

impl TableCopier<'_> {
    /// Copies a batch of a table's rows, and records it in the same transaction. Returns the keys of the rows that are not
    /// copied because they are invalid or conflict with others.
    pub(super) async fn batch(&mut self, of: &TableStatements, rows: RowSelection<'_>) -> Result<Vec<Uuid>> {
        let TableMapping { table, key, .. } = of.mapping;
        let mut transaction = self.target.transaction().await?;
        let set = format!("SET LOCAL ROLE {PLATFORM_ROLE}; SET LOCAL TimeZone = 'UTC'; {}", of.stage());
        transaction.batch_execute(&set).await?;
        let (condition, again) = match &rows {
            RowSelection::After(None) => ("true".to_owned(), None),
            RowSelection::After(Some(last)) => (format!("o.{key} > '{last}'"), None),
            RowSelection::Of(keys) => {
                let list = keys.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
                (format!("o.{key} = ANY ('{{{list}}}'::uuid[])"), Some(*keys))
            }
        };
        let query = format!(
            "SELECT {} FROM {}.{table} o WHERE {condition} ORDER BY o.{key} LIMIT {BATCH}",
            of.selected(),
            self.there.old
        );
        let copied = self.there.stage(&query, &transaction, "workspace_db_adopting").await?;
        if let Some(keys) = again {
            let forget = "DELETE FROM workspace_db_adoption.set_aside WHERE table_name = $1 AND key = ANY ($2)";
            Transaction::execute(&transaction, forget, &[table, &keys]).await?;
        }
        let last = format!("SELECT {key} FROM workspace_db_adopting ORDER BY {key} DESC LIMIT 1");
        let last = transaction.query_opt(&last, &[]).await?.map(|row| row.get::<_, Uuid>(0));
        let refused = match copied {
            0 => Vec::new(),
            _ => self.there.write(&mut transaction, of, again.is_some()).await?,
        };
        if again.is_none() {
            let note = "UPDATE workspace_db_adoption.progress SET last_key = coalesce($2, last_key), rows = rows + $3,
                is_copied = $4 WHERE table_name = $1";
            let rows = i64::try_from(copied).unwrap_or(i64::MAX);
            Transaction::execute(&transaction, note, &[table, &last, &rows, &(copied < BATCH as u64)]).await?;
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

    /// Writes the rows that are staged, and returns the keys of those that are set aside. If the database rejects them,
    /// halves are written, down to the rows that it rejects.
    async fn write(
        &self,
        transaction: &mut Transaction<'_>,
        of: &TableStatements,
        comes_again: bool,
    ) -> Result<Vec<Uuid>> {
        let key = of.mapping.key;
        match self.attempt(transaction, of, comes_again).await {
            Err(error) if is_of_a_row(&error) => {}
            done => return done,
        }
        let split = "ALTER TABLE workspace_db_adopting RENAME TO workspace_db_adopting_all;
            CREATE TEMPORARY TABLE workspace_db_adopting (LIKE workspace_db_adopting_all) ON COMMIT DROP";
        transaction.batch_execute(split).await?;
        let keys = format!("SELECT coalesce(array_agg({key} ORDER BY {key}), '{{}}') FROM workspace_db_adopting_all");
        let keys: Vec<Uuid> = transaction.query_one(&keys, &[]).await?.get(0);
        let choose =
            format!("INSERT INTO workspace_db_adopting SELECT * FROM workspace_db_adopting_all WHERE {key} = ANY ($1)");
        let (mut parts, mut refused) = (vec![keys], Vec::new());
        while let Some(part) = parts.pop() {
            transaction.batch_execute("TRUNCATE workspace_db_adopting, workspace_db_adopting_aside").await?;
            Transaction::execute(transaction, &choose, &[&part]).await?;
            match self.attempt(transaction, of, comes_again).await {
                Ok(keys) => refused.extend(keys),
                Err(error) if !is_of_a_row(&error) => return Err(error),
                Err(error) if part.len() <= 1 => {
                    let note = "INSERT INTO workspace_db_adopting_aside SELECT one, $2, false, true, NULL
                        FROM unnest($1::uuid[]) AS one";
                    Transaction::execute(transaction, note, &[&part, &format!("the database rejects it: {error}")])
                        .await?;
                    if comes_again {
                        let delete = format!("DELETE FROM {} WHERE {key} = ANY ($1)", of.mapping.table);
                        Transaction::execute(transaction, &delete, &[&part]).await?;
                    }
                    self.set_aside(transaction, of).await?;
                    refused.extend(part);
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    // The first half is written first, because the earlier of two rows with one key stays.
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
            }
        }
        Ok(refused)
    }

    /// Writes the staged rows within a savepoint.
    async fn attempt(
        &self,
        transaction: &mut Transaction<'_>,
        of: &TableStatements,
        comes_again: bool,
    ) -> Result<Vec<Uuid>> {
        let savepoint = transaction.transaction().await?;
        savepoint.batch_execute(&of.write(comes_again)).await.map_err(|error| refused(of.mapping.table, error))?;
        self.seal(&savepoint, of.mapping).await?;
        self.set_aside(&savepoint, of).await?;
        if of.mapping.table == "admin_users" {
            published_password::require_change(&savepoint).await?;
        }
        let refused = "SELECT coalesce(array_agg(key), '{}') FROM workspace_db_adopting_aside WHERE NOT is_kept";
        let refused = savepoint.query_one(refused, &[]).await?.get(0);
        savepoint.commit().await?;
        Ok(refused)
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
                let sealed = self.sealed(workspace, secret)?;
                let update = format!(
                    "UPDATE {} SET {column} = $3 WHERE workspace_id = $1 AND {} = $2",
                    mapping.table, mapping.key
                );
                Transaction::execute(transaction, &update, &[&workspace, &id, &sealed.as_bytes()]).await?;
            }
        }
        Ok(())
    }

    fn sealed(&self, workspace: Uuid, secret: String) -> Result<SealedSecret> {
        SealedSecret::seal(self.key.ok_or_else(no_key)?, WorkspaceId::from(workspace), &SecretString::from(secret))
    }

    /// Sets aside the rows that were not copied unchanged, each as it is in the source, with the reason.
    async fn set_aside(&self, transaction: &Transaction<'_>, of: &TableStatements) -> Result<()> {
        let mapping = of.mapping;
        if !mapping.repeated.is_empty() {
            self.repeated(transaction, mapping).await?;
        }
        let keys = "SELECT coalesce(array_agg(DISTINCT key), '{}') FROM workspace_db_adopting_aside";
        let keys: Vec<Uuid> = transaction.query_one(keys, &[]).await?.get(0);
        if keys.is_empty() {
            return Ok(());
        }
        let secrets = mapping.sealed.iter().map(|column| [", o.workspace_id, o.", column].concat()).collect::<String>();
        let whole = format!(
            "SELECT o.{0}, {1}{secrets} FROM {2}.{3} o WHERE o.{0} = ANY ($1)",
            mapping.key,
            of.old_row(),
            self.old,
            mapping.table
        );
        let (mut ids, mut old_rows) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for row in self.client.query(&whole, &[&keys]).await? {
            let mut old_row: String = row.get(1);
            for (number, column) in mapping.sealed.iter().enumerate() {
                let (workspace, secret): (Option<Uuid>, Option<String>) =
                    (row.get(2 + 2 * number), row.get(3 + 2 * number));
                if let (Some(workspace), Some(secret), true) = (workspace, secret, old_row.ends_with('}')) {
                    let sealed = BASE64.encode(self.sealed(workspace, secret)?.as_bytes());
                    old_row.truncate(old_row.len() - 1);
                    old_row.extend([r#",""#, column, r#"":{"sealed":""#, &sealed, r#""}}"#]);
                }
            }
            ids.push(row.get::<_, Uuid>(0));
            old_rows.push(old_row);
        }
        let insert =
            "INSERT INTO workspace_db_adoption.set_aside (table_name, key, reason, is_kept, is_relative, old_row)
            SELECT $1, a.key, a.reason, a.is_kept, a.is_relative, old.old_row::json FROM workspace_db_adopting_aside a
            JOIN unnest($2::uuid[], $3::text[]) AS old (key, old_row) ON old.key = a.key ON CONFLICT DO NOTHING";
        Transaction::execute(transaction, insert, &[&mapping.table, &ids, &old_rows]).await?;
        Ok(())
    }

    /// Notes the settings that differ from the workspace's own columns.
    async fn repeated(&self, transaction: &Transaction<'_>, mapping: &TableMapping) -> Result<()> {
        for column in mapping.repeated {
            let keys = format!("SELECT coalesce(array_agg({}), '{{}}') FROM workspace_db_adopting", mapping.key);
            let keys: Vec<Uuid> = transaction.query_one(&keys, &[]).await?.get(0);
            let others = format!(
                "SELECT o.{0} FROM {1}.{2} o JOIN {1}.workspaces w ON w.id = o.workspace_id
                 WHERE o.{0} = ANY ($1) AND o.{column}::text <> w.{column}::text",
                mapping.key, self.old, mapping.table
            );
            let others: Vec<Uuid> = self.client.query(&others, &[&keys]).await?.iter().map(|row| row.get(0)).collect();
            let insert = "INSERT INTO workspace_db_adopting_aside SELECT one, $2, true, true, NULL
                FROM unnest($1::uuid[]) AS one";
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

/// Returns true if a value of a row causes the error: SQLSTATE classes 22 (data exception), 23 (integrity constraint
/// violation) and 54 (program limit exceeded, such as the size of an index entry).
fn is_of_a_row(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(database) = cause.downcast_ref::<tokio_postgres::Error>() {
            return database
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)));
        }
        source = cause.source();
    }
    false
}

/// Returns the error of a batch that the database rejected.
fn refused(table: &str, error: tokio_postgres::Error) -> Error {
    let detail =
        error.as_db_error().and_then(|said| said.detail()).map(|detail| format!(" ({detail})")).unwrap_or_default();
    let error = Error::from(error);
    Error::new(error.kind(), format!("{table}: {error}{detail}")).caused_by(error)
}
