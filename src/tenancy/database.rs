//! A database with its logins: where workspaces are entered, and the one place from which all of them are seen.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::bulk::BulkConnection;
use super::connection::WorkspaceConnection;
use super::function::AsyncFunc;
use super::scope::{DatabaseToken, WorkspaceScope};
use super::session::{Session, Unfinished};
use crate::config::{Config, Environment, SearchLimits};
use crate::db::roles::{self, Login, PLATFORM_ROLE};
use crate::error::{Error, Kind, Result};
use crate::id::{AdminUserId, WorkspaceId};
use crate::schema::{admin_users, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminStatus};

/// A database with the logins that reach it. Cloning it is cheap and shares the pools.
///
/// | login | setting | what runs on it |
/// |---|---|---|
/// | the application's | `DATABASE_APP_URL` | workspaces, one at a time |
/// | the platform's | `DATABASE_PLATFORM_URL` | [`across_workspaces`](Self::across_workspaces) |
/// | the owner's | `DATABASE_URL` | either, where its own login is not set: each transaction then drops to that role |
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
/// let documents: Vec<Document> = documents::table.in_workspace(&scope).limit(50).load(&mut ws).await?;
/// # drop(documents);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database(Arc<Logins>);

struct Logins {
    token: DatabaseToken,
    app: Login,
    platform: Option<Login>,
    search_limits: SearchLimits,
}

impl Database {
    /// The database that `config` names, once it has been asked what the logins may do there.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where no URL is set, the database has not been
    /// migrated, a login is not a member of its role, or, in production, the application's login could bypass row-level
    /// security: a superuser, one with BYPASSRLS, an owner of tables. The remedy says how to make a right one.
    /// [`is_unreachable`](Error::is_unreachable) where nobody answers.
    pub async fn open(config: &Config) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let owner = config.database_url.as_ref();
        let Some(app) = config.database_app_url.as_ref().or(owner) else {
            return Err(Error::new(Kind::MissingPrerequisite, "no database is named")
                .remedy("set DATABASE_APP_URL, or DATABASE_URL, or run `workspace-db up`"));
        };
        let app = roles::app_login(app, config.pool_size, config.environment == Environment::Production).await?;
        let platform = match config.database_platform_url.as_ref().or(owner) {
            Some(url) => Some(roles::platform_login(url, config.pool_size).await?),
            None => None,
        };
        let token = DatabaseToken(NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Self(Arc::new(Logins { token, app, platform, search_limits: config.search })))
    }

    /// A connection that sees the scope's workspace.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where another database gave the scope;
    /// [`is_exhausted`](Error::is_exhausted) where no connection becomes free in time;
    /// [`is_unreachable`](Error::is_unreachable).
    pub async fn workspace(&self, scope: &WorkspaceScope) -> Result<WorkspaceConnection> {
        scope.check(self.0.token)?;
        WorkspaceConnection::new(self, scope).await
    }

    /// A connection for COPY that sees the scope's workspace, beside the pool.
    pub(crate) async fn bulk(&self, scope: &WorkspaceScope) -> Result<BulkConnection> {
        scope.check(self.0.token)?;
        BulkConnection::new(self, scope).await
    }

    /// Whether the database answers, on a connection as the next caller would get it, with nothing set on it: for the
    /// readiness probe of a service.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_exhausted`](Error::is_exhausted);
    /// [`is_database_failure`](Error::is_database_failure) where the connection has a workspace or a role set, which is a
    /// fault of this crate or of a pooler that is not in transaction mode.
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
        Err(Error::new(
            Kind::Database,
            "a connection of the pool has a workspace or a role set outside of a transaction",
        ))
    }

    /// The scope of a workspace's public side: of an active and published one, by its slug.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) where there is none, or it is not published: the two can't be told apart.
    pub async fn published(&self, slug: &str) -> Result<WorkspaceScope> {
        let found: Option<WorkspaceId> = self
            .across_workspaces("the public side of a workspace is found by its slug", async |conn| {
                let query = workspaces::table
                    .filter(workspaces::slug.eq(slug).and(workspaces::is_active).and(workspaces::is_published))
                    .select(workspaces::id);
                Ok::<_, Error>(query.first(conn).await.optional()?)
            })
            .await?;
        let workspace = found.ok_or_else(|| no_workspace(&format!("{slug:?} is published")))?;
        Ok(WorkspaceScope::granted(workspace, self.0.token))
    }

    /// The scope of an active administrator in an active workspace: of every one for a superadmin, else of their own.
    pub(crate) async fn admitted(&self, admin: AdminUserId, workspace: WorkspaceId) -> Result<WorkspaceScope> {
        let found: Option<WorkspaceId> = self
            .across_workspaces("an administrator's memberships are looked up", async |conn| {
                let membership = workspace_admins::table
                    .filter(workspace_admins::workspace_id.eq(workspace))
                    .filter(workspace_admins::admin_user_id.eq(admin));
                let query = workspaces::table
                    .inner_join(admin_users::table.on(admin_users::id.eq(admin)))
                    .filter(workspaces::id.eq(workspace).and(workspaces::is_active))
                    .filter(admin_users::status.eq(AdminStatus::Active))
                    .filter(admin_users::role.eq(AdminRole::Superadmin).or(diesel::dsl::exists(membership)))
                    .select(workspaces::id);
                Ok::<_, Error>(query.first(conn).await.optional()?)
            })
            .await?;
        let workspace = found.ok_or_else(|| no_workspace(&format!("{workspace} is open to this administrator")))?;
        Ok(WorkspaceScope::granted(workspace, self.0.token))
    }

    /// The second loud way out: lends a connection that sees every workspace, and the global tables.
    ///
    /// For `workspaces` and `admin_users`, for what concerns the platform as a whole, and never for one tenant's work.
    /// `work` runs in one transaction. The reason is logged (`tracing`, level `INFO`).
    ///
    /// # Errors
    ///
    /// What `work` returns; [`is_missing_prerequisite`](Error::is_missing_prerequisite) where there is no login for it;
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
        for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<R, E>
            + AsyncFunc<&'c mut AsyncPgConnection, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        R: Send,
        E: From<Error> + Send,
    {
        tracing::info!(reason, "a query across workspaces");
        let login = self.0.platform.as_ref().ok_or_else(|| {
            Error::new(Kind::MissingPrerequisite, "there is no login that may see every workspace")
                .remedy("set DATABASE_PLATFORM_URL to a login of workspace_platform, which `workspace-db roles` makes")
        })?;
        let mut session = Session::new(login.pool(), format!("BEGIN{}", login.drop_to(PLATFORM_ROLE))).await?;
        // Whatever `work` sets for the whole session goes with the connection, unless it comes back in order.
        session.tainted = true;
        let lent = Unfinished::begin(&mut session).await?;
        let done = work(lent.lent.connection()?).await;
        lent.take_back("", done).await
    }

    pub(super) fn token(&self) -> DatabaseToken {
        self.0.token
    }

    pub(super) fn search_limits(&self) -> SearchLimits {
        self.0.search_limits
    }

    pub(super) fn app(&self) -> &Login {
        &self.0.app
    }
}

fn no_workspace(which: &str) -> Error {
    Error::new(Kind::NotFound, format!("no workspace {which}"))
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.0.app.pool())
    }
}
