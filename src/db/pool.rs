//! Connection pool.

use std::fmt;
use std::time::Duration;

use ::deadpool::Runtime;
use ::deadpool::managed::TimeoutType;
use diesel::ConnectionError;
use diesel::connection::CacheSize;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, deadpool,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use futures_util::stream::BoxStream;

use super::cancellation::cancel;
use super::stream::MakeStream;
use super::{connection, notifications, tls};
use crate::config::DatabaseUrl;
use crate::error::{Error, ErrorKind, Result};

/// Maximum time for the attempt to cancel an abandoned statement.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle time after which a connection is tested before it is lent.
const TRUSTED_IDLE: Duration = Duration::from_secs(30);

/// Size and behaviour of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSettings<'a> {
    /// Maximum number of connections, which open on demand.
    pub(crate) size: usize,
    /// Maximum time that a caller waits for a free connection.
    pub(crate) wait: Duration,
    /// True if connections keep the statements that they have prepared.
    pub(crate) keeps_statements: bool,
    /// `application_name` of the connections, if the URL has none.
    pub(crate) name: &'a str,
}

/// Connections of one login to one database.
///
/// A connection that is returned closed or inside a transaction is not lent again.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: deadpool::Pool<AsyncPgConnection>,
    url: DatabaseUrl,
    tls: MakeStream,
    wait: Duration,
}

/// Connection on loan, which returns to the pool when it is dropped.
pub(crate) type PooledConnection = deadpool::Object<AsyncPgConnection>;

/// Creates a pool.
pub(crate) fn pool(url: &DatabaseUrl, settings: PoolSettings<'_>) -> Result<Pool> {
    let PoolSettings { size, wait, keeps_statements, name } = settings;
    if size == 0 {
        return Err(Error::invalid("the pool size is 0").remedy("use at least 1"));
    }
    // Otherwise the first borrower would get an unreadable URL as an unreachable database.
    let (_, tls) = tls::settings(url)?;
    let mut config = ManagerConfig::default();
    // Checks that the socket is open, without a round trip.
    config.recycling_method = RecyclingMethod::Fast;
    let address = url.named(name);
    config.custom_setup = Box::new(move |_| {
        let url = address.clone();
        async move {
            let mut conn = connection::connect(&url).await.map_err(|error| {
                ConnectionError::CouldntSetupConfiguration(diesel::result::Error::QueryBuilderError(error.into()))
            })?;
            if !keeps_statements {
                conn.set_prepared_statement_cache_size(CacheSize::Disabled);
            }
            Ok(conn)
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    let connections = deadpool::Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(wait))
        .runtime(Runtime::Tokio1)
        .pre_recycle(deadpool::Hook::async_fn(|conn, metrics| ping(conn, metrics.last_used()).boxed()))
        .build()
        .map_err(|error| Error::invalid("can't create the connection pool").caused_by(error))?;
    Ok(Pool { connections, url: url.clone(), tls, wait })
}

/// Tests a connection after a long idle time, since a firewall may have dropped it without notice to either end.
async fn ping(conn: &mut AsyncPgConnection, idle: Duration) -> Result<(), deadpool::HookError> {
    if idle < TRUSTED_IDLE {
        return Ok(());
    }
    conn.batch_execute("SELECT 1").await.map_err(|error| deadpool::HookError::Backend(PoolError::QueryError(error)))
}

impl Pool {
    /// Returns a connection as soon as one is free.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) if the database does not answer, [`is_exhausted`](Error::is_exhausted)
    /// if no connection becomes free in time.
    pub(crate) async fn get(&self) -> Result<PooledConnection> {
        self.connections.get().await.map_err(|error| match error {
            deadpool::PoolError::Timeout(TimeoutType::Wait) => Error::new(
                ErrorKind::Exhausted,
                format!(
                    "all {} connections have been in use for {} s",
                    self.connections.status().max_size,
                    self.wait.as_secs()
                ),
            )
            .remedy("return connections sooner, or raise WORKSPACE_DB_POOL_SIZE or WORKSPACE_DB_POOL_WAIT"),
            deadpool::PoolError::Backend(error) => connection_error(error),
            error => Error::new(ErrorKind::Unreachable, "no connection could be opened").caused_by(error),
        })
    }

    /// Opens a client of the driver outside the pool, as the same login.
    pub(crate) async fn client(&self) -> Result<tokio_postgres::Client> {
        connection::client(&self.url).await
    }

    /// Returns the notifications of a channel, from a connection outside the pool, until it is lost.
    pub(crate) async fn listen(&self, channel: &'static str) -> Result<BoxStream<'static, String>> {
        notifications::listen(&self.url, channel).await
    }

    /// Removes a connection from the pool, cancels its statement and closes it.
    pub(crate) fn abandon(&self, conn: PooledConnection) {
        let abandoned = deadpool::Object::take(conn);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let cancel = cancel(abandoned.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            // If the cancellation fails, the server notices the closed socket when it next writes.
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancel).await;
            drop(abandoned);
        });
    }
}

/// Returns the error of the connection itself, which the pool has wrapped.
fn connection_error(error: PoolError) -> Error {
    match error {
        PoolError::ConnectionError(ConnectionError::CouldntSetupConfiguration(error))
        | PoolError::QueryError(error) => error.into(),
        PoolError::ConnectionError(error) => {
            Error::new(ErrorKind::Unreachable, format!("no connection could be opened: {error}")).caused_by(error)
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
