//! Scopes: proof that the caller may enter one workspace, and proof that the caller may administer the platform.

use std::fmt;
use std::marker::PhantomData;

use diesel_async::AsyncPgConnection;

use super::access::{Access, AccessLevel, Administer, MayWrite, Read, Write};
use super::credential::Actor;
use super::grant::Grant;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// Proof that the caller may work in one workspace. Every query on a tenant table takes one.
///
/// The id of a workspace does not give access by itself. These calls return a scope:
///
/// | caller | call | access |
/// |---|---|---|
/// | an administrator | `auth::AdminSession::workspace` | [`Write`] |
/// | an administrator of the workspace | `auth::AdminSession::administer` | [`Administer`] |
/// | the handler of a job | `jobs::RunningJob::scope` | [`Write`] |
/// | a service with its own token | `auth::service` | [`Read`] or [`Write`], as its token states |
/// | the public side | [`Database::published`](super::Database::published) | [`Read`] |
/// | code that vouches for its caller | [`WorkspaceScope::unchecked`], with the reason | [`Write`] |
///
/// A scope is a cheap token without a connection or a transaction. Keep it, clone it, and open connections with it
/// again. If the last check of its credential is at least one second old, the database checks it again. After such a
/// check, an ended session, a revoked token or an unpublished workspace opens nothing. A scope is not serializable, so
/// a request can't supply one.
pub struct WorkspaceScope<A: Access = Write> {
    workspace: WorkspaceId,
    source: ScopeOrigin,
    access: PhantomData<A>,
}

/// Token that distinguishes the databases of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatabaseToken(pub(super) u64);

/// Origin of a scope.
#[derive(Clone)]
enum ScopeOrigin {
    /// The database has accepted a credential.
    Granted(DatabaseToken, Grant),
    /// Code vouches for the access with this reason.
    Unchecked(String),
}

impl ScopeOrigin {
    fn of_another_level(&self) -> Self {
        match self {
            Self::Granted(database, grant) => Self::Granted(*database, grant.of_another_level()),
            Self::Unchecked(reason) => Self::Unchecked(reason.clone()),
        }
    }
}

impl<A: Access> WorkspaceScope<A> {
    /// Returns the scope for a credential that the database has accepted.
    pub(super) fn granted(workspace: WorkspaceId, database: DatabaseToken, grant: Grant) -> Self {
        Self { workspace, source: ScopeOrigin::Granted(database, grant), access: PhantomData }
    }

    /// Returns the workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Returns the same scope, restricted to reading.
    #[must_use]
    pub fn to_read(&self) -> WorkspaceScope<Read> {
        WorkspaceScope { workspace: self.workspace, source: self.source.of_another_level(), access: PhantomData }
    }

