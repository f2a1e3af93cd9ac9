//! A connection of one workspace that speaks COPY, which Diesel's does not.

use std::ops::Deref;

use tokio_postgres::{Client, Transaction};

use super::connection::settings_of;
use super::{Database, WorkspaceScope};
use crate::error::Result;

/// The driver's own client, as the application's login, whose transactions all have the workspace set: row-level
/// security binds it as it binds a [`WorkspaceConnection`](super::WorkspaceConnection), and nothing else does.
///
/// It is no connection of the pool. Dropped in the middle of something, it is closed, and the server rolls back.
pub(crate) struct BulkConnection {
    client: Client,
    settings: String,
    fence: Option<String>,
}

/// A transaction in the workspace.
pub(crate) struct BulkTransaction<'c> {
    transaction: Transaction<'c>,
    fence: Option<&'c str>,
}

impl BulkConnection {
    pub(super) async fn new(database: &Database, scope: &WorkspaceScope) -> Result<Self> {
        let client = database.app().pool().client().await?;
        let settings = settings_of(database, scope.workspace());
        Ok(Self { client, settings, fence: scope.fence() })
    }

    /// Begins a transaction in the workspace.
    pub(crate) async fn begin(&mut self) -> Result<BulkTransaction<'_>> {
        let transaction = self.client.transaction().await?;
        transaction.batch_execute(&self.settings).await?;
        Ok(BulkTransaction { transaction, fence: self.fence.as_deref() })
    }
}

impl BulkTransaction<'_> {
    /// Keeps what was done, while what the scope was given for holds.
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
