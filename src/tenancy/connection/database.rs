//! Database with its logins, which opens workspaces. No other type reaches all of them at once.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use diesel::dsl::sql;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::stream::BoxStream;

use super::async_func::AsyncFunc;
use super::bulk::BulkConnection;
use super::notifier::Notifier;
use super::quota::ConnectionQuota;
use super::raw::RawConnection;
use super::raw_transaction::RawTransaction;
use super::reason;
use super::transactional::{TransactionGuard, TransactionalConnection};
use super::workspace::{WorkspaceConnection, settings_of};
use crate::config::{Retention, SearchLimits, Timeouts};
use crate::db::roles::{Login, PLATFORM_ROLE};
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::access::{Access, AccessLevel, Read};
use crate::tenancy::credential::Credential;
use crate::tenancy::grant::Grant;
use crate::tenancy::scope::{DatabaseToken, PlatformScope, WorkspaceScope};

/// Settings of this crate's own transactions across workspaces. The server ends one that idles for 5 s, so the locks
/// of a stopped process become free and keep no other process from its rows.
const OWN: &str = "; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Database with the logins that reach it. Cloning it is cheap and shares the pools.
///
/// | login | setting | use |
/// |---|---|---|
/// | the application's | `DATABASE_APP_URL` | workspaces, one at a time |
/// | the platform's | `DATABASE_PLATFORM_URL` | [`across_workspaces`](Self::across_workspaces) |
/// | the owner's | `DATABASE_URL` | each of these if its own login is not set; each transaction then drops to that role |
///
/// ```no_run
/// use diesel::prelude::*;
/// use workspace_db::config::Config;
/// use workspace_db::models::Document;
/// use workspace_db::schema::documents;
/// use workspace_db::tenancy::{Database, InWorkspace};
///
/// # async fn example() -> workspace_db::Result<()> {
/// let db = Database::open(&Config::from_env()?).await?;
/// let scope = db.published("acme").await?;
/// let mut ws = db.workspace(&scope).await?;
/// let documents: Vec<Document> = documents::table.in_workspace(&ws).limit(50).load(&mut ws).await?;
/// # drop(documents);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database(pub(super) Arc<DatabaseInner>);

pub(super) struct DatabaseInner {
    pub(super) token: DatabaseToken,
    /// Database that checks credentials, if this one is its replica.
    pub(super) primary: Option<Database>,
    pub(super) app: Login,
    pub(super) platform: Option<Login>,
    /// Platform login with its own pool, for raw SQL. No connection of this pool checks a credential.
    pub(super) raw_platform: Option<Login>,
    pub(super) quota: ConnectionQuota,
    pub(super) timeouts: Timeouts,
    pub(super) notifier: Arc<Notifier>,
    pub(super) search_limits: SearchLimits,
    pub(super) retention: Retention,
}

impl Database {
    /// Returns a connection that sees the scope's workspace and has the access of the scope.
    ///
    /// If the last check of the scope's credential is at least one second old, the database checks it again first. A
    /// connection that was lent before remains valid until it is returned.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if the scope opens nothing any more: its session has ended, its token was
    /// revoked, or the workspace was archived; [`is_forbidden`](Error::is_forbidden) if it has less access by now;
    /// [`is_invalid_input`](Error::is_invalid_input) if another database returned the scope;
    /// [`is_exhausted`](Error::is_exhausted) if no connection becomes free in time;
    /// [`is_unreachable`](Error::is_unreachable).
    pub async fn workspace<A: Access>(&self, scope: &WorkspaceScope<A>) -> Result<WorkspaceConnection<A>> {
        self.reauthorize(scope).await?;
        let DatabaseInner { token, app, quota, timeouts, notifier, search_limits, .. } = &*self.0;
        let workspace = scope.workspace();
        let settings = settings_of(app, workspace, A::LEVEL);
        let permit = quota.acquire(workspace).await.map_err(Error::before_commit)?;
        // A replica changes no rows, so it needs no fence. It could not lock the row of a credential either.
        let fence = if self.is_replica() { None } else { scope.fence() };
        let conn = TransactionalConnection::new(app.pool(), String::new(), fence).await?;
        let conn = conn.with_notifier(notifier).with_connection_permit(permit);
        let begin = if self.is_replica() { Read::BEGIN } else { A::BEGIN };
        Ok(WorkspaceConnection::new(conn, workspace, *token, *search_limits, begin, settings, *timeouts))
    }

