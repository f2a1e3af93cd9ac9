//! Connection that sees one workspace.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use futures_util::future::BoxFuture;

use super::async_func::AsyncFunc;
use super::raw::RawConnection;
use super::raw_transaction::RawTransaction;
use super::reason;
use super::transactional::{TransactionGuard, Transactional, TransactionalConnection};
use crate::config::{SearchLimits, Timeouts};
use crate::db::roles::{APP_ROLE, Login};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::tenancy::access::{Access, AccessLevel, Write};
use crate::tenancy::compile_errors::RunsUnscopedQueries;
use crate::tenancy::scope::private::Sealed;
use crate::tenancy::scope::{DatabaseToken, ProvesWorkspace};

/// Connection that sees and changes the rows of one workspace.
/// [`Database::workspace`](crate::tenancy::Database::workspace) lends it.
///
/// It is **not** a Diesel connection: `documents::table.load(&mut ws)` does not compile. Only a
/// [scoped](crate::tenancy::InWorkspace::in_workspace) query runs on it, as a method of the query. Every statement runs
/// in a transaction that has set the workspace for PostgreSQL's row-level security.
///
/// `A` is the access of the scope. With [`Read`](crate::tenancy::Read), no statement that changes rows compiles. Each
/// transaction is also read-only in PostgreSQL, so a lock (`for_update`) fails.
///
/// A statement outside of [`transaction`](Self::transaction) has its own transaction. If a future is dropped before it
/// ends, the connection is lost and the workspace stays isolated. The next statement gets a fresh connection from the
/// pool.
pub struct WorkspaceConnection<A: Access = Write> {
    inner: TransactionalConnection,
    workspace: WorkspaceId,
    database: DatabaseToken,
    search_limits: SearchLimits,
    /// `BEGIN`, which can be read-only.
    begin: &'static str,
    /// SQL that a transaction in the workspace runs after its `BEGIN`, without the timeouts.
    settings: String,
    timeouts: Timeouts,
    access: PhantomData<A>,
}

/// Returns the SQL that a transaction in a workspace runs after its `BEGIN`.
///
/// A UUID consists of hexadecimal digits and dashes, so nothing needs to be escaped. A bound value would take one more
/// message.
pub(super) fn settings_of(app: &Login, workspace: WorkspaceId, level: AccessLevel) -> String {
    let role = if level == AccessLevel::Read { app.reader() } else { APP_ROLE };
    format!("; SET LOCAL app.workspace_id = '{workspace}'{}", app.drop_to(role))
}

impl<A: Access> WorkspaceConnection<A> {
    /// Wraps a connection, whose transactions then begin with `begin`, `settings` and `timeouts`.
    pub(super) fn new(
        inner: TransactionalConnection,
        workspace: WorkspaceId,
        database: DatabaseToken,
        search_limits: SearchLimits,
        begin: &'static str,
        settings: String,
        timeouts: Timeouts,
    ) -> Self {
        let mut ws = Self { inner, workspace, database, search_limits, begin, settings, timeouts, access: PhantomData };
        ws.set_timeouts(timeouts);
        ws
    }

