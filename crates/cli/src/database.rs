//! The database of a command: `DATABASE_URL` if it is set, otherwise the server that `up` manages.

use anyhow::Result;
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::indexes::vacuum_after_load;
use workspace_db::tenancy;
use workspace_db_embedded::LocalServer;

use super::context::Context;
use super::error::ConflictingArguments;

pub(super) enum DatabaseTarget {
    /// Server that the user provides.
    Given { owner: DatabaseUrl, config: Box<Config> },
    /// Server in the data directory.
    LocalServer { local: Box<LocalServer>, config: Box<Config> },
}

/// Vacuums the chunks of a database as [`DatabaseTarget::vacuum_after_load`] does.
pub(super) async fn vacuum_or_warn(owner: &DatabaseUrl, written: u64) {
    if let Err(error) = vacuum_after_load(owner, written).await {
        tracing::warn!("the passages are stored, but the vacuum after them failed: {error}");
    }
}

impl DatabaseTarget {
    /// Returns the database that the environment and the data directory name.
    pub(super) fn from_context(context: &Context) -> Result<Self> {
        Ok(match owner_from_env(context)? {
            Some(owner) => Self::Given { owner, config: Box::new(context.config.clone()) },
            None => Self::LocalServer {
                local: Box::new(LocalServer::open(&context.data_dir)?),
                config: Box::new(context.config.clone()),
            },
        })
    }

    /// Returns the owner's URL, for migrations.
    pub(super) fn owner_url(&self) -> Result<DatabaseUrl> {
        match self {
            Self::Given { owner, .. } => Ok(owner.clone()),
            Self::LocalServer { local, .. } => Ok(local.running()?.owner_url()?),
        }
    }

    /// Vacuums the chunks if a command has written many, so that the next search finds statistics. A failure is a warning, because
    /// the command has done its work.
    pub(super) async fn vacuum_after_load(&self, written: u64) {
        match self.owner_url() {
            Ok(owner) => vacuum_or_warn(&owner, written).await,
            Err(error) => tracing::warn!("no vacuum after the load: {error:#}"),
        }
    }

    /// Returns the configuration with the URLs of the logins.
    pub(super) fn config(&self) -> Result<Config> {
        match self {
            Self::Given { config, .. } => Ok(Config::clone(config)),
            Self::LocalServer { local, config } => {
                let local = local.running()?;
                for (name, is_same) in [
                    ("DATABASE_APP_URL", config.database_app_url.as_ref().is_none_or(|url| local.has_app_url(url))),
                    (
                        "DATABASE_PLATFORM_URL",
                        config.database_platform_url.as_ref().is_none_or(|url| local.has_platform_url(url)),
                    ),
                ] {
                    if !is_same {
                        let message = format!(
                            "{name} does not name the database of the server of `up`; set DATABASE_URL to the same database, or unset {name}"
                        );
                        return Err(ConflictingArguments(message).into());
                    }
                }
                Ok(Config {
                    database_url: Some(local.owner_url()?),
                    database_app_url: Some(local.app_url()?),
                    database_platform_url: Some(local.platform_url()?),
                    // The local server is for development, even if the environment says production.
                    environment: Environment::Development,
                    ..Config::clone(config)
                })
            }
        }
    }

    /// Opens the database for administration. In production `open` rejects the bootstrap's password, which `admin` can
    /// change.
    pub(super) async fn open_to_administer(&self) -> Result<tenancy::Database> {
        let config = Config { environment: Environment::Development, pool_size: CONNECTIONS, ..self.config()? };
        Ok(tenancy::Database::open(&config).await?)
    }

    /// Opens the database with a connection pool for one command.
    pub(super) async fn open(&self) -> Result<tenancy::Database> {
        self.open_for(CONNECTIONS).await
    }

    /// Opens the database for `at_once` concurrent operations.
    pub(super) async fn open_for(&self, at_once: usize) -> Result<tenancy::Database> {
        Ok(tenancy::Database::open(&Config { pool_size: at_once, ..self.config()? }).await?)
    }
}

/// Size of the connection pool of a command that works sequentially.
const CONNECTIONS: usize = 2;

/// Returns `DATABASE_URL`, or `None` if it is the URL of the server in the data directory. A shell that evaluated
/// `workspace-db env` has that URL, and this program still starts and stops the server.
pub(super) fn owner_from_env(context: &Context) -> Result<Option<DatabaseUrl>> {
    let Some(url) = context.config.database_url.clone() else { return Ok(None) };
    let local = LocalServer::open_existing(&context.data_dir)?;
    if local.is_some_and(|local| local.has_url(&url)) {
        return Ok(None);
    }
    if context.data_dir_is_asked_for {
        let message = "--data-dir and DATABASE_URL name different databases; omit one of them";
        return Err(ConflictingArguments(message.to_owned()).into());
    }
    Ok(Some(url))
}
