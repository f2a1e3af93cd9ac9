//! Connection that supports COPY, which Diesel's connection does not.

use std::ops::Deref;

use tokio_postgres::{Client, Transaction};

use crate::db::roles::Login;
use crate::error::Result;

/// The driver's own client. Each of its transactions begins with the same settings. Under the application login they
/// set the workspace. Only row-level security restricts it, as it restricts a
/// [`WorkspaceConnection`](crate::tenancy::WorkspaceConnection).
///
/// It is not a connection of the pool. If it is dropped during an operation, it is closed and the server rolls back.
pub(crate) struct BulkConnection {
    client: Client,
    settings: String,
    fence: Option<String>,
}

/// Transaction of a [`BulkConnection`].
pub(crate) struct BulkTransaction<'c> {
    transaction: Transaction<'c>,
    fence: Option<&'c str>,
}

impl BulkConnection {
    /// Opens a connection of the login, whose transactions begin with `settings` and end with `fence`.
    pub(super) async fn open(login: &Login, settings: String, fence: Option<String>) -> Result<Self> {
        Ok(Self { client: login.pool().client().await?, settings, fence })
    }

    /// Takes an advisory lock, which the connection holds until it is dropped. Returns `None` if another session holds
    /// the lock for more than 5 s. The server may need that time to notice that a session has ended. The lock belongs
    /// to a transaction, because a pooler keeps a transaction on one server connection.
    #[cfg(feature = "transfer")]
    pub(crate) async fn with_advisory_lock(self, what: &str) -> Result<Option<Self>> {
        use std::time::{Duration, Instant};

        const PATIENCE: Duration = Duration::from_secs(5);
        const POLL: Duration = Duration::from_millis(50);
        let patient = "SET LOCAL idle_in_transaction_session_timeout = 0";
        self.client.batch_execute(&format!("BEGIN{}; {patient}", self.settings)).await?;
        let lock = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 8))";
        let began = Instant::now();
        while !self.client.query_one(lock, &[&what]).await?.get::<_, bool>(0) {
            if began.elapsed() > PATIENCE {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Some(self))
    }

    /// Begins a transaction with the settings.
    pub(crate) async fn begin(&mut self) -> Result<BulkTransaction<'_>> {
        let transaction = self.client.transaction().await?;
        transaction.batch_execute(&self.settings).await?;
        Ok(BulkTransaction { transaction, fence: self.fence.as_deref() })
    }
}

impl BulkTransaction<'_> {
    /// Commits the transaction if the fence of its scope succeeds.
    pub(crate) async fn commit(self) -> Result<()> {
        if let Some(fence) = self.fence {
            self.transaction.batch_execute(fence).await?;
        }
        Ok(self.transaction.commit().await?)
    }
}

impl<'c> Deref for BulkTransaction<'c> {
    type Target = Transaction<'c>;

    fn deref(&self) -> &Transaction<'c> {
        &self.transaction
    }
}
