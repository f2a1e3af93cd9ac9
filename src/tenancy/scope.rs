//! The proof that someone may be in a workspace, and the one that someone may administer the platform.

use std::fmt;
use std::marker::PhantomData;

use diesel_async::AsyncPgConnection;

use super::Database;
use super::access::{Access, AccessLevel, Administer, MayWrite, Read, Write};
use super::grant::{Actor, Grant};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// The proof that someone may work in one workspace: every query on a tenant's table takes one.
///
/// It can't be made of an id that came from outside. The ways to get one, and what each may do:
///
/// | who asks | what gives the scope | access |
/// |---|---|---|
/// | an administrator | `auth::AdminSession::workspace` | [`Write`] |
/// | one who administers the workspace | `auth::AdminSession::administer` | [`Administer`] |
/// | the handler of a job | `jobs::RunningJob::scope` | [`Write`] |
/// | a service with a token of its own | `auth::service` | [`Read`] or [`Write`], as its token says |
/// | the public side | [`Database::published`](super::Database::published) | [`Read`] |
/// | code that knows better | [`WorkspaceScope::unchecked`], with the reason | [`Write`] |
///
/// A scope is a cheap token without a connection or a transaction: keep it, clone it, enter again with it. What it was
/// given for is asked again when it is a second old, so that a session that has ended, a token that was revoked or a
/// workspace that is no longer published opens nothing from then on. It is not serialisable, so it can't come in with a
/// request.
pub struct WorkspaceScope<A: Access = Write> {
    workspace: WorkspaceId,
    source: ScopeOrigin,
    access: PhantomData<A>,
}

/// Tells the databases of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DatabaseToken(pub(super) u64);

/// Where a scope comes from.
#[derive(Clone)]
enum ScopeOrigin {
    /// A database said so.
    Granted(DatabaseToken, Grant),
    /// Somebody vouches, or a query that was scoped goes on.
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
    /// The scope that a proof opens, which the database was asked about.
    pub(super) fn granted(workspace: WorkspaceId, database: DatabaseToken, grant: Grant) -> Self {
        Self { workspace, source: ScopeOrigin::Granted(database, grant), access: PhantomData }
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The same, and no more than reading.
    #[must_use]
    pub fn to_read(&self) -> WorkspaceScope<Read> {
        WorkspaceScope { workspace: self.workspace, source: self.source.of_another_level(), access: PhantomData }
    }

    /// Refuses a scope that another database of this process gave.
    pub(super) fn check(&self, database: DatabaseToken) -> Result<()> {
        match self.source {
            ScopeOrigin::Granted(given, _) if given != database => {
                Err(Error::invalid(format!("the scope of workspace {} was given by another database", self.workspace))
                    .remedy("ask the database that you query for the scope"))
            }
            _ => Ok(()),
        }
    }

    /// What a transaction that changes rows must end with, see [`Credential::fence`](super::Credential::fence).
    pub(super) fn fence(&self) -> Option<String> {
        match &self.source {
            ScopeOrigin::Granted(_, grant) if A::LEVEL > AccessLevel::Read => grant.proof.fence(self.workspace),
            _ => None,
        }
    }

    /// What it was given for, where that is so long ago that it must be asked again.
    pub(super) fn stale_grant(&self) -> Option<&Grant> {
        match &self.source {
            ScopeOrigin::Granted(_, grant) if !grant.is_fresh() => Some(grant),
            _ => None,
        }
    }
}

impl<A: MayWrite> WorkspaceScope<A> {
    /// The same, and no more than changing its content.
    #[must_use]
    pub fn to_write(&self) -> WorkspaceScope<Write> {
        WorkspaceScope { workspace: self.workspace, source: self.source.of_another_level(), access: PhantomData }
    }
}

impl WorkspaceScope {
    /// A scope that nobody checked: you vouch that whoever it is made for may be in the workspace, and why.
    ///
    /// For a command line, a migration of data, a test. The reason is logged (`tracing`, level `INFO`).
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
        tracing::info!(%workspace, reason, "a workspace was entered without a check");
        Self { workspace, source: ScopeOrigin::Unchecked(reason.to_owned()), access: PhantomData }
    }
}

