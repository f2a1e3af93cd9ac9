//! A connection on loan whose transactions begin in one way alone, and which never goes back half-used.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::QueryResult;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection as _, TransactionManager as _};
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, join};
use futures_util::stream::{BoxStream, unfold};

use super::candidates::Settings;
use super::notify::{Notice, Notifier};
use crate::db::{Pool, PooledConnection};
use crate::error::{Error, Kind, Result};

/// How long the attempt to end an abandoned statement may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The loan, and what is known of the state that the server has for it.
///
/// A future that is dropped in the middle leaves a statement running, a transaction open or a role set. Such a
/// connection is never used again: it leaves the pool, its statement is cancelled and its socket closed.
pub(super) struct Session {
    /// Empty only while it is replaced or given up.
    lent: Option<PooledConnection>,
    pool: Pool,
    /// `BEGIN`, with all that a transaction here needs to have set, in one message.
    begin: String,
    /// What has to succeed directly before a `COMMIT`.
    fence: Option<String>,
    /// What is said once the transaction that is open has been committed.
    notices: BTreeSet<Notice>,
    notifier: Option<Arc<Notifier>>,
    depth: u32,
    /// Something was cut short, so the server's state is not known.
    broken: bool,
    /// Code that is not ours has the connection, or has not given it back in order.
    pub(super) tainted: bool,
}

/// What a statement's rows come from: the future of its execution, then the rows.
pub(super) type Rows<U> = BoxStream<'static, QueryResult<U>>;

impl Session {
    pub(super) async fn new(pool: &Pool, begin: String, fence: Option<String>) -> Result<Self> {
        let lent = Some(pool.get().await?);
        let (notices, notifier) = (BTreeSet::new(), None);
        Ok(Self { lent, pool: pool.clone(), begin, fence, notices, notifier, depth: 0, broken: false, tainted: false })
    }

    /// The same, with somebody to send what is to follow a commit.
    pub(super) fn notifying(mut self, notifier: &Arc<Notifier>) -> Self {
        self.notifier = Some(Arc::clone(notifier));
        self
    }

    /// Says something once the transaction that is open, if one is, has been committed.
    pub(super) fn notify(&mut self, notice: Notice) {
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
        self.lent.as_deref_mut().ok_or_else(cut_short)
    }

    /// Runs one statement: in the transaction that is open, else in one of its own.
    ///
    /// One of its own costs two round trips: `BEGIN` travels with the statement, the end follows the answer. An end that
    /// was sent along would overtake a statement that has yet to be prepared.
    pub(super) async fn statement<R>(
        &mut self,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.statement_under(&Settings::default(), start).await
    }

    /// As [`statement`](Self::statement), under settings that hold for it alone.
    pub(super) async fn statement_under<R>(
        &mut self,
        settings: &Settings,
        start: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<R>>,
    ) -> Result<R> {
        self.usable().await?;
        let mut unfinished = Unfinished::new(self);
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
        let mut unfinished = Unfinished::new(self);
        let rows = match unfinished.start("", start).await {
            Ok(rows) => rows,
            Err(error) => return unfinished.end(Err(error)).await,
        };
        let step = async |(mut unfinished, mut rows): (Unfinished<'s, Session>, Rows<U>)| match rows.next().await {
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
            return Err(cut_short());
        }
        self.lent = Some(self.pool.get().await?);
        (self.broken, self.tainted) = (false, false);
        self.notices.clear();
        Ok(())
    }

    /// Takes the connection out of the pool, cancels what it runs and closes it.
    fn give_up(&mut self) {
        let Some(lent) = self.lent.take() else { return };
        let abandoned = Object::take(lent);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let cancel = self.pool.cancel(abandoned.cancel_token());
        runtime.spawn(async move {
            // Where it can't be cancelled, the server notices the closed socket when it next writes.
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancel).await;
            drop(abandoned);
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.broken || self.tainted || self.depth > 0 {
            self.give_up();
        }
    }
}

/// Whatever has a session in it: a transaction is begun on the whole of it, and lent to the work as a whole.
pub(super) trait HasSession {
    fn session(&mut self) -> &mut Session;
}

impl HasSession for Session {
    fn session(&mut self) -> &mut Session {
        self
    }
}

/// A statement or transaction that is under way. Dropped before it is told how it went, it breaks its session.
pub(super) struct Unfinished<'s, C: HasSession> {
    pub(super) lent: &'s mut C,
    depth: u32,
    done: bool,
}

