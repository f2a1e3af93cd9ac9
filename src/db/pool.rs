//! A pool of connections.

use std::time::Duration;

use deadpool::Runtime;
use diesel::ConnectionError;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt as _;

use crate::config::DatabaseUrl;
use crate::error::{Error, Kind, Result};

/// How long a caller waits for a free connection.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one login to one database, lent and taken back.
///
/// A connection that comes back inside a transaction is closed, not lent again.
#[derive(Clone)]
pub struct Pool(diesel_async::pooled_connection::deadpool::Pool<AsyncPgConnection>);

/// A connection on loan; it goes back when it is dropped.
pub type PooledConnection = diesel_async::pooled_connection::deadpool::Object<AsyncPgConnection>;

/// A pool of at most `size` connections, none of which is opened before it is asked for.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where `size` is 0, or a parameter of the URL can't be read.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// let pool = workspace_db::db::pool(&"postgres://app@localhost/platform".parse()?, 8)?;
/// let mut conn = pool.get().await?;
/// # drop(conn);
/// # Ok(())
/// # }
/// ```
pub fn pool(url: &DatabaseUrl, size: usize) -> Result<Pool> {
    if size == 0 {
        return Err(Error::invalid("a pool of 0 connections can lend none").remedy("ask for at least 1"));
    }
    // A URL that can't be read is told now, not by the first borrower as a database that is not there.
    super::tls::settings(url)?;
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Verified;
    let url = url.clone();
    config.custom_setup = Box::new(move |_| {
        let url = url.clone();
        async move {
            super::connect(&url).await.map_err(|error| {
                ConnectionError::CouldntSetupConfiguration(diesel::result::Error::QueryBuilderError(error.into()))
            })
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    diesel_async::pooled_connection::deadpool::Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .build()
        .map(Pool)
        .map_err(|error| Error::invalid("the pool can't be built").caused_by(error))
}

impl Pool {
    /// A connection, once one is free.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) where the database does not answer, or none is free within 30 s.
    pub async fn get(&self) -> Result<PooledConnection> {
        self.0
            .get()
            .await
            .map_err(|error| Error::new(Kind::Unreachable, format!("no connection: {error}")).caused_by(error))
    }
}