    /// Rejects a scope that another database of this process has returned.
    pub(super) fn check(&self, database: DatabaseToken) -> Result<()> {
        match self.source {
            ScopeOrigin::Granted(given, _) if given != database => {
                Err(Error::misuse(format!("the scope of workspace {} belongs to another `Database`", self.workspace))
                    .remedy("get the scope from the `Database` that runs the query"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the SQL that must run last in a transaction that changes rows, see
    /// [`Credential::fence`](super::credential::Credential::fence).
    pub(super) fn fence(&self) -> Option<String> {
        match &self.source {
            ScopeOrigin::Granted(_, grant) if A::LEVEL > AccessLevel::Read => grant.proof.fence(self.workspace),
            _ => None,
        }
    }

    /// Returns the grant if its last check is so old that the database must check it again.
    pub(super) fn stale_grant(&self) -> Option<&Grant> {
        match &self.source {
            ScopeOrigin::Granted(_, grant) if !grant.is_fresh() => Some(grant),
            _ => None,
        }
    }
}

impl<A: MayWrite> WorkspaceScope<A> {
    /// Returns the same scope, restricted to reading and changing the content.
    #[must_use]
    pub fn to_write(&self) -> WorkspaceScope<Write> {
        WorkspaceScope { workspace: self.workspace, source: self.source.of_another_level(), access: PhantomData }
    }
}

impl WorkspaceScope {
    /// Returns a scope without a check: you vouch that its user may enter the workspace, and state the reason.
    ///
    /// Use it on a command line, in a data migration or in a test. The reason is logged (`tracing`, level `INFO`).
    ///
    /// ```
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::tenancy::WorkspaceScope;
    ///
    /// let id = WorkspaceId::generate();
    /// let scope = WorkspaceScope::unchecked(id, "the operator named the workspace at the shell");
    /// assert_eq!(scope.workspace(), id);
    /// ```
    #[must_use]
    pub fn unchecked(workspace: WorkspaceId, reason: &str) -> Self {
        tracing::info!(%workspace, reason, "workspace scope created without a permission check");
        Self { workspace, source: ScopeOrigin::Unchecked(reason.to_owned()), access: PhantomData }
    }
}

impl WorkspaceScope<Administer> {
    /// Returns a scope to administer the workspace without a check, like [`unchecked`](WorkspaceScope::unchecked). The
    /// reason goes into the audit log with each action.
    ///
    /// ```
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::tenancy::WorkspaceScope;
    ///
    /// let scope = WorkspaceScope::unchecked_administer(WorkspaceId::generate(), "the operator publishes it at the shell");
    /// # drop(scope);
    /// ```
    #[must_use]
    pub fn unchecked_administer(workspace: WorkspaceId, reason: &str) -> Self {
        tracing::info!(%workspace, reason, "administration scope of a workspace created without a permission check");
        Self { workspace, source: ScopeOrigin::Unchecked(reason.to_owned()), access: PhantomData }
    }

    /// Returns the actor. The transaction of the action checks the credential again, so that the scope can't outlive
    /// its rights.
    pub(crate) async fn actor(&self, conn: &mut AsyncPgConnection, db: impl Into<DatabaseToken>) -> Result<Actor> {
        self.check(db.into())?;
        match &self.source {
            ScopeOrigin::Granted(_, grant) => {
                grant.proof.authorize(conn, self.workspace, AccessLevel::Administer).await?;
                grant.proof.actor()
            }
            ScopeOrigin::Unchecked(reason) => Ok(Actor::Operator { reason: reason.clone() }),
        }
    }
}

/// Proof that the caller may administer the platform: its administrators and its workspaces.
///
/// `auth::AdminSession::platform` returns it to a superadmin.
#[derive(Clone)]
pub struct PlatformScope(ScopeOrigin);

impl PlatformScope {
    pub(super) fn granted(database: DatabaseToken, grant: Grant) -> Self {
        Self(ScopeOrigin::Granted(database, grant))
    }

    /// Returns a scope without a check: you vouch that its user may administer the platform, and state the reason. The
    /// reason goes into the audit log with each action.
    ///
    /// ```
    /// use workspace_db::tenancy::PlatformScope;
    ///
    /// let platform = PlatformScope::unchecked("the operator makes the first administrator at the shell");
    /// # drop(platform);
    /// ```
    #[must_use]
    pub fn unchecked(reason: &str) -> Self {
        tracing::info!(reason, "administration scope of the platform created without a permission check");
        Self(ScopeOrigin::Unchecked(reason.to_owned()))
    }

    /// Returns the actor. The transaction of the action checks the credential again.
    pub(crate) async fn actor(&self, conn: &mut AsyncPgConnection, db: impl Into<DatabaseToken>) -> Result<Actor> {
        self.authorized_actor(conn, db.into(), false).await
    }

    /// Returns the actor, like [`actor`](Self::actor), for an action that grants power or a credential. Rejects an API
    /// token.
    pub(crate) async fn actor_in_person(
        &self,
        conn: &mut AsyncPgConnection,
        db: impl Into<DatabaseToken>,
    ) -> Result<Actor> {
        self.authorized_actor(conn, db.into(), true).await
    }

    async fn authorized_actor(
        &self,
        conn: &mut AsyncPgConnection,
        db: DatabaseToken,
        in_person: bool,
    ) -> Result<Actor> {
        match &self.0 {
            ScopeOrigin::Granted(given, _) if *given != db => {
                Err(Error::invalid("the scope of the platform belongs to another `Database`")
                    .remedy("get the scope from the `Database` that makes the change"))
            }
            ScopeOrigin::Granted(_, grant) => {
                grant.proof.authorize_superadmin(conn, in_person).await?;
                grant.proof.actor()
            }
            ScopeOrigin::Unchecked(reason) => Ok(Actor::Operator { reason: reason.clone() }),
        }
    }
}

/// Trait of a [`WorkspaceScope`], and of a [`WorkspaceConnection`](super::WorkspaceConnection), which a scope has
/// opened. No other type implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not prove that someone may be in the workspace",
    label = "a `WorkspaceConnection` or a `WorkspaceScope` is expected",
    note = "an administrator's: `session.workspace(id, &db).await?`",
    note = "a published workspace's: `db.published(\"slug\").await?`",
    note = "where you know better: `WorkspaceScope::unchecked(id, \"why\")`"
)]
pub trait ProvesWorkspace: private::Sealed {
    /// Returns the workspace.
    fn workspace(&self) -> WorkspaceId;
}

impl<A: Access> ProvesWorkspace for WorkspaceScope<A> {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

/// A variable that is already a reference proves the same, so that `in_workspace(&ws)` is the form everywhere.
impl<P: ProvesWorkspace> ProvesWorkspace for &mut P {
    fn workspace(&self) -> WorkspaceId {
        (**self).workspace()
    }
}

pub(crate) mod private {
    pub trait Sealed {}
    impl<A: super::Access> Sealed for super::WorkspaceScope<A> {}
    impl<P: super::ProvesWorkspace> Sealed for &mut P {}
}

// Implemented by hand, because a derive would require the same traits of the marker `A`.
impl<A: Access> Clone for WorkspaceScope<A> {
    fn clone(&self) -> Self {
        Self { workspace: self.workspace, source: self.source.clone(), access: PhantomData }
    }
}

impl<A: Access> fmt::Debug for WorkspaceScope<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkspaceScope({}, {:?})", self.workspace, A::LEVEL)
    }
}

impl fmt::Debug for PlatformScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformScope")
    }
}