impl<'s> Unfinished<'s, Session> {
    fn new(lent: &'s mut Session) -> Self {
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
            let Some(conn) = self.lent.lent.as_deref() else { return Err(cut_short()) };
            let end = match (&result, &self.lent.fence) {
                (Err(_), _) => Cow::Borrowed("ROLLBACK"),
                (Ok(_), None) => Cow::Borrowed("COMMIT"),
                // One message, of which nothing runs behind what fails.
                (Ok(_), Some(fence)) => Cow::Owned(format!("{fence}; COMMIT")),
            };
            if let Err(error) = batch(conn, &end).await {
                let error = result.err().map_or_else(|| not_committed(error), lost);
                if error.is_lease_lost() {
                    batch(conn, "ROLLBACK").await.map_err(lost)?;
                    self.done = true;
                }
                return Err(error);
            }
        }
        self.done = true;
        Ok(result?)
    }
}

impl<'s, C: HasSession> Unfinished<'s, C> {
    /// Opens a transaction, or a savepoint within one.
    pub(super) async fn begin(lent: &'s mut C) -> Result<Self> {
        lent.session().usable().await?;
        let depth = lent.session().depth;
        let unfinished = Self { lent, depth, done: false };
        let session = unfinished.lent.session();
        let conn = session.lent.as_deref_mut().ok_or_else(cut_short)?;
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

    /// As [`end_with`](Self::end_with), where the work had the connection itself: what it may have set is put back, for
    /// the rest of the transaction as `settings` say, and for the session.
    pub(super) async fn take_back<R, E: From<Error>>(mut self, settings: &str, result: Result<R, E>) -> Result<R, E> {
        const RESET: &str = "RESET ROLE; SET app.workspace_id = ''";
        match result {
            Ok(value) => {
                // A savepoint can't be made outside of a transaction, so this fails where the work has ended it.
                let again = format!("SAVEPOINT lent; RELEASE SAVEPOINT lent; {RESET}{settings}");
                batch(self.open()?, &again).await.map_err(|error| {
                    Error::new(Kind::Interrupted, "the transaction that was lent is over, or has failed")
                        .remedy("leave it open, and return the error of a statement that failed")
                        .caused_by(error)
                })?;
                self.lent.session().tainted = false;
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                self.roll_back().await?;
                // A savepoint that was there to go back to undid what was set since; outside, the work may have
                // committed and gone on.
                if self.depth == 0 && !self.lent.session().broken {
                    batch(self.lent.session().connection()?, RESET).await.map_err(lost)?;
                }
                self.lent.session().tainted = false;
                Err(error)
            }
        }
    }

    async fn commit(&mut self) -> Result<()> {
        if self.depth == 0
            && let Some(fence) = self.lent.session().fence.clone()
            && let Err(error) = batch(self.open()?, &fence).await
        {
            let error = not_committed(error);
            if error.is_lease_lost() {
                self.roll_back().await?;
            }
            return Err(error);
        }
        let ended = AnsiTransactionManager::commit_transaction(self.open()?).await;
        self.close(ended, not_committed)?;
        if self.depth == 0 {
            self.lent.session().send_notices();
        }
        Ok(())
    }

    async fn roll_back(&mut self) -> Result<()> {
        // What was cut short has lost its connection, and with it all that was done.
        if self.lent.session().broken {
            return Ok(());
        }
        let ended = AnsiTransactionManager::rollback_transaction(self.open()?).await;
        self.close(ended, lost)?;
        if self.depth == 0 {
            self.lent.session().notices.clear();
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&mut AsyncPgConnection> {
        let session = self.lent.session();
        if session.broken {
            return Err(cut_short());
        }
        session.connection()
    }

    fn close(&mut self, ended: QueryResult<()>, what: fn(diesel::result::Error) -> Error) -> Result<()> {
        ended.map_err(what)?;
        self.lent.session().depth = self.depth;
        self.done = true;
        Ok(())
    }
}

impl<C: HasSession> Drop for Unfinished<'_, C> {
    fn drop(&mut self) {
        if !self.done {
            let session = self.lent.session();
            session.depth = self.depth;
            session.broken = true;
            session.give_up();
        }
    }
}

async fn batch(mut conn: &AsyncPgConnection, sql: &str) -> QueryResult<()> {
    conn.batch_execute(sql).await
}

fn cut_short() -> Error {
    Error::new(Kind::Interrupted, "an earlier statement of this transaction was cut short")
        .remedy("let the transaction end, and begin a new one")
}

fn lost(error: diesel::result::Error) -> Error {
    Error::new(Kind::Unreachable, format!("the connection was lost, and nothing was changed: {error}")).caused_by(error)
}

fn not_committed(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.is_unreachable() {
        return Error::new(
            Kind::Unreachable,
            "the connection was lost while committing: look whether the change is there",
        )
        .caused_by(error);
    }
    error
}
