//! Start of a query on a tenant table.

use super::scoped::Scoped;
use super::table::TenantSource;
use crate::tenancy::scope::ProvesWorkspace;

/// Start of a query on a tenant table or on a [`diesel::alias!`] of one. A [`WorkspaceConnection`](crate::tenancy::WorkspaceConnection) runs only queries
/// that start with it.
pub trait InWorkspace: Sized {
    /// Returns a query on the rows of one workspace. Nothing that you add to the query reaches other rows.
    ///
    /// The workspace is that of a connection, or of a scope before there is a connection. With the connection that also
    /// runs the query, the two can't differ:
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// async fn newest(ws: &mut WorkspaceConnection) -> workspace_db::Result<Vec<Document>> {
    ///     documents::table.in_workspace(&ws).order(documents::created_at.desc()).limit(10).load(ws).await
    /// }
    /// ```
    ///
    /// A scope also builds a query without a database:
    ///
    /// ```
    /// use diesel::prelude::*;
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceScope};
    ///
    /// let scope = WorkspaceScope::unchecked(WorkspaceId::generate(), "an example");
    /// let query = documents::table.in_workspace(&scope).filter(documents::title.like("A%")).limit(10);
    /// assert!(query.to_sql().contains(r#""documents"."workspace_id" = $1"#));
    /// ```
    fn in_workspace(self, workspace: &impl ProvesWorkspace) -> Scoped<Self::InWorkspace, (Self, ())>
    where
        Self: TenantSource;
}

impl<T> InWorkspace for T {
    fn in_workspace(self, workspace: &impl ProvesWorkspace) -> Scoped<T::InWorkspace, (T, ())>
    where
        T: TenantSource,
    {
        const { T::IS_OF_TENANTS };
        let workspace = workspace.workspace();
        Scoped::new(self.of_workspace(workspace), workspace)
    }
}