    /// Sets the timeouts from the next transaction on, in place of those with which the database was opened.
    ///
    /// ```no_run
    /// use workspace_db::config::Timeouts;
    /// use workspace_db::tenancy::WorkspaceConnection;
    ///
    /// # fn example(ws: &mut WorkspaceConnection) {
    /// // A report that reads all of the workspace, by night.
    /// ws.set_timeouts(Timeouts::NONE);
    /// # }
    /// ```
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
        let begin = format!("{}{}{}", self.begin, self.settings, timeouts.sql());
        self.inner.begin_with(begin, timeouts.idle_in_transaction);
    }

    /// Returns the workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.inner.is_in_transaction()
    }

    pub(super) fn begin(&self) -> &'static str {
        self.begin
    }

    /// Returns the SQL of [`settings_of`].
    pub(super) fn settings(&self) -> &str {
        &self.settings
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Returns the token of the database to which it is connected.
    pub(crate) fn database(&self) -> DatabaseToken {
        self.database
    }

    /// Returns the limits of searches with which the database was opened.
    pub(crate) fn search_limits(&self) -> SearchLimits {
        self.search_limits
    }

    /// Sends a notification on a channel of the database, after the commit of an open transaction or else at once.
    pub(crate) fn notify(&mut self, channel: &'static str, message: impl Into<String>) {
        self.inner.notify((channel, message.into()));
    }

    /// Runs one of this crate's own statements that writes rows which a scope can't write. Row-level security applies.
    pub(crate) async fn internal<R>(
        &mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.inner.statement(start).await
    }

    /// Rejects a query that is bound to another workspace than this connection.
    pub(crate) fn check(&self, workspace: WorkspaceId) -> Result<()> {
        if workspace == self.workspace {
            return Ok(());
        }
        Err(Error::misuse(format!(
            "the query is scoped to workspace {workspace}, but its connection to {}",
            self.workspace
        ))
        .remedy("use the same scope for both"))
    }

    /// Runs `work` in a transaction. If `work` returns an error, the transaction is rolled back.
    ///
    /// Within another transaction, it creates a savepoint. Do not keep a transaction open during slow work, such as
    /// the generation of an answer. A scope is cheap: open another connection with it afterwards.
    ///
    /// # Errors
    ///
    /// The error of `work`; [`is_unreachable`](Error::is_unreachable) if the connection is lost;
    /// [`is_interrupted`](Error::is_interrupted) if one of its statements was cut short and `work` returned `Ok`.
    /// After a loss nothing was changed, unless the message says that the connection was lost during the commit.
    ///
    /// ```no_run
    /// use workspace_db::models::{NewConversation, NewMessage};
    /// use workspace_db::schema::{conversations, messages};
    /// use workspace_db::sql_types::MessageRole;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// ws.transaction(async |tx| {
    ///     let conversation = NewConversation::default();
    ///     let message = NewMessage::new(conversation.id, MessageRole::User, "When do you open?");
    ///     conversations::table.in_workspace(&tx).insert(&conversation).execute(tx).await?;
    ///     messages::table.in_workspace(&tx).insert(&message).execute(tx).await
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<'a, F, R, E>(&mut self, work: F) -> Result<R, E>
    where
        for<'c> F:
            AsyncFnOnce(&'c mut Self) -> Result<R, E> + AsyncFunc<&'c mut Self, Result<R, E>, Fut: Send> + Send + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        self.transaction_by(None, work).await
    }

    /// Runs `work` in a transaction that begins by this SQL, if it is given.
    pub(super) async fn transaction_by<'a, F, R, E>(&mut self, begin: Option<&str>, work: F) -> Result<R, E>
    where
        for<'c> F:
            AsyncFnOnce(&'c mut Self) -> Result<R, E> + AsyncFunc<&'c mut Self, Result<R, E>, Fut: Send> + Send + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        let transaction = TransactionGuard::begin_with(self, begin).await?;
        let done = work(transaction.conn).await;
        transaction.end_with(done).await
    }

    /// Lends a connection for SQL that a scoped query can't express. It is one of the two calls that leave the scope.
    ///
    /// Row-level security still applies: `work` sees and changes only this workspace. It runs in a transaction (a
    /// savepoint within one) and must leave it open. When the transaction ends, the connection is closed, which costs
    /// a connection. So no temporary table, cursor, lock, setting or prepared statement reaches the next tenant. The
    /// reason is logged (`tracing`): at the level `INFO` the first time in the process, then at `DEBUG`.
    ///
    /// It protects against mistakes and not against malice. SQL that sets `app.workspace_id` enters that workspace, so
    /// never run text that a tenant wrote. PostgreSQL itself shows every login some data of others:
    ///
    /// - the statements of the same login in `pg_stat_activity`, with their literals;
    /// - large objects, which have no policies;
    /// - the planner's estimates in `EXPLAIN`, which come from statistics of whole tables;
    /// - names and sizes in the catalog.
    ///
    /// A superuser can revoke the first two with
    /// [`restricted_functions_sql`](crate::db::roles::restricted_functions_sql).
    ///
    /// # Errors
    ///
    /// The error of `work`; the errors of [`transaction`](Self::transaction);
    /// [`is_interrupted`](Error::is_interrupted) if `work` has ended the transaction that it was lent, even if it
    /// began another.
    ///
    /// ```no_run
    /// use diesel::sql_types::{BigInt, Text};
    /// use diesel_async::RunQueryDsl;
    /// use workspace_db::tenancy::WorkspaceConnection;
    ///
    /// #[derive(diesel::QueryableByName)]
    /// struct Word {
    ///     #[diesel(sql_type = Text)]
    ///     word: String,
    ///     #[diesel(sql_type = BigInt)]
    ///     documents: i64,
    /// }
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let words: Vec<Word> = ws
    ///     .under_row_security("ts_stat has no counterpart in Diesel", async |conn| {
    ///         let query = "SELECT word, ndoc::bigint AS documents FROM ts_stat('SELECT to_tsvector(title) FROM documents')";
    ///         Ok::<_, workspace_db::Error>(diesel::sql_query(query).load(conn).await?)
    ///     })
    ///     .await?;
    /// # drop(words);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn under_row_security<'a, F, R, E>(&mut self, reason: &str, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFnOnce(&'c mut RawConnection) -> Result<R, E>
            + AsyncFunc<&'c mut RawConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        reason::log(reason, Some(self.workspace));
        let local = self.local_settings().await?;
        let settings = format!("{}{}{local}", self.settings, self.timeouts.sql());
        let (loan, mut raw) = RawTransaction::begin(self, None).await?;
        let done = work(&mut raw).await;
        loan.end_with(raw, &settings, done).await
    }

    /// Lends the connection to this crate's own statements, which leave no state behind. Unlike
    /// [`under_row_security`](Self::under_row_security), it writes no log and keeps the connection.
    pub(crate) async fn internal_sql<'a, F, R, E>(&mut self, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<R, E>
            + AsyncFunc<&'c mut AsyncPgConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        let transaction = TransactionGuard::begin(self).await?;
        let done = work(transaction.conn.inner.connection()?).await;
        transaction.end_with(done).await
    }
}

// Diesel accepts every type that dereferences to a connection. No type meets this condition: see `compile_errors`.
impl<A: Access> Deref for WorkspaceConnection<A>
where
    for<'a> Self: RunsUnscopedQueries<'a>,
{
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        self.connection()
    }
}

impl<A: Access> DerefMut for WorkspaceConnection<A>
where
    for<'a> Self: RunsUnscopedQueries<'a>,
{
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        self.connection_mut()
    }
}

impl<A: Access> Sealed for WorkspaceConnection<A> {}

impl<A: Access> ProvesWorkspace for WorkspaceConnection<A> {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl<A: Access> Transactional for WorkspaceConnection<A> {
    fn transactional(&mut self) -> &mut TransactionalConnection {
        &mut self.inner
    }
}

impl<A: Access> fmt::Debug for WorkspaceConnection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceConnection({})", self.workspace)
    }
}
