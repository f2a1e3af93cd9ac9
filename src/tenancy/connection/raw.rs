//! Diesel's connection for raw SQL.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel_async::{
    AnsiTransactionManager, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection, TransactionManager as _,
};

use super::async_func::AsyncFunc;
use super::load::{LoadsAs, load_each};
use crate::db::{Pool, PooledConnection};
use crate::error::{Error, Result as Loaded};
use crate::tenancy::scope::DatabaseToken;
use crate::unreadable::Readable;

/// Connection for raw SQL and for Diesel's own queries. [`RunQueryDsl`](diesel_async::RunQueryDsl) and
/// [`batch_execute`](SimpleAsyncConnection::batch_execute) work on it.
///
/// [`under_row_security`](crate::tenancy::WorkspaceConnection::under_row_security) and
/// [`across_workspaces`](crate::tenancy::Database::across_workspaces) lend it for one call, after which the underlying
/// connection is closed. This type hides that connection: code can't take it out or leave anything behind to observe
/// it. If code swaps two of these connections, the call returns an error.
///
/// ```
/// use diesel::prelude::*;
/// use diesel_async::RunQueryDsl;
/// use workspace_db::schema::documents;
/// use workspace_db::tenancy::RawConnection;
///
/// async fn titles(conn: &mut RawConnection) -> QueryResult<Vec<String>> {
///     documents::table.select(documents::title).load(conn).await
/// }
/// ```
pub struct RawConnection {
    /// Connection; `None` only after it was given back.
    conn: Option<PooledConnection>,
    pool: Pool,
    /// Database that it sees as a whole; `None` if it sees one workspace.
    database: Option<DatabaseToken>,
    /// Number of savepoints whose work has not ended. Work that was cut short leaves its part of the changes.
    open_savepoints: u32,
}

impl RawConnection {
    pub(super) fn new(conn: PooledConnection, pool: Pool, database: Option<DatabaseToken>) -> Self {
        Self { conn: Some(conn), pool, database, open_savepoints: 0 }
    }

    /// Returns the token of the database that it sees as a whole.
    pub(super) fn database(&self) -> Loaded<DatabaseToken> {
        self.database.ok_or_else(|| {
            Error::misuse("an action of the platform was called on a connection that sees one workspace")
                .remedy("pass the `Database`, or the connection of `Database::across_workspaces`")
        })
    }

    /// Runs an action of this crate behind a savepoint, like [`transaction`](Self::transaction).
    pub(super) async fn behind_savepoint<'a, F, R>(&mut self, work: F) -> Loaded<R>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Loaded<R>
            + AsyncFunc<&'c mut AsyncPgConnection, Loaded<R>, Fut: Send>
            + Send
            + 'a,
        R: Send,
    {
        self.begin_savepoint().await?;
        let done = work(self.inner_mut()).await;
        self.end_savepoint(done).await
    }

    async fn begin_savepoint(&mut self) -> QueryResult<()> {
        self.open_savepoints += 1;
        AnsiTransactionManager::begin_transaction(self.inner_mut()).await
    }

    async fn end_savepoint<R, E: From<diesel::result::Error>>(&mut self, done: Result<R, E>) -> Result<R, E> {
        match done {
            Ok(value) => {
                AnsiTransactionManager::commit_transaction(self.inner_mut()).await?;
                self.open_savepoints -= 1;
                Ok(value)
            }
            Err(error) => {
                AnsiTransactionManager::rollback_transaction(self.inner_mut()).await?;
                self.open_savepoints -= 1;
                Err(error)
            }
        }
    }

    /// Returns true if work behind a savepoint was cut short, so that the transaction has a part of its changes.
    pub(super) fn is_cut_short(&self) -> bool {
        self.open_savepoints > 0
    }

    pub(super) fn give_back(mut self) -> Option<PooledConnection> {
        self.conn.take()
    }

    fn inner_mut(&mut self) -> &mut AsyncPgConnection {
        // Only `give_back` empties it, and `give_back` consumes the value.
        self.conn.as_deref_mut().unwrap_or_else(|| unreachable!("a returned connection was used"))
    }

    /// Runs `work` behind a savepoint. If `work` returns an error, its changes are rolled back.
    ///
    /// # Errors
    ///
    /// The error of `work`, or Diesel's error if the savepoint can't be created or ended.
    ///
    /// ```no_run
    /// use diesel_async::RunQueryDsl;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(db: &Database) -> workspace_db::Result<()> {
    /// db.across_workspaces("a language has got another tag", async |conn| {
    ///     let renamed = conn
    ///         .transaction(async |conn| {
    ///             diesel::sql_query("UPDATE workspaces SET default_language = 'nb' WHERE default_language = 'no'")
    ///                 .execute(conn)
    ///                 .await
    ///         })
    ///         .await;
    ///     Ok::<_, workspace_db::Error>(renamed?)
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<'a, F, R, E>(&mut self, work: F) -> Result<R, E>
    where
        for<'r> F:
            AsyncFnOnce(&'r mut Self) -> Result<R, E> + AsyncFunc<&'r mut Self, Result<R, E>, Fut: Send> + Send + 'a,
        R: Send,
        E: From<diesel::result::Error> + Send,
    {
        self.begin_savepoint().await?;
        let done = work(self).await;
        self.end_savepoint(done).await
    }
}

impl RawConnection {
    /// Returns each row of a query, or the reason why it can't be read. One tenant's row must not hide the others'
    /// rows.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::Document;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(db: &Database) -> workspace_db::Result<()> {
    /// let rows = db
    ///     .across_workspaces("some documents of the platform", async |conn| {
    ///         conn.load_each::<Document>(Document::query().limit(50)).await
    ///     })
    ///     .await?;
    /// for row in rows {
    ///     match row {
    ///         Ok(document) => println!("{}", document.title),
    ///         Err(unreadable) => eprintln!("{unreadable}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_each<U: Send + 'static>(&mut self, query: impl LoadsAs<U> + Send) -> Loaded<Vec<Readable<U>>> {
        load_each(query, self.inner_mut()).await
    }
}

/// Abandons the connection of work that was cut short, because its statement may still run.
impl Drop for RawConnection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.abandon(conn);
        }
    }
}

impl std::fmt::Debug for RawConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawConnection")
    }
}

impl SimpleAsyncConnection for RawConnection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.inner_mut().batch_execute(query).await
    }
}

impl AsyncConnectionCore for RawConnection {
    type ExecuteFuture<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::ExecuteFuture<'conn, 'query>;
    type LoadFuture<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::LoadFuture<'conn, 'query>;
    type Stream<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Stream<'conn, 'query>;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'conn, 'query>;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        AsyncConnectionCore::load(self.inner_mut(), source)
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        self.inner_mut().execute_returning_count(source)
    }
}
