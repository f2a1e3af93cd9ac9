//! The proof that someone may be in a workspace.

use std::fmt;

use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// The proof that someone may work in one workspace: every query on a tenant's table takes one.
///
/// It can't be made of an id that came from outside. The ways to get one:
///
/// | who asks | what gives the scope |
/// |---|---|
/// | an administrator | [`AdminUser::workspace`](crate::models::AdminUser::workspace) |
/// | the public side | [`Database::published`](super::Database::published) |
/// | code that knows better | [`WorkspaceScope::vouched_for`], with the reason |
///
/// A scope is a cheap token without a connection or a transaction: keep it, clone it, enter again with it. It is not
/// serialisable, so it can't come in with a request.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkspaceScope {
    workspace: WorkspaceId,
    /// The database that said so; a scope that was vouched for fits every one.
    database: Option<DatabaseToken>,
}

/// Tells the databases of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseToken(pub(super) u64);

impl WorkspaceScope {
    pub(super) fn granted(workspace: WorkspaceId, database: DatabaseToken) -> Self {
        Self { workspace, database: Some(database) }
    }

    /// The scope of a query that has been scoped already.
    pub(super) fn continued(workspace: WorkspaceId) -> Self {
        Self { workspace, database: None }
    }

    /// A scope that nobody checked: you vouch that whoever it is made for may be in the workspace, and why.
    ///
    /// For a command line, a migration of data, a test. The reason is logged (`tracing`, level `INFO`).
    ///
    /// ```
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::tenancy::WorkspaceScope;
    ///
    /// let id = WorkspaceId::generate();
    /// let scope = WorkspaceScope::vouched_for(id, "the operator named the workspace at the shell");
    /// assert_eq!(scope.workspace(), id);
    /// ```
    #[must_use]
    pub fn vouched_for(workspace: WorkspaceId, reason: &str) -> Self {
        tracing::info!(%workspace, reason, "a workspace was entered without a check");
        Self { workspace, database: None }
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Refuses a scope that another database of this process gave.
    pub(super) fn check(&self, database: DatabaseToken) -> Result<()> {
        match self.database {
            Some(given) if given != database => {
                Err(Error::invalid(format!("the scope of workspace {} was given by another database", self.workspace))
                    .remedy("ask the database that you query for the scope"))
            }
            _ => Ok(()),
        }
    }
}

/// A scope, and nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not prove that someone may be in the workspace",
    label = "a `WorkspaceScope` is asked for",
    note = "an administrator's: `admin.workspace(id, &db).await?`",
    note = "a published workspace's: `db.published(\"slug\").await?`",
    note = "where you know better: `WorkspaceScope::vouched_for(id, \"why\")`"
)]
pub trait ProvesWorkspace: private::Sealed {
    /// The workspace.
    fn workspace(&self) -> WorkspaceId;
}

impl ProvesWorkspace for WorkspaceScope {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::WorkspaceScope {}
}

impl fmt::Debug for WorkspaceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceScope({})", self.workspace)
    }
}
