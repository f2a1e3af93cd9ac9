//! A connection on loan whose transactions begin in one way alone, and which never goes back half-used.

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

use super::connection_errors::{commit_failed_error, connection_lost_error, interrupted_error, stood_idle};
use super::cte::StatementSettings;
use super::notify::{Notification, Notifier};
use crate::db::{Pool, PooledConnection};
use crate::error::{Error, Result};

/// The loan, and what is known of the state that the server has for it.
///
/// A future that is dropped in the middle leaves a statement running, a transaction open or a role set. Such a
/// connection is never used again: it leaves the pool, its statement is cancelled and its socket closed.
pub(super) struct PooledSession {
    /// Empty only while it is replaced or given up.
    pub(super) lent: Option<PooledConnection>,
    pub(super) pool: Pool,
    /// `BEGIN`, with all that a transaction here needs to have set, in one message.
    begin: String,
    /// What has to succeed directly before a `COMMIT`.
    fence: Option<String>,
    /// What is said once the transaction that is open has been committed.
    notices: BTreeSet<Notification>,
    notifier: Option<Arc<Notifier>>,
    depth: u32,
    /// Something was cut short, so the server's state is not known.
    broken: bool,
    /// Raw SQL has run on the connection. Temporary tables, cursors, settings, locks and prepared statements may be left in
    /// it, so it is closed when its transaction ends, and nobody else gets it.
    pub(super) is_tainted: bool,
    share: Option<OwnedSemaphorePermit>,
    /// When the server last answered: a transaction that it ended for standing idle is known by that.
    answered: Instant,
    /// How long the server lets a transaction stand idle.
    idle: Duration,
}

/// Leaves nothing in a session of the server, for whoever gets it next from a pooler. It is what `DISCARD ALL` does and a
/// transaction allows, without prepared statements, of which poolers keep their own account.
const CLEAN: &str = "CLOSE ALL; UNLISTEN *; RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD SEQUENCES; \
                     DISCARD TEMP; SELECT pg_advisory_unlock_all()";

/// What a statement's rows come from: the future of its execution, then the rows.
pub(super) type Rows<U> = BoxStream<'static, QueryResult<U>>;

impl PooledSession {
    pub(super) async fn new(pool: &Pool, begin: String, fence: Option<String>) -> Result<Self> {
        let lent = Some(pool.get().await?);
        Ok(Self {
            lent,
            pool: pool.clone(),
            begin,
            fence,
            notices: BTreeSet::new(),
            notifier: None,
            depth: 0,
            broken: false,
            is_tainted: false,
            share: None,
            answered: Instant::now(),
            idle: Duration::ZERO,
        })
    }

    /// The same, which holds a part of the pool for as long as it lives.
    pub(super) fn with_connection_permit(mut self, share: OwnedSemaphorePermit) -> Self {
        self.share = Some(share);
        self
    }

    /// Begins each transaction from now on with that.
    pub(super) fn begin_with(&mut self, begin: String, idle: Duration) {
        (self.begin, self.idle) = (begin, idle);
    }

    /// The same, with somebody to send what is to follow a commit.
    pub(super) fn with_notifier(mut self, notifier: &Arc<Notifier>) -> Self {
        self.notifier = Some(Arc::clone(notifier));
        self
    }

    /// Says something once the transaction that is open, if one is, has been committed.
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

    pub(super) fn connection(&mut self) -> Result<&mut AsyncPgConnection> {
        self.lent.as_deref_mut().ok_or_else(interrupted_error)
    }

    /// Runs one statement: in the transaction that is open, else in one of its own.
    ///
    /// One of its own costs two round trips: `BEGIN` travels with the statement, the end follows the answer. An end that
    /// was sent along would overtake a statement that has yet to be prepared.
    pub(super) async fn statement<R>(
        &mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.statement_under(&StatementSettings::default(), start).await
    }

    /// As [`statement`](Self::statement), under settings that hold for it alone.
    pub(super) async fn statement_under<R>(
        &mut self,
        settings: &StatementSettings,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.usable().await?;
        let mut unfinished = TransactionGuard::new(self);
        let mut result = unfinished.start(&settings.set, start).await;
        // A transaction of the statement's own ends with the settings, and a failed one puts them back.
        if unfinished.depth > 0 && result.is_ok() && !settings.reset.is_empty() {
            result = batch(unfinished.lent.connection()?, &settings.reset).await.and(result);
        }
        unfinished.end(result).await
    }

