//! Public side of a workspace: no credential, because the workspace is published.

use std::sync::Arc;
use std::time::Instant;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::access::{AccessLevel, Read};
use super::connection::Database;
use super::credential::{Credential, no_workspace};
use super::scope::WorkspaceScope;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::schema::workspaces;

/// Property of a workspace that is active and published, which stands in place of a credential.
struct PublicSide;

impl Credential for PublicSide {
    fn level<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        workspace: WorkspaceId,
    ) -> BoxFuture<'c, Result<Option<AccessLevel>>> {
        level_of_public(conn, workspace).boxed()
    }

    fn holder(&self) -> &'static str {
        "the public side"
    }

    fn fence(&self, _workspace: WorkspaceId) -> Option<String> {
        None
    }
}

impl Database {
    /// Returns the scope of a workspace's public side, which reads. The workspace with this slug must be active and
    /// published.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if there is no such workspace or it is not published. The error is the
    /// same.
    pub async fn published(&self, slug: &str) -> Result<WorkspaceScope<Read>> {
        // PostgreSQL's text can't contain NUL, so no workspace has that slug.
        if slug.contains('\0') {
            return Err(no_workspace(&format!("{slug:?}")));
        }
        let checked_at = Instant::now();
        let found: Option<WorkspaceId> = self
            .authority()
            .platform(async |conn| {
                let query = workspaces::table
                    .filter(workspaces::slug.eq(slug).and(workspaces::is_active).and(workspaces::is_published))
                    .select(workspaces::id);
                Ok::<_, Error>(query.first(conn).await.optional()?)
            })
            .await?;
        let workspace = found.ok_or_else(|| no_workspace(&format!("{slug:?}")))?;
        Ok(self.granted(workspace, Arc::new(PublicSide), checked_at))
    }
}

async fn level_of_public(conn: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Option<AccessLevel>> {
    let found: Option<WorkspaceId> = workspaces::table
        .filter(workspaces::id.eq(workspace).and(workspaces::is_active).and(workspaces::is_published))
        .select(workspaces::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|_| AccessLevel::Read))
}
