//! Limit of the connections that one workspace may hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;

/// Connections that each active workspace may still take.
pub(super) struct ConnectionQuota {
    max_connections: usize,
    /// Maximum time that a caller waits.
    wait: Duration,
    free: Mutex<HashMap<WorkspaceId, Weak<Semaphore>>>,
}

impl ConnectionQuota {
    pub(super) fn new(max_connections: usize, wait: Duration) -> Self {
        Self { max_connections, wait, free: Mutex::default() }
    }

    /// Acquires one connection of the workspace. Dropping the permit releases it.
    ///
    /// # Errors
    ///
    /// [`is_exhausted`](Error::is_exhausted) if the workspace holds all its connections for longer than a caller
    /// waits.
    pub(super) async fn acquire(&self, workspace: WorkspaceId) -> Result<OwnedSemaphorePermit> {
        let acquired = tokio::time::timeout(self.wait, self.semaphore(workspace).acquire_owned()).await;
        acquired.ok().and_then(std::result::Result::ok).ok_or_else(|| {
            let seconds = self.wait.as_secs();
            let what = format!(
                "all {} connections of workspace {workspace} have been in use for {seconds} s",
                self.max_connections
            );
            Error::new(ErrorKind::Exhausted, what).remedy(
                "return connections sooner, or raise WORKSPACE_DB_WORKSPACE_CONNECTIONS or WORKSPACE_DB_POOL_SIZE",
            )
        })
    }

    fn semaphore(&self, workspace: WorkspaceId) -> Arc<Semaphore> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = free.get(&workspace).and_then(Weak::upgrade) {
            return known;
        }
        if free.len() == free.capacity() {
            // Before the map grows, workspaces that hold no connection are removed.
            free.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(self.max_connections));
        free.insert(workspace, Arc::downgrade(&new));
        new
    }
}