    /// As [`statement`](Self::statement), with the rows as they come. Dropped before its end, it costs the connection.
    pub(super) async fn stream<'s, U: Send + 'static>(
        &'s mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<Rows<U>>>,
    ) -> Result<BoxStream<'s, Result<U>>> {
        self.usable().await?;
        let mut unfinished = TransactionGuard::new(self);
        let rows = match unfinished.start("", start).await {
            Ok(rows) => rows,
            Err(error) => return unfinished.end(Err(error)).await,
        };
        let step = async |(mut unfinished, mut rows): (TransactionGuard<'s, PooledSession>, Rows<U>)| match rows
            .next()
            .await
        {
            Some(Ok(row)) => Some((Ok(row), Some((unfinished, rows)))),
            Some(Err(error)) => Some((unfinished.end(Err(error)).await, None)),
            None => unfinished.end(Ok(())).await.err().map(|error| (Err(error), None)),
        };
        let rows = unfold(Some((unfinished, rows)), move |state| async move { step(state?).await });
        Ok(rows.boxed())
    }

    /// Makes sure that the connection can be used: replaces a broken one, unless a transaction would be lost with it.
    async fn usable(&mut self) -> Result<()> {
        if !self.broken {
            return Ok(());
        }
        if self.depth > 0 {
            return Err(interrupted_error());
        }
        self.lent = None;
        self.lent = Some(self.pool.get().await?);
        (self.broken, self.is_tainted) = (false, false);
        self.notices.clear();
        Ok(())
    }

    fn give_up(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.pool.abandon(lent);
        }
    }
}

impl PooledSession {
    /// Closes a connection on which raw SQL has run, once its transaction is over. The next statement gets another.
    fn retire(&mut self) {
        if self.is_tainted && self.depth == 0 {
            drop(self.lent.take().map(Object::take));
            self.broken = true;
        }
    }

    /// Whether the server has ended the transaction for standing idle, by the time that has passed: it says so on a
    /// connection on which nobody listens, and the next statement only finds it closed.
    fn stood_idle(&self, error: &diesel::result::Error) -> bool {
        use diesel::result::DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
        let is_closed =
            matches!(error, diesel::result::Error::DatabaseError(ClosedConnection | UnableToSendCommand, _));
        // The server's clock began a moment before this one.
        is_closed && self.depth > 0 && !self.idle.is_zero() && self.answered.elapsed() >= self.idle * 9 / 10
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        if self.broken || self.is_tainted || self.depth > 0 {
            self.give_up();
        }
    }
}

/// Whatever has a session in it: a transaction is begun on the whole of it, and lent to the work as a whole.
pub(super) trait HasSession {
    fn session(&mut self) -> &mut PooledSession;
}

impl HasSession for PooledSession {
    fn session(&mut self) -> &mut PooledSession {
        self
    }
}

/// A statement or transaction that is under way. Dropped before it is told how it went, it breaks its session.
pub(super) struct TransactionGuard<'s, C: HasSession> {
    pub(super) lent: &'s mut C,
    depth: u32,
    done: bool,
}

impl<'s> TransactionGuard<'s, PooledSession> {
    fn new(lent: &'s mut PooledSession) -> Self {
        let depth = lent.depth;
        Self { lent, depth, done: false }
    }

