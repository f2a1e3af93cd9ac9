//! Diesel's connection as raw SQL gets it.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel_async::{
    AnsiTransactionManager, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection, TransactionManager as _,
};

use super::async_func::AsyncFunc;
use super::run::{LoadsAs, load_each};
use crate::db::{Pool, PooledConnection};
use crate::error::Result as Loaded;
use crate::unreadable::Readable;

/// A connection for raw SQL and for Diesel's own queries, on which [`RunQueryDsl`](diesel_async::RunQueryDsl) and
/// [`batch_execute`](SimpleAsyncConnection::batch_execute) work.
///
/// [`under_row_security`](super::WorkspaceConnection::under_row_security) and
/// [`across_workspaces`](super::Database::across_workspaces) lend it for one piece of work, after which the connection
/// beneath is closed. It is not that connection: nothing can be taken out of it or left behind to watch it, and two that
/// change places are noticed.
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
    /// Empty only once it was given back.
    conn: Option<PooledConnection>,
    pool: Pool,
}

impl RawConnection {
    pub(super) fn new(conn: PooledConnection, pool: Pool) -> Self {
        Self { conn: Some(conn), pool }
    }

    pub(super) fn give_back(mut self) -> Option<PooledConnection> {
        self.conn.take()
    }

    fn beneath(&mut self) -> &mut AsyncPgConnection {
        // `give_back` alone empties it, and takes the whole.
        self.conn.as_deref_mut().unwrap_or_else(|| unreachable!("a connection that was given back is used"))
    }

    /// Runs `work` behind a savepoint: all of it is kept, or where it returns an error, nothing.
    ///
    /// # Errors
    ///
    /// What `work` returns, and Diesel's error where the savepoint can't be made or ended.
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
        AnsiTransactionManager::begin_transaction(self.beneath()).await?;
        match work(self).await {
            Ok(value) => {
                AnsiTransactionManager::commit_transaction(self.beneath()).await?;
                Ok(value)
            }
            Err(error) => {
                AnsiTransactionManager::rollback_transaction(self.beneath()).await?;
                Err(error)
            }
        }
    }
}

impl RawConnection {
    /// All rows of a query, each that can't be read as the reason why: one tenant's row must not keep the others' out.
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
        load_each(query, self.beneath()).await
    }
}

/// Work that was cut short leaves a statement running.
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
        self.beneath().batch_execute(query).await
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
        AsyncConnectionCore::load(self.beneath(), source)
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        self.beneath().execute_returning_count(source)
    }
}