impl WorkspaceScope<Read> {
    /// The scope of a query that has been scoped already.
    pub(super) fn derived(workspace: WorkspaceId) -> Self {
        Self { workspace, source: ScopeOrigin::Unchecked(String::new()), access: PhantomData }
    }
}

impl WorkspaceScope<Administer> {
    /// As [`unchecked`](WorkspaceScope::unchecked), for whoever administers the workspace; the reason goes into the
    /// audit log with what is done.
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
        tracing::info!(%workspace, reason, "a workspace is administered without a check");
        Self { workspace, source: ScopeOrigin::Unchecked(reason.to_owned()), access: PhantomData }
    }

    /// Who acts with it. Asked again within the transaction of the deed, so that it can't outlive its right.
    pub(crate) async fn actor(&self, conn: &mut AsyncPgConnection, db: &Database) -> Result<Actor> {
        self.check(db.token())?;
        match &self.source {
            ScopeOrigin::Granted(_, grant) => {
                grant.proof.authorize(conn, self.workspace, AccessLevel::Administer).await?;
                grant.proof.actor()
            }
            ScopeOrigin::Unchecked(reason) => Ok(Actor::Operator { reason: reason.clone() }),
        }
    }
}

/// The proof that someone may administer the platform: its administrators and its workspaces.
///
/// `auth::AdminSession::platform` gives it to a superadmin.
#[derive(Clone)]
pub struct PlatformScope(ScopeOrigin);

impl PlatformScope {
    pub(super) fn granted(database: DatabaseToken, grant: Grant) -> Self {
        Self(ScopeOrigin::Granted(database, grant))
    }

    /// A scope that nobody checked: you vouch that whoever it is made for may administer the platform, and why. The
    /// reason goes into the audit log with what is done.
    ///
    /// ```
    /// use workspace_db::tenancy::PlatformScope;
    ///
    /// let platform = PlatformScope::unchecked("the operator makes the first administrator at the shell");
    /// # drop(platform);
    /// ```
    #[must_use]
    pub fn unchecked(reason: &str) -> Self {
        tracing::info!(reason, "the platform is administered without a check");
        Self(ScopeOrigin::Unchecked(reason.to_owned()))
    }

    /// Who acts with it. Asked again within the transaction of the deed.
    pub(crate) async fn actor(&self, conn: &mut AsyncPgConnection, db: &Database) -> Result<Actor> {
        self.asked(conn, db, false).await
    }

    /// As [`actor`](Self::actor), for a deed that gives somebody power or a credential: an API token does not do it.
    pub(crate) async fn actor_in_person(&self, conn: &mut AsyncPgConnection, db: &Database) -> Result<Actor> {
        self.asked(conn, db, true).await
    }

    async fn asked(&self, conn: &mut AsyncPgConnection, db: &Database, in_person: bool) -> Result<Actor> {
        match &self.0 {
            ScopeOrigin::Granted(given, _) if *given != db.token() => {
                Err(Error::invalid("the scope of the platform was given by another database")
                    .remedy("ask the database that you change for the scope"))
            }
            ScopeOrigin::Granted(_, grant) => {
                grant.proof.authorize_superadmin(conn, in_person).await?;
                grant.proof.actor()
            }
            ScopeOrigin::Unchecked(reason) => Ok(Actor::Operator { reason: reason.clone() }),
        }
    }
}

/// A scope, and nothing else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not prove that someone may be in the workspace",
    label = "a `WorkspaceScope` is asked for",
    note = "an administrator's: `session.workspace(id, &db).await?`",
    note = "a published workspace's: `db.published(\"slug\").await?`",
    note = "where you know better: `WorkspaceScope::unchecked(id, \"why\")`"
)]
pub trait ProvesWorkspace: private::Sealed {
    /// The workspace.
    fn workspace(&self) -> WorkspaceId;
}

impl<A: Access> ProvesWorkspace for WorkspaceScope<A> {
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

mod private {
    pub trait Sealed {}
    impl<A: super::Access> Sealed for super::WorkspaceScope<A> {}
}

// By hand: derives would ask the same of the marker.
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
