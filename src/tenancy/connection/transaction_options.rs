//! Transactions with an isolation level, retries and settings of their own.

use std::error::Error as StdError;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use diesel::dsl::sql;
use diesel::sql_types::{Array, Bool, Text};
use diesel_async::RunQueryDsl;

use super::async_func::AsyncFunc;
use super::load::{LoadsAs as _, all};
use super::workspace::WorkspaceConnection;
use crate::config::Timeouts;
use crate::error::{Error, Result};
use crate::tenancy::access::Access;

/// Pause before the first retry. Each further pause is twice as long, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Settings that a transaction may change: none of them changes the workspace, the role, or the meaning of a statement. A
/// search sets others for itself (`jit`, `hnsw.ef_search`) and resets them, so they are not here.
const LOCAL_SETTINGS: &[&str] = &[
    "cursor_tuple_fraction",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexscan",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "enable_sort",
    "from_collapse_limit",
    "join_collapse_limit",
    "lock_timeout",
    "max_parallel_workers_per_gather",
    "random_page_cost",
    "statement_timeout",
    "temp_buffers",
    "work_mem",
];

/// Isolation level of a transaction, with PostgreSQL's meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    #[default]
    ReadCommitted,
    /// All statements see what was committed before the first one. A change of a row that another transaction has changed
    /// since fails, and is [retryable](Error::is_retryable).
    RepeatableRead,
    /// The transactions have the effect of some order, one after the other. If there is none, one fails, and is
    /// [retryable](Error::is_retryable).
    Serializable,
}

/// Options of [`transaction_with`](WorkspaceConnection::transaction_with).
///
/// ```
/// use std::time::Duration;
/// use workspace_db::tenancy::{Isolation, TransactionOptions};
///
/// let transfer = TransactionOptions::new(Isolation::Serializable).retries(5).statement_timeout(Duration::from_secs(2));
/// let report = TransactionOptions::new(Isolation::Serializable).read_only().deferrable();
/// # drop((transfer, report));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TransactionOptions {
    isolation: Isolation,
    is_read_only: bool,
    is_deferrable: bool,
    retries: u32,
    statement_timeout: Option<Duration>,
}

impl TransactionOptions {
    /// Returns the options of a transaction with that isolation level, without retries.
    pub const fn new(isolation: Isolation) -> Self {
        Self { isolation, is_read_only: false, is_deferrable: false, retries: 0, statement_timeout: None }
    }

    /// Runs the work again if it fails with an error that [`is_retryable`](Error::is_retryable), at most so many times.
    pub const fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// Rejects each statement that changes rows.
    pub const fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    /// Waits until the transaction can neither fail nor make another fail. It has an effect only on one that is
    /// serializable and read-only, such as a long report.
    pub const fn deferrable(self) -> Self {
        Self { is_deferrable: true, ..self }
    }

    /// Sets the timeout of each statement, in place of that of the connection. Zero sets none.
    pub const fn statement_timeout(self, timeout: Duration) -> Self {
        Self { statement_timeout: Some(timeout), ..self }
    }

    /// Returns the SQL that begins the transaction.
    fn begin(self, begin: &str, settings: &str, timeouts: Timeouts) -> String {
        let isolation = match self.isolation {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        };
        // The scope may have made the transaction read-only, which the same words twice would not change.
        let read_only = if self.is_read_only { " READ ONLY" } else { "" };
        let deferrable = if self.is_deferrable { " DEFERRABLE" } else { "" };
        let timeouts = Timeouts { statement: self.statement_timeout.unwrap_or(timeouts.statement), ..timeouts };
        format!("{begin} ISOLATION LEVEL {isolation}{read_only}{deferrable}{settings}{}", timeouts.sql())
    }
}

