//! Lent connection whose transactions all begin in the same way, and which never returns to the pool half-used.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection as _, TransactionManager as _};
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, join};
use futures_util::stream::{BoxStream, unfold};

use tokio::sync::OwnedSemaphorePermit;

use super::errors::{commit_failed_error, connection_lost_error, interrupted_error, is_refused_by_fence, stood_idle};
use super::notifier::{Notification, Notifier};
use super::statement_settings::StatementSettings;
use crate::db::{Pool, PooledConnection};
use crate::error::{Error, Result};

/// Lent connection, and the known state of its server session.
///
/// A future that is dropped before it ends leaves a statement running, a transaction open or a role set. Such a
/// connection is never used again: it leaves the pool, its statement is cancelled and its socket closed.
pub(crate) struct TransactionalConnection {
    /// Connection; `None` only while it is replaced, or after it was abandoned.
    pub(super) pooled: Option<PooledConnection>,
    pub(super) pool: Pool,
    /// `BEGIN` with all settings that a transaction needs, in one message.
    begin: String,
    /// SQL that must succeed directly before a `COMMIT`.
    fence: Option<String>,
    /// Notifications to send after the open transaction has been committed.
    notices: BTreeSet<Notification>,
    notifier: Option<Arc<Notifier>>,
    depth: u32,
    /// True if a statement was cut short, so that the server's state is unknown.
    broken: bool,
    /// True if raw SQL has run on the connection. It may have left temporary tables, cursors, settings, locks and
    /// prepared statements. So the connection is closed when its transaction ends, and no other caller gets it.
    pub(super) is_tainted: bool,
    permit: Option<OwnedSemaphorePermit>,
    /// Time of the server's last answer, which shows if the server has ended an idle transaction.
    answered: Instant,
    /// Time for which the server lets a transaction idle.
    idle: Duration,
}

/// SQL that clears a session of the server before a pooler gives it to another client. It does what `DISCARD ALL`
/// does, as far as a transaction permits. It keeps prepared statements, because poolers track their own.
const CLEAN: &str = "CLOSE ALL; UNLISTEN *; RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD SEQUENCES; \
                     DISCARD TEMP; SELECT pg_advisory_unlock_all()";

/// Stream of the rows of a statement.
pub(crate) type Rows<U> = BoxStream<'static, QueryResult<U>>;

impl TransactionalConnection {
    pub(super) async fn new(pool: &Pool, begin: String, fence: Option<String>) -> Result<Self> {
        let pooled = Some(pool.get().await.map_err(Error::before_commit)?);
        Ok(Self {
            pooled,
            pool: pool.clone(),
            begin,
            fence,
            notices: BTreeSet::new(),
            notifier: None,
            depth: 0,
            broken: false,
            is_tainted: false,
            permit: None,
            answered: Instant::now(),
            idle: Duration::ZERO,
        })
    }

