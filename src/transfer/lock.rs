//! The lock that excludes other transfers of a workspace.

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{BulkConnection, Database};

/// Excludes other transfers of the workspace until the returned connection is dropped.
pub(super) async fn lock(db: &Database, workspace: WorkspaceId) -> Result<BulkConnection> {
    let held = db.platform_bulk().await?.with_advisory_lock(&format!("transfer of {workspace}")).await?;
    held.ok_or_else(|| {
        Error::new(
            ErrorKind::Conflict,
            format!("another import, erasure or move of the workspace {workspace} is running"),
        )
        .remedy("wait until it ends")
    })
}
