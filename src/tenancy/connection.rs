//! A connection that sees one workspace.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use futures_util::future::BoxFuture;

use super::Database;
use super::access::{Access, AccessLevel, Write};
use super::async_func::AsyncFunc;
use super::raw::RawConnection;
use super::raw_transaction::RawTransaction;
use super::scope::{DatabaseToken, WorkspaceScope};
use super::session::{HasSession, PooledSession, TransactionGuard};
use crate::config::{SearchLimits, Timeouts};
use crate::db::roles::APP_ROLE;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// A connection that sees and changes the rows of one workspace. [`Database::workspace`] lends it.
///
/// It is **not** a Diesel connection: `documents::table.load(&mut ws)` does not compile, only a query that is
/// [scoped](super::InWorkspace::in_workspace) runs on it, as a method of the query. Beneath, every statement runs in a
/// transaction that has the workspace set for PostgreSQL's row-level security.
///
/// `A` is what the scope may do: with [`Read`](super::Read) no statement that changes rows compiles, and each transaction is
/// read-only for PostgreSQL too, so that a lock (`for_update`) fails there.
///
/// A statement outside of [`transaction`](Self::transaction) has a transaction of its own. A future that is dropped
/// half-way costs the connection, never the isolation: the next statement gets a fresh one from the pool.
pub struct WorkspaceConnection<A: Access = Write> {
    pub(super) session: PooledSession,
    workspace: WorkspaceId,
    database: DatabaseToken,
    search_limits: SearchLimits,
    /// SQL that a transaction in the workspace sets behind its `BEGIN`, without the timeouts.
    settings: String,
    timeouts: Timeouts,
    access: PhantomData<A>,
}

/// What a transaction in a workspace sets, behind its `BEGIN`.
///
/// A UUID is written in hexadecimal digits and dashes, so there is nothing to escape; and one message is one message
/// fewer than a bound value would take.
pub(super) fn settings_of(database: &Database, workspace: WorkspaceId, level: AccessLevel) -> String {
    let role = if level == AccessLevel::Read { database.app().reader() } else { APP_ROLE };
    format!("; SET LOCAL app.workspace_id = '{workspace}'{}", database.app().drop_to(role))
}

impl<A: Access> WorkspaceConnection<A> {
    pub(super) async fn new(database: &Database, scope: &WorkspaceScope<A>) -> Result<Self> {
        let workspace = scope.workspace();
        let settings = settings_of(database, workspace, A::LEVEL);
        let share = database.acquire_connection_permit(workspace).await?;
        let session = PooledSession::new(database.app().pool(), String::new(), scope.fence()).await?;
        let timeouts = database.timeouts();
        let mut ws = Self {
            session: session.with_notifier(database.notifier()).with_connection_permit(share),
            workspace,
            database: database.token(),
            search_limits: database.search_limits(),
            settings,
            timeouts,
            access: PhantomData,
        };
        ws.set_timeouts(timeouts);
        Ok(ws)
    }

    /// Ends what takes longer than that, from the next transaction on, in place of what the database was opened with.
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
        let begin = format!("{}{}{}", A::BEGIN, self.settings, timeouts.sql());
        self.session.begin_with(begin, timeouts.idle_in_transaction);
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Which of this process's databases it is a connection to.
    pub(crate) fn database(&self) -> DatabaseToken {
        self.database
    }

    /// The bounds of searches that the database was opened with.
    pub(crate) fn search_limits(&self) -> SearchLimits {
        self.search_limits
    }

    /// Says something on a channel of the database once what is open has been committed, or at once.
    pub(crate) fn notify(&mut self, channel: &'static str, message: impl Into<String>) {
        self.session.notify((channel, message.into()));
    }

    /// Runs a statement of this crate's own that writes what a scope alone does not; row-level security binds it.
    pub(crate) async fn internal<R>(
        &mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.session.statement(start).await
    }

