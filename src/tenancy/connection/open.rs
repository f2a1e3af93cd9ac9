//! The opening of a database, with the checks of its logins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;

use super::database::{Database, DatabaseInner};
use super::notifier::Notifier;
use super::quota::ConnectionQuota;
use crate::config::{Config, Environment};
use crate::db::{PoolSettings, pool, roles};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::admin_users;
use crate::sql_types::AdminStatus;
use crate::tenancy::scope::DatabaseToken;

/// Hash of the published password, as the bootstrap migration inserts it.
const BOOTSTRAP_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$o0+k5TF9kdLYRAvUPozwpg$OAblueHNKvhbC62ojMbJpWoXgDgtWnQjfMnfsEl0rw4";

impl Database {
    /// Opens the database that `config` names, after it has checked the privileges of the logins there.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if no URL is set, the database has not been
    /// migrated, or a login is not a member of its role. Production also rejects an application login that could
    /// bypass row-level security (a superuser, one with BYPASSRLS, an owner of tables). It also rejects the
    /// bootstrap's documented password if it still works. The remedy states the correction.
    /// [`is_unreachable`](Error::is_unreachable) if the server does not respond.
    pub async fn open(config: &Config) -> Result<Self> {
        Self::open_beside(config, None).await
    }

    /// Opens a replica of this database, which `config` names. Scopes and sessions of either are valid on both.
    ///
    /// The primary checks every credential, so a revoked token ends on the replica as fast as on the primary. Rows arrive
    /// with the delay of the replication. Each transaction is read-only.
    /// A standby server has no serializable transactions.
    ///
    /// # Errors
    ///
    /// Same as [`open`](Self::open).
    ///
    /// ```no_run
    /// use workspace_db::config::Config;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(replica: Config) -> workspace_db::Result<()> {
    /// let primary = Database::open(&Config::from_env()?).await?;
    /// let replica = primary.open_replica(&replica).await?;
    /// let scope = primary.published("acme").await?;
    /// let ws = replica.workspace(&scope).await?;
    /// # drop(ws);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_replica(&self, config: &Config) -> Result<Self> {
        Self::open_beside(config, Some(self.authority().clone())).await
    }

    async fn open_beside(config: &Config, primary: Option<Self>) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let owner = config.database_url.as_ref();
        let Some(app) = config.database_app_url.as_ref().or(owner) else {
            return Err(Error::new(ErrorKind::MissingPrerequisite, "no database URL is set")
                .remedy("set DATABASE_APP_URL or DATABASE_URL, or run `workspace-db up`"));
        };
        let [app_name, platform_name, raw_name] =
            ["app", "platform", "raw"].map(|pool| format!("{} {pool}", config.application_name));
        let settings = |name, size| PoolSettings {
            size,
            wait: config.pool_wait,
            keeps_statements: config.keeps_prepared_statements,
            name,
        };
        let in_production = config.environment == Environment::Production;
        let app = roles::app_login(app, settings(&app_name, config.pool_size), in_production).await?;
        let (platform, raw_platform) = match config.database_platform_url.as_ref().or(owner) {
            Some(url) => {
                let platform = roles::platform_login(url, settings(&platform_name, config.pool_size)).await?;
                let raw_platform = platform.with_pool(pool(url, settings(&raw_name, config.pool_size.div_ceil(4)))?);
                (Some(platform), Some(raw_platform))
            }
            None => (None, None),
        };
        let notifier = Notifier::new(app.pool().clone());
        let token = match &primary {
            Some(primary) => primary.0.token,
            None => DatabaseToken(NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        let database = Self(Arc::new(DatabaseInner {
            token,
            primary,
            app,
            platform,
            raw_platform,
            quota: ConnectionQuota::new(
                config.workspace_connections.unwrap_or(config.pool_size.div_ceil(2)),
                config.pool_wait,
            ),
            timeouts: config.timeouts,
            notifier,
            search_limits: config.search,
            retention: config.retention,
        }));
        if config.environment == Environment::Production {
            let published = database.default_credentials().await?;
            if !published.is_empty() {
                return Err(Error::new(
                    ErrorKind::MissingPrerequisite,
                    format!("in production, no administrator may have the documented password: {}", published.join(", ")),
                )
                .remedy(
                    "set another with `workspace-db admin reset-password` and `admin set-password`, or disable the account with `admin disable`",
                ));
            }
        }
        Ok(database)
    }

    /// Returns the emails of the active administrators who still have the published password, in their order: that of the
    /// bootstrap migration, and those that `workspace-db adopt` brought from the TypeScript package and marked.
    ///
    /// Returns none if there is no login that may see administrators, because then nobody can log in.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn default_credentials(&self) -> Result<Vec<String>> {
        if self.0.platform.is_none() {
            return Ok(Vec::new());
        }
        // Only an adopted account has a bcrypt hash, and only the published password makes it change that.
        let is_published = sql::<Bool>("(password_hash = ")
            .bind::<Text, _>(BOOTSTRAP_HASH)
            .sql(" OR must_change_password AND starts_with(password_hash, '$2'))");
        let query = admin_users::table
            .filter(admin_users::status.eq(AdminStatus::Active).and(is_published))
            .select(admin_users::email)
            .order(admin_users::email);
        self.platform(async |conn| Ok(query.load(conn).await?)).await
    }
}