impl<A: Access> WorkspaceConnection<A> {
    /// Runs `work` in a transaction with options, and again if a retry can succeed.
    ///
    /// `work` can run several times, so it must have no effect outside of the transaction. A retry begins with a new
    /// transaction, after a pause that doubles from 5 to 500 ms with jitter. An error is retryable if it or one of its
    /// [sources](StdError::source) is an [`Error`] that [`is_retryable`](Error::is_retryable).
    ///
    /// # Errors
    ///
    /// The error of the last try; the errors of [`transaction`](Self::transaction);
    /// [`is_invalid_input`](Error::is_invalid_input) within another transaction, which has an isolation level already.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::NewDocument;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, Isolation, TransactionOptions, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let options = TransactionOptions::new(Isolation::Serializable).retries(5);
    /// ws.transaction_with(options, async |tx| {
    ///     // No two of these transactions both count 99.
    ///     let count: i64 = documents::table.in_workspace(&tx).count().get_result(tx).await?;
    ///     if count >= 100 {
    ///         return Err(workspace_db::Error::invalid("the workspace has 100 documents"));
    ///     }
    ///     documents::table.in_workspace(&tx).insert(&NewDocument::new("Opening hours")).execute(tx).await
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction_with<'a, F, R, E>(&mut self, options: TransactionOptions, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFn(&'c mut Self) -> Result<R, E>,
        for<'w, 'c> &'w F: AsyncFunc<&'c mut Self, Result<R, E>, Fut: Send>,
        F: Send + Sync + 'a,
        R: Send,
        E: From<Error> + StdError + Send + 'static,
    {
        if self.is_in_transaction() {
            return Err(Error::misuse("a transaction is open, which has an isolation level already")
                .remedy("call `transaction_with` outside of it, or `transaction` for a savepoint")
                .into());
        }
        let begin = options.begin(self.begin(), self.settings(), self.timeouts());
        let retries = usize::try_from(options.retries).unwrap_or(usize::MAX);
        let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(MAX_PAUSE);
        let mut pauses = pauses.with_max_times(retries).with_jitter().build();
        loop {
            let done = self.transaction_by(Some(&begin), &work).await;
            match done {
                Err(error) if is_retryable(&error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
                done => return done,
            }
        }
    }

    /// Changes a setting of the server for the rest of the open transaction. Its end puts the setting back, and so does a
    /// rollback to a savepoint before it.
    ///
    /// The name is that of a timeout, of memory or of the planner, such as `statement_timeout`, `lock_timeout`, `work_mem` or
    /// `enable_seqscan`; the value has PostgreSQL's form, such as `5min` or `64MB`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if no transaction is open, the name is another, or the server rejects
    /// the value; the errors of a statement.
    ///
    /// ```no_run
    /// # async fn example(ws: &mut workspace_db::tenancy::WorkspaceConnection) -> workspace_db::Result<()> {
    /// ws.transaction(async |tx| {
    ///     tx.set_local("statement_timeout", "5min").await?;
    ///     // A long statement.
    ///     Ok::<_, workspace_db::Error>(())
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_local(&mut self, name: &str, value: &str) -> Result<()> {
        if !self.is_in_transaction() {
            return Err(Error::misuse(format!("{name} can only be set within a transaction"))
                .remedy("call it on the `tx` of `ws.transaction(async |tx| ...)`"));
        }
        let Some(name) = LOCAL_SETTINGS.iter().find(|allowed| allowed.eq_ignore_ascii_case(name)) else {
            return Err(Error::misuse(format!("{name:?} can't be set in a workspace"))
                .remedy(format!("use one of {}", LOCAL_SETTINGS.join(", "))));
        };
        let set = sql::<Bool>("set_config(").bind::<Text, _>(*name).sql(", ").bind::<Text, _>(value.to_owned());
        let set = diesel::select(set.sql(", true) IS NOT NULL"));
        // Behind a savepoint, so that a rejected value does not end the transaction.
        let done: Result<usize> = self.internal_sql(async |conn| Ok(set.execute(conn).await?)).await;
        match done {
            Err(error) if error.is_database_failure() => {
                Err(Error::invalid(format!("{name} can't be set to {value:?}: {error}")).caused_by(error))
            }
            done => done.map(drop),
        }
    }

    /// Returns the SQL that sets again what the open transaction has changed. Raw SQL resets all settings.
    pub(super) async fn local_settings(&mut self) -> Result<String> {
        if !self.is_in_transaction() {
            return Ok(String::new());
        }
        let changed = sql::<Text>("(SELECT coalesce(string_agg(format('; SET LOCAL %s = %L', name, setting), ''), '') FROM pg_settings WHERE source = 'session' AND name = ANY (")
            .bind::<Array<Text>, _>(LOCAL_SETTINGS)
            .sql("))");
        let settings: Vec<String> = self.internal(|conn| all(diesel::select(changed).start(conn))).await?;
        Ok(settings.concat())
    }
}

/// Returns true if the error or one of its sources is an error of this crate that a retry can remove.
fn is_retryable(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<Error>().is_some_and(Error::is_retryable) {
            return true;
        }
        next = error.source();
    }
    false
}