    async fn start<R>(
        &mut self,
        settings: &str,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> QueryResult<R> {
        let Some(conn) = self.lent.lent.as_deref() else {
            return Err(diesel::result::Error::BrokenTransactionManager);
        };
        let first = match (self.depth, settings) {
            (0, "") => Cow::Borrowed(self.lent.begin.as_str()),
            (0, settings) => Cow::Owned(format!("{}{settings}", self.lent.begin)),
            (_, "") => return start(conn).await,
            (_, settings) => Cow::Borrowed(settings),
        };
        // Polled in this order, so they are sent in this order.
        let (begun, result) = join(batch(conn, &first), start(conn)).await;
        begun.and(result)
    }

    /// Ends the statement's own transaction, if it has one, as its result says.
    async fn end<R>(&mut self, result: QueryResult<R>) -> Result<R> {
        if self.depth == 0 {
            let Some(conn) = self.lent.lent.as_deref() else { return Err(interrupted_error()) };
            let end = match (&result, &self.lent.fence) {
                (Err(_), _) => Cow::Borrowed("ROLLBACK"),
                (Ok(_), None) => Cow::Borrowed("COMMIT"),
                // One message, of which nothing runs behind what fails.
                (Ok(_), Some(fence)) => Cow::Owned(format!("{fence}; COMMIT")),
            };
            if let Err(error) = batch(conn, &end).await {
                let error = result.err().map_or_else(|| commit_failed_error(error), connection_lost_error);
                if error.is_lease_lost() {
                    batch(conn, "ROLLBACK").await.map_err(connection_lost_error)?;
                    self.done = true;
                }
                return Err(error);
            }
        }
        self.done = true;
        let session = &mut *self.lent;
        match result {
            Err(error) if session.stood_idle(&error) => Err(stood_idle(error)),
            result => {
                session.answered = Instant::now();
                Ok(result?)
            }
        }
    }
}

impl<'s, C: HasSession> TransactionGuard<'s, C> {
    /// Opens a transaction, or a savepoint within one.
    pub(super) async fn begin(lent: &'s mut C) -> Result<Self> {
        lent.session().usable().await?;
        let depth = lent.session().depth;
        let unfinished = Self { lent, depth, done: false };
        let session = unfinished.lent.session();
        let conn = session.lent.as_deref_mut().ok_or_else(interrupted_error)?;
        match depth {
            0 => AnsiTransactionManager::begin_transaction_sql(conn, &session.begin).await?,
            _ => AnsiTransactionManager::begin_transaction(conn).await?,
        }
        session.depth += 1;
        Ok(unfinished)
    }

    /// Ends it as the work that it was for has ended: keeps what was done since it began, or takes it back.
    pub(super) async fn end_with<R, E: From<Error>>(mut self, result: Result<R, E>) -> Result<R, E> {
        match result {
            Ok(value) => self.commit().await.map(|()| value).map_err(E::from),
            Err(error) => self.roll_back().await.map_or_else(|lost| Err(E::from(lost)), |()| Err(error)),
        }
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        let session = self.lent.session();
        let clean = (self.depth == 0 && session.is_tainted).then(|| CLEAN.to_owned());
        let fence = session.fence.clone().filter(|_| self.depth == 0);
        let before: Vec<String> = fence.into_iter().chain(clean).collect();
        if !before.is_empty()
            && let Err(error) = batch(self.open()?, &before.join("; ")).await
        {
            let error = commit_failed_error(error);
            if error.is_lease_lost() {
                self.roll_back().await?;
            }
            return Err(error);
        }
        let ended = AnsiTransactionManager::commit_transaction(self.open()?).await;
        self.close(ended, commit_failed_error)?;
        if self.depth == 0 {
            self.lent.session().send_notices();
            self.lent.session().retire();
        }
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Result<()> {
        // What was cut short has lost its connection, and with it all that was done.
        if self.lent.session().broken {
            return Ok(());
        }
        let ends_what_was_lent = self.depth == 0 && self.lent.session().is_tainted;
        let ended = if ends_what_was_lent {
            // In one message, which a pooler sends to one session of the server.
            batch(self.open()?, &format!("ROLLBACK; {CLEAN}")).await
        } else {
            AnsiTransactionManager::rollback_transaction(self.open()?).await
        };
        self.close(ended, connection_lost_error)?;
        if self.depth == 0 {
            self.lent.session().notices.clear();
            self.lent.session().retire();
        }
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<&mut AsyncPgConnection> {
        let session = self.lent.session();
        if session.broken {
            return Err(interrupted_error());
        }
        session.connection()
    }

    fn close(&mut self, ended: QueryResult<()>, what: fn(diesel::result::Error) -> Error) -> Result<()> {
        let session = self.lent.session();
        ended.map_err(|error| if session.stood_idle(&error) { stood_idle(error) } else { what(error) })?;
        (session.depth, session.answered) = (self.depth, Instant::now());
        self.done = true;
        Ok(())
    }
}

impl<C: HasSession> Drop for TransactionGuard<'_, C> {
    fn drop(&mut self) {
        if !self.done {
            let session = self.lent.session();
            session.depth = self.depth;
            session.broken = true;
            session.give_up();
        }
    }
}

pub(super) async fn batch(mut conn: &AsyncPgConnection, sql: &str) -> QueryResult<()> {
    conn.batch_execute(sql).await
}