    /// Refuses a query that is bound to another workspace than this connection.
    pub(super) fn check(&self, workspace: WorkspaceId) -> Result<()> {
        if workspace == self.workspace {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the query is scoped to workspace {workspace}, its connection to {}",
            self.workspace
        ))
        .remedy("make both of the same scope"))
    }

    /// Runs `work` in a transaction: all of it is kept, or where it returns an error, nothing.
    ///
    /// Called within itself, it makes a savepoint. No transaction should stay open while something slow goes on, such as
    /// an answer that is being generated: a scope is cheap, come back with it.
    ///
    /// # Errors
    ///
    /// What `work` returns; [`is_unreachable`](Error::is_unreachable) where the connection is lost, and then nothing was
    /// changed; [`is_interrupted`](Error::is_interrupted) where a statement of it was cut short and `work` ended well.
    ///
    /// ```no_run
    /// use workspace_db::models::{NewConversation, NewMessage};
    /// use workspace_db::schema::{conversations, messages};
    /// use workspace_db::sql_types::MessageRole;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
    ///
    /// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// ws.transaction(async |tx| {
    ///     let conversation = NewConversation::default();
    ///     let message = NewMessage::new(conversation.id, MessageRole::User, "When do you open?");
    ///     conversations::table.in_workspace(scope).insert(&conversation).execute(tx).await?;
    ///     messages::table.in_workspace(scope).insert(&message).execute(tx).await
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
        let transaction = TransactionGuard::begin(self).await?;
        let done = work(transaction.lent).await;
        transaction.end_with(done).await
    }

    /// The first loud way out: lends a connection for SQL that a scoped query can't say.
    ///
    /// Row-level security still holds: whatever `work` runs sees and changes this workspace alone. It runs in a
    /// transaction (a savepoint within one) and must leave it open. When the transaction ends, the connection is closed, so
    /// that no temporary table, cursor, lock, setting or prepared statement reaches the next tenant; that costs a
    /// connection. The reason is logged (`tracing`, level `INFO`).
    ///
    /// It is a rail against mistakes and not against malice: SQL that sets `app.workspace_id` is in that workspace, so
    /// never run text that a tenant wrote. PostgreSQL itself shows a little of others to every login: in
    /// `pg_stat_activity` the statements of the same login, with their literals; large objects, which have no policies;
    /// the planner's estimates in `EXPLAIN`, which come from statistics of whole tables; names and sizes in the catalog.
    /// A superuser takes the first two away with
    /// [`restricted_functions_sql`](crate::db::roles::restricted_functions_sql).
    ///
    /// # Errors
    ///
    /// What `work` returns; as [`transaction`](Self::transaction); [`is_interrupted`](Error::is_interrupted) where
    /// `work` has ended the transaction that it was lent, even if it began another.
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
        tracing::info!(workspace = %self.workspace, reason, "raw SQL under row-level security");
        let settings = format!("{}{}", self.settings, self.timeouts.sql());
        let (loan, mut raw) = RawTransaction::begin(self).await?;
        let done = work(&mut raw).await;
        loan.end_with(raw, &settings, done).await
    }

    /// As [`under_row_security`](Self::under_row_security), for this crate's own statements, which leave nothing behind:
    /// without the log, and with the connection as it was.
    pub(crate) async fn internal_sql<'a, F, R, E>(&mut self, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<R, E>
            + AsyncFunc<&'c mut AsyncPgConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        let lent = TransactionGuard::begin(self).await?;
        let done = work(lent.lent.session.connection()?).await;
        lent.end_with(done).await
    }
}

/// Holds for no connection; it is here for its message.
#[diagnostic::on_unimplemented(
    message = "only a query that is scoped runs on a `{Self}`",
    label = "this query is not scoped to a workspace",
    note = "begin it with its table and a scope: `documents::table.in_workspace(&scope)`; then `find`, `filter`, `load`, \
            `insert`, `update` and `delete` are methods of the query",
    note = "raw SQL of one workspace: `ws.under_row_security(\"why\", async |conn| ...)`"
)]
pub trait RunsUnscopedQueries<'a> {
    /// What Diesel would take for a connection.
    #[doc(hidden)]
    fn connection(&self) -> &AsyncPgConnection;
    /// The same.
    #[doc(hidden)]
    fn connection_mut(&mut self) -> &mut AsyncPgConnection;
}

// Diesel takes whatever dereferences to a connection for one. This does so under a condition that nothing meets, so the
// compiler names the condition, and with it what to write, instead of a trait of Diesel's.
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

impl<A: Access> HasSession for WorkspaceConnection<A> {
    fn session(&mut self) -> &mut PooledSession {
        &mut self.session
    }
}

impl<A: Access> fmt::Debug for WorkspaceConnection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceConnection({})", self.workspace)
    }
}