    /// Returns a connection for COPY that sees the scope's workspace, outside of the pool.
    pub(crate) async fn bulk(&self, scope: &WorkspaceScope) -> Result<BulkConnection> {
        if self.is_replica() {
            return Err(Error::misuse("a replica changes no rows").remedy("pass the primary"));
        }
        self.reauthorize(scope).await?;
        let settings = settings_of(&self.0.app, scope.workspace(), AccessLevel::Write);
        BulkConnection::open(&self.0.app, settings, scope.fence()).await
    }

    /// Returns a connection for COPY that sees every workspace, outside of the pool. Each statement must name its
    /// workspace.
    #[cfg(feature = "transfer")]
    pub(crate) async fn platform_bulk(&self) -> Result<BulkConnection> {
        let login = self.platform_login()?;
        BulkConnection::open(login, login.drop_to(PLATFORM_ROLE), None).await
    }

    /// Verifies that the database responds, on a connection of the pool that has no workspace or role set. Use it for
    /// the readiness probe of a service.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_exhausted`](Error::is_exhausted);
    /// [`is_database_failure`](Error::is_database_failure) if the connection has a workspace or a role set. That is a
    /// fault of this crate, or of a pooler that is not in transaction mode.
    ///
    /// ```no_run
    /// # async fn example(db: &workspace_db::tenancy::Database) -> workspace_db::Result<()> {
    /// db.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.0.app.pool().get().await?;
        let clean =
            sql::<Bool>("coalesce(current_setting('app.workspace_id', true), '') = '' AND current_user = session_user");
        if diesel::select(clean).get_result(&mut conn).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Database, "a pooled connection has a workspace or a role set outside a transaction"))
    }

    /// Returns the scope that a credential opens, with the requested access.
    pub(crate) async fn authorize<A: Access>(
        &self,
        proof: Arc<dyn Credential>,
        workspace: WorkspaceId,
    ) -> Result<WorkspaceScope<A>> {
        let checked_at = Instant::now();
        self.authority().platform(async |conn| proof.authorize(conn, workspace, A::LEVEL).await).await?;
        Ok(self.granted(workspace, proof, checked_at))
    }

    /// Returns the scope that a credential opens, without a check: the database accepted the credential at this access
    /// at `checked_at`.
    pub(in crate::tenancy) fn granted<A: Access>(
        &self,
        workspace: WorkspaceId,
        proof: Arc<dyn Credential>,
        checked_at: Instant,
    ) -> WorkspaceScope<A> {
        WorkspaceScope::granted(workspace, self.0.token, Grant::new(proof, checked_at))
    }

    /// Returns the scope that a credential opens to write, without a check, like [`granted`](Self::granted): the statement
    /// that returned the credential at `checked_at` has checked it.
    pub(crate) fn granted_to_write(
        &self,
        workspace: WorkspaceId,
        proof: Arc<dyn Credential>,
        checked_at: Instant,
    ) -> WorkspaceScope {
        self.granted(workspace, proof, checked_at)
    }

    /// Returns the scope of the platform for a superadmin's credential.
    pub(crate) async fn authorize_platform(&self, proof: Arc<dyn Credential>) -> Result<PlatformScope> {
        let checked_at = Instant::now();
        self.authority().platform(async |conn| proof.authorize_superadmin(conn, false).await).await?;
        Ok(PlatformScope::granted(self.0.token, Grant::new(proof, checked_at)))
    }

    /// Rejects a scope of another database, or one whose credential is no longer valid.
    pub(crate) async fn reauthorize<A: Access>(&self, scope: &WorkspaceScope<A>) -> Result<()> {
        scope.check(self.0.token)?;
        let Some(grant) = scope.stale_grant() else { return Ok(()) };
        let checked_at = Instant::now();
        self.authority().platform(async |conn| grant.proof.authorize(conn, scope.workspace(), A::LEVEL).await).await?;
        grant.renew(checked_at);
        Ok(())
    }

    /// Lends a connection that sees every workspace and the global tables. It is one of the two calls that leave the
    /// scope.
    ///
    /// Use it for `workspaces` and `admin_users`, and for work on the platform as a whole, never for one tenant's
    /// work. `work` runs in one transaction and must leave it open. Then the connection is closed, so that no other
    /// caller gets session state that raw SQL has left. The reason is logged (`tracing`): at the level `INFO` the first
    /// time in the process, then at `DEBUG`.
    ///
    /// # Errors
    ///
    /// The error of `work`; [`is_interrupted`](Error::is_interrupted) if `work` has ended the transaction;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if there is no platform login;
    /// [`is_exhausted`](Error::is_exhausted), [`is_unreachable`](Error::is_unreachable).
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use diesel_async::RunQueryDsl;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(db: &Database) -> workspace_db::Result<()> {
    /// let documents: i64 = db
    ///     .across_workspaces("the size of the whole platform", async |conn| {
    ///         Ok::<_, workspace_db::Error>(documents::table.count().get_result(conn).await?)
    ///     })
    ///     .await?;
    /// # drop(documents);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn across_workspaces<'a, F, R, E>(&self, reason: &str, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFnOnce(&'c mut RawConnection) -> Result<R, E>
            + AsyncFunc<&'c mut RawConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        reason::log(reason, None);
        let login = self.0.raw_platform.as_ref().ok_or_else(no_platform_login)?;
        let mut conn = connect_platform(login, self.platform_begin(), "").await?;
        let (loan, mut raw) = RawTransaction::begin(&mut conn, Some(self.into())).await?;
        let done = work(&mut raw).await;
        loan.end_with(raw, &login.drop_to(PLATFORM_ROLE), done).await
    }

    /// Lends a connection like [`across_workspaces`](Self::across_workspaces) to this crate's own statements, which
    /// set nothing. It writes no log, because the audit log records the actions. It needs no round trip to reset the
    /// session.
    pub(crate) async fn platform<'a, F, R, E>(&self, work: F) -> Result<R, E>
    where
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<R, E>
            + AsyncFunc<&'c mut AsyncPgConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        let mut conn = self.platform_connection().await?;
        let transaction = TransactionGuard::begin(&mut conn).await?;
        let done = work(transaction.conn.connection()?).await;
        transaction.end_with(done).await
    }

    /// Returns the database that checks credentials.
    pub(crate) fn authority(&self) -> &Self {
        self.0.primary.as_ref().unwrap_or(self)
    }

    fn is_replica(&self) -> bool {
        self.0.primary.is_some()
    }

    /// Returns the SQL with which transactions across workspaces begin.
    fn platform_begin(&self) -> &'static str {
        if self.is_replica() { Read::BEGIN } else { "BEGIN" }
    }

    fn platform_login(&self) -> Result<&Login> {
        self.0.platform.as_ref().ok_or_else(no_platform_login)
    }

    /// Returns a connection of the application login, and true if its transactions drop to a restricted role.
    pub(crate) async fn app_connection(&self) -> Result<(crate::db::PooledConnection, bool)> {
        Ok((self.0.app.pool().get().await?, self.0.app.drops()))
    }

    /// Returns a connection for this crate's own statements across workspaces.
    pub(crate) async fn platform_connection(&self) -> Result<TransactionalConnection> {
        connect_platform(self.platform_login()?, self.platform_begin(), OWN).await
    }

    /// Sends a notification on a channel of the database, without waiting for it.
    pub(crate) fn notify(&self, channel: &'static str, message: &str) {
        self.0.notifier.send([(channel, message.to_owned())].into());
    }

    /// Returns the notifications of a channel, on a connection of its own, until that connection is lost.
    pub(crate) async fn listen(&self, channel: &'static str) -> Result<BoxStream<'static, String>> {
        self.platform_login()?.pool().listen(channel).await
    }

    /// Returns the default retention, for workspaces whose settings state none.
    pub(crate) fn retention(&self) -> Retention {
        self.0.retention
    }
}

impl From<&Database> for DatabaseToken {
    fn from(database: &Database) -> Self {
        database.0.token
    }
}

/// Opens a connection of the platform login, whose transactions begin with `begin` and `settings`.
async fn connect_platform(login: &Login, begin: &str, settings: &str) -> Result<TransactionalConnection> {
    TransactionalConnection::new(login.pool(), format!("{begin}{}{settings}", login.drop_to(PLATFORM_ROLE)), None).await
}

fn no_platform_login() -> Error {
    Error::new(ErrorKind::MissingPrerequisite, "no platform login is configured")
        .remedy("set DATABASE_PLATFORM_URL to a login of workspace_platform, which `workspace-db roles` creates")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.0.app.pool())
    }
}
