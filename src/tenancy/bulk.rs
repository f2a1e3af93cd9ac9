//! A connection of one workspace that speaks COPY, which Diesel's does not.

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
}

impl BulkConnection {
    pub(super) async fn new(database: &Database, scope: &WorkspaceScope) -> Result<Self> {
        let client = database.app().pool().client().await?;
        let settings = settings_of(database, scope.workspace());
        Ok(Self { client, settings })
    }

    /// Begins a transaction in the workspace.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_>> {
        let transaction = self.client.transaction().await?;
        transaction.batch_execute(&self.settings).await?;
        Ok(transaction)
    }
}
