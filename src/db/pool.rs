//! A pool of connections.

use std::fmt;
use std::time::Duration;

use ::deadpool::Runtime;
use ::deadpool::managed::TimeoutType;
use diesel::ConnectionError;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, deadpool,
};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use futures_util::stream::BoxStream;

use super::stream::MakeStream;
use crate::config::DatabaseUrl;
use crate::error::{Error, Kind, Result};

/// How long a caller waits for a free connection.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the attempt to end an abandoned statement may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that has lain idle for longer is asked whether it still lives before it is lent.
const TRUSTED_IDLE: Duration = Duration::from_secs(30);

/// Connections of one login to one database, lent and taken back.
///
/// A connection that comes back closed or inside a transaction is not lent again.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: deadpool::Pool<AsyncPgConnection>,
    url: DatabaseUrl,
    tls: MakeStream,
}

/// A connection on loan; it goes back when it is dropped.
pub(crate) type PooledConnection = deadpool::Object<AsyncPgConnection>;

/// A pool of at most `size` connections, none of which is opened before it is asked for.
pub(crate) fn pool(url: &DatabaseUrl, size: usize) -> Result<Pool> {
    if size == 0 {
        return Err(Error::invalid("a pool of 0 connections can lend none").remedy("ask for at least 1"));
    }
    // A URL that can't be read is told now, not by the first borrower as a database that is not there.
    let (_, tls) = super::tls::settings(url)?;
    let mut config = ManagerConfig::default();
    // Looks whether the socket is open, without a round trip.
    config.recycling_method = RecyclingMethod::Fast;
    let address = url.clone();
    config.custom_setup = Box::new(move |_| {
        let url = address.clone();
        async move {
            super::connect(&url).await.map_err(|error| {
                ConnectionError::CouldntSetupConfiguration(diesel::result::Error::QueryBuilderError(error.into()))
            })
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    let connections = deadpool::Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .pre_recycle(deadpool::Hook::async_fn(|conn, metrics| ping(conn, metrics.last_used()).boxed()))
        .build()
        .map_err(|error| Error::invalid("the pool can't be built").caused_by(error))?;
    Ok(Pool { connections, url: url.clone(), tls })
}

/// A firewall may have forgotten an idle connection without telling either end.
async fn ping(conn: &mut AsyncPgConnection, idle: Duration) -> Result<(), deadpool::HookError> {
    if idle < TRUSTED_IDLE {
        return Ok(());
    }
    conn.batch_execute("SELECT 1").await.map_err(|error| deadpool::HookError::Backend(PoolError::QueryError(error)))
}

impl Pool {
    /// A connection, once one is free.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) where the database does not answer, [`is_exhausted`](Error::is_exhausted)
    /// where none is free within 30 s.
    pub(crate) async fn get(&self) -> Result<PooledConnection> {
        self.connections.get().await.map_err(|error| match error {
            deadpool::PoolError::Timeout(TimeoutType::Wait) => Error::new(
                Kind::Exhausted,
                format!(
                    "all {} connections have been in use for {} s",
                    self.connections.status().max_size,
                    WAIT_TIMEOUT.as_secs()
                ),
            )
            .remedy("give connections back sooner, or allow more with WORKSPACE_DB_POOL_SIZE"),
            error => Error::new(Kind::Unreachable, format!("no connection: {error}")).caused_by(error),
        })
    }

    /// A connection beside the pool, as the same login: the driver's own client.
    pub(crate) async fn client(&self) -> Result<tokio_postgres::Client> {
        super::client(&self.url).await
    }

    /// What is said on a channel, on a connection beside the pool, until that is lost.
    pub(crate) async fn listen(&self, channel: &'static str) -> Result<BoxStream<'static, String>> {
        super::listen(&self.url, channel).await
    }

    /// Takes a connection out of the pool, cancels what it runs and closes it.
    pub(crate) fn abandon(&self, conn: PooledConnection) {
        let abandoned = deadpool::Object::take(conn);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let cancel = super::cancelled(abandoned.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            // Where it can't be cancelled, the server notices the closed socket when it next writes.
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancel).await;
            drop(abandoned);
        });
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