    /// Adds a connection permit, which the connection holds for as long as it lives.
    pub(super) fn with_connection_permit(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Sets the SQL that begins each transaction from now on, and the idle timeout that it sets.
    pub(super) fn begin_with(&mut self, begin: String, idle: Duration) {
        (self.begin, self.idle) = (begin, idle);
    }

    /// Adds the notifier that sends notifications after a commit.
    pub(super) fn with_notifier(mut self, notifier: &Arc<Notifier>) -> Self {
        self.notifier = Some(Arc::clone(notifier));
        self
    }

    /// Sends a notification after the open transaction has been committed, or at once if none is open.
    pub(super) fn notify(&mut self, notice: Notification) {
        self.notices.insert(notice);
        if self.depth == 0 {
            self.send_notices();
        }
    }

    fn send_notices(&mut self) {
        let notices = std::mem::take(&mut self.notices);
        if let (false, Some(notifier)) = (notices.is_empty(), &self.notifier) {
            notifier.send(notices);
        }
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.depth > 0
    }

    pub(super) fn connection(&mut self) -> Result<&mut AsyncPgConnection> {
        self.pooled.as_deref_mut().ok_or_else(interrupted_error)
    }

    /// Runs one statement in the open transaction, or else in its own transaction.
    ///
    /// Its own transaction costs two round trips: `BEGIN` is sent with the statement, the end after the answer. An end
    /// that was sent with the statement would overtake one that must first be prepared.
    pub(crate) async fn statement<R>(
        &mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.statement_under(&StatementSettings::default(), start).await
    }

    /// Runs one statement, like [`statement`](Self::statement), under settings that apply only to it.
    pub(crate) async fn statement_under<R>(
        &mut self,
        settings: &StatementSettings,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.usable().await?;
        let mut guard = TransactionGuard::new(self);
        let mut result = guard.start(&settings.set, start).await;
        // The statement's own transaction ends with its settings, and a rollback resets them.
        if guard.depth > 0 && result.is_ok() && !settings.reset.is_empty() {
            result = batch(guard.conn.connection()?, &settings.reset).await.and(result);
        }
        guard.end(result).await
    }

    /// Runs one statement, like [`statement`](Self::statement), and streams its rows. If the stream is dropped before
    /// its end, the connection is lost.
    pub(crate) async fn stream<'s, U: Send + 'static>(
        &'s mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<Rows<U>>>,
    ) -> Result<BoxStream<'s, Result<U>>> {
        self.usable().await?;
        let mut guard = TransactionGuard::new(self);
        let rows = match guard.start("", start).await {
            Ok(rows) => rows,
            Err(error) => return guard.end(Err(error)).await,
        };
        let step = async |(mut guard, mut rows): (TransactionGuard<'s, TransactionalConnection>, Rows<U>)| match rows
            .next()
            .await
        {
            Some(Ok(row)) => Some((Ok(row), Some((guard, rows)))),
            Some(Err(error)) => Some((guard.end(Err(error)).await, None)),
            None => guard.end(Ok(())).await.err().map(|error| (Err(error), None)),
        };
        let rows = unfold(Some((guard, rows)), move |state| async move { step(state?).await });
        Ok(rows.boxed())
    }

    /// Replaces a broken connection, or returns an error if a transaction would be lost with it.
    async fn usable(&mut self) -> Result<()> {
        if !self.broken {
            return Ok(());
        }
        if self.depth > 0 {
            return Err(interrupted_error());
        }
        self.pooled = None;
        self.pooled = Some(self.pool.get().await.map_err(Error::before_commit)?);
        (self.broken, self.is_tainted) = (false, false);
        self.notices.clear();
        Ok(())
    }

    fn give_up(&mut self) {
        if let Some(pooled) = self.pooled.take() {
            self.pool.abandon(pooled);
        }
    }
}

impl TransactionalConnection {
    /// Closes a connection on which raw SQL has run, after its transaction. The next statement gets another
    /// connection.
    fn retire(&mut self) {
        if self.is_tainted && self.depth == 0 {
            drop(self.pooled.take().map(Object::take));
            self.broken = true;
        }
    }

    /// Returns true if the server has ended the idle transaction, judged by the elapsed time. The server reports it
    /// while the client does not read, and the next statement only finds the connection closed.
    fn stood_idle(&self, error: &diesel::result::Error) -> bool {
        use diesel::result::DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
        let is_closed =
            matches!(error, diesel::result::Error::DatabaseError(ClosedConnection | UnableToSendCommand, _));
        // The server's timer started slightly before this one.
        is_closed && self.depth > 0 && !self.idle.is_zero() && self.answered.elapsed() >= self.idle * 9 / 10
    }
}

impl Drop for TransactionalConnection {
    fn drop(&mut self) {
        if self.broken || self.is_tainted || self.depth > 0 {
            self.give_up();
        }
    }
}

/// Type that contains a transactional connection. A transaction begins on the whole value, and the work gets the whole value.
pub(crate) trait Transactional {
    fn transactional(&mut self) -> &mut TransactionalConnection;
}

impl Transactional for TransactionalConnection {
    fn transactional(&mut self) -> &mut TransactionalConnection {
        self
    }
}

/// Running statement or transaction. If it is dropped before its result is known, it breaks its connection.
pub(super) struct TransactionGuard<'s, C: Transactional> {
    pub(super) conn: &'s mut C,
    depth: u32,
    done: bool,
}

impl<'s> TransactionGuard<'s, TransactionalConnection> {
    fn new(conn: &'s mut TransactionalConnection) -> Self {
        let depth = conn.depth;
        Self { conn, depth, done: false }
    }

    async fn start<R>(
        &mut self,
        settings: &str,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> QueryResult<R> {
        let Some(conn) = self.conn.pooled.as_deref() else {
            return Err(diesel::result::Error::BrokenTransactionManager);
        };
        let first = match (self.depth, settings) {
            (0, "") => Cow::Borrowed(self.conn.begin.as_str()),
            (0, settings) => Cow::Owned(format!("{}{settings}", self.conn.begin)),
            (_, "") => return start(conn).await,
            (_, settings) => Cow::Borrowed(settings),
        };
        // `join` polls in this order, so the messages are sent in this order.
        let (begun, result) = join(batch(conn, &first), start(conn)).await;
        begun.and(result)
    }

    /// Ends the statement's own transaction, if it has one: commits it, or rolls it back after an error.
    async fn end<R>(&mut self, result: QueryResult<R>) -> Result<R> {
        if self.depth == 0 {
            let Some(conn) = self.conn.pooled.as_deref() else { return Err(interrupted_error()) };
            let end = match (&result, &self.conn.fence) {
                (Err(_), _) => Cow::Borrowed("ROLLBACK"),
                (Ok(_), None) => Cow::Borrowed("COMMIT"),
                // One message, so that PostgreSQL skips the `COMMIT` if the fence fails.
                (Ok(_), Some(fence)) => Cow::Owned(format!("{fence}; COMMIT")),
            };
            if let Err(error) = batch(conn, &end).await {
                let error = result.err().map_or_else(|| commit_failed_error(error), connection_lost_error);
                if is_refused_by_fence(&error) {
                    batch(conn, "ROLLBACK").await.map_err(connection_lost_error)?;
                    self.done = true;
                }
                return Err(error);
            }
        }
        self.done = true;
        let inner = &mut *self.conn;
        match result {
            Err(error) if inner.stood_idle(&error) => Err(stood_idle(error)),
            result => {
                inner.answered = Instant::now();
                result.map_err(|error| Error::from(error).before_commit())
            }
        }
    }
}

impl<'s, C: Transactional> TransactionGuard<'s, C> {
    /// Opens a transaction, or a savepoint within one.
    pub(super) async fn begin(conn: &'s mut C) -> Result<Self> {
        Self::begin_with(conn, None).await
    }

