//! Credentials for which scopes are granted. The modules that issue a credential implement its check.

use std::fmt;
use std::net::IpAddr;
use std::panic::RefUnwindSafe;

use diesel_async::AsyncPgConnection;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};

use super::access::AccessLevel;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AdminUserId, WorkspaceId};

/// Actor of an action, as the audit log records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An administrator with a session or an API token.
    Administrator {
        /// Id of the administrator.
        id: AdminUserId,
        /// Address of the request, if the backend states it.
        address: Option<IpAddr>,
    },
    /// A holder of the platform login, such as an operator at the shell.
    Operator {
        /// Reason for the action.
        reason: String,
    },
}

/// Credential that a caller has presented.
///
/// `RefUnwindSafe` because a scope holds one, and a scope may be used after a panic.
pub(crate) trait Credential: RefUnwindSafe + Send + Sync {
    /// Returns the highest level at which the credential opens the workspace now, as the database states it. Returns
    /// `None` if it does not open the workspace, even if there is no such workspace.
    fn level<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        workspace: WorkspaceId,
    ) -> BoxFuture<'c, Result<Option<AccessLevel>>>;

    /// Returns the holder of the credential, for messages: "this administrator".
    fn holder(&self) -> &'static str;

    /// Verifies in the database that the credential is a superadmin's now. `in_person` requires a login session and
    /// rejects an API token.
    fn authorize_superadmin<'c>(
        &'c self,
        _conn: &'c mut AsyncPgConnection,
        _in_person: bool,
    ) -> BoxFuture<'c, Result<()>> {
        ready(Err(not_a_superadmin())).boxed()
    }

    /// Returns the SQL that must run last in a transaction with this credential, so that it commits only while the
    /// credential is valid; `None` if the check before the transaction is enough.
    fn fence(&self, workspace: WorkspaceId) -> Option<String>;

    /// Returns the actor of the credential, if its holder may administer.
    fn actor(&self) -> Result<Actor> {
        Err(not_a_superadmin())
    }
}

impl dyn Credential {
    /// Verifies in the database that the credential opens the workspace at this level now.
    ///
    /// Returns [`is_not_found`](Error::is_not_found) if it does not open the workspace, even if there is no such
    /// workspace; [`is_forbidden`](Error::is_forbidden) if it opens it at a lower level.
    pub(super) async fn authorize(
        &self,
        conn: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        level: AccessLevel,
    ) -> Result<()> {
        match self.level(conn, workspace).await? {
            None => Err(no_workspace(&workspace.to_string())),
            Some(highest) if highest < level => Err(Error::new(
                ErrorKind::Forbidden,
                format!("{self:?} lacks the permission for this in workspace {workspace}"),
            )
            .remedy("ask an administrator of the workspace to change the role")),
            Some(_) => Ok(()),
        }
    }
}

/// Returns the same message for a workspace that does not exist and for one that the caller may not enter.
pub(super) fn no_workspace(which: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("the workspace {which} does not exist or is not accessible"))
}

/// Returns the error of a caller that is not a superadmin.
pub(crate) fn not_a_superadmin() -> Error {
    Error::new(ErrorKind::Forbidden, "only a superadmin can administer the platform")
}

// It shows no secret of the credential.
impl fmt::Debug for dyn Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.holder())
    }
}