    /// Opens a transaction, by this SQL if it is given, or a savepoint within one.
    pub(super) async fn begin_with(conn: &'s mut C, begin: Option<&str>) -> Result<Self> {
        conn.transactional().usable().await?;
        let depth = conn.transactional().depth;
        let guard = Self { conn, depth, done: false };
        let inner = guard.conn.transactional();
        let conn = inner.pooled.as_deref_mut().ok_or_else(interrupted_error)?;
        match depth {
            0 => AnsiTransactionManager::begin_transaction_sql(conn, begin.unwrap_or(&inner.begin)).await,
            _ => AnsiTransactionManager::begin_transaction(conn).await,
        }
        .map_err(|error| Error::from(error).before_commit())?;
        inner.depth += 1;
        Ok(guard)
    }

    /// Ends the transaction by the result of its work: commits it, or rolls it back after an error.
    pub(super) async fn end_with<R, E: From<Error>>(mut self, result: Result<R, E>) -> Result<R, E> {
        match result {
            Ok(value) => self.commit().await.map(|()| value).map_err(E::from),
            Err(error) => self.roll_back().await.map_or_else(|lost| Err(E::from(lost)), |()| Err(error)),
        }
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        let inner = self.conn.transactional();
        let clean = (self.depth == 0 && inner.is_tainted).then(|| CLEAN.to_owned());
        let fence = inner.fence.clone().filter(|_| self.depth == 0);
        let before: Vec<String> = fence.into_iter().chain(clean).collect();
        if !before.is_empty()
            && let Err(error) = batch(self.open()?, &before.join("; ")).await
        {
            let error = Error::from(error).before_commit();
            if is_refused_by_fence(&error) {
                self.roll_back().await?;
            }
            return Err(error);
        }
        let ended = AnsiTransactionManager::commit_transaction(self.open()?).await;
        // Within a transaction, it releases a savepoint.
        let failed = if self.depth == 0 { commit_failed_error } else { |error| Error::from(error).before_commit() };
        self.close(ended, failed)?;
        if self.depth == 0 {
            self.conn.transactional().send_notices();
            self.conn.transactional().retire();
        }
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Result<()> {
        // A broken connection is lost, with all that was done on it.
        if self.conn.transactional().broken {
            return Ok(());
        }
        let ends_raw_sql = self.depth == 0 && self.conn.transactional().is_tainted;
        let ended = if ends_raw_sql {
            // One message, which a pooler sends to one session of the server.
            batch(self.open()?, &format!("ROLLBACK; {CLEAN}")).await
        } else {
            AnsiTransactionManager::rollback_transaction(self.open()?).await
        };
        self.close(ended, connection_lost_error)?;
        if self.depth == 0 {
            self.conn.transactional().notices.clear();
            self.conn.transactional().retire();
        }
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<&mut AsyncPgConnection> {
        let inner = self.conn.transactional();
        if inner.broken {
            return Err(interrupted_error());
        }
        inner.connection()
    }

    fn close(&mut self, ended: QueryResult<()>, what: fn(diesel::result::Error) -> Error) -> Result<()> {
        let inner = self.conn.transactional();
        ended.map_err(|error| if inner.stood_idle(&error) { stood_idle(error) } else { what(error) })?;
        (inner.depth, inner.answered) = (self.depth, Instant::now());
        self.done = true;
        Ok(())
    }
}

impl<C: Transactional> Drop for TransactionGuard<'_, C> {
    fn drop(&mut self) {
        if !self.done {
            let inner = self.conn.transactional();
            inner.depth = self.depth;
            inner.broken = true;
            inner.give_up();
        }
    }
}

pub(super) async fn batch(mut conn: &AsyncPgConnection, sql: &str) -> QueryResult<()> {
    conn.batch_execute(sql).await
}
