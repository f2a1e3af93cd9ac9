//! Which database a command means: `DATABASE_URL` wins, else the server that `up` keeps.

use anyhow::Result;
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::embedded::LocalServer;
use workspace_db::tenancy;

use super::{ConflictingArguments, Context};

pub(super) enum DatabaseTarget {
    /// The user's own server.
    Given { owner: DatabaseUrl, config: Box<Config> },
    /// The server in the data directory.
    LocalServer { local: Box<LocalServer>, config: Box<Config> },
}

impl DatabaseTarget {
    /// The database that the environment and the data directory name.
    pub(super) fn of(context: &Context) -> Result<Self> {
        Ok(match given(context)? {
            Some(owner) => Self::Given { owner, config: Box::new(context.config.clone()) },
            None => Self::LocalServer {
                local: Box::new(LocalServer::open(&context.data_dir)?),
                config: Box::new(context.config.clone()),
            },
        })
    }

    /// The owner's URL, for migrations.
    pub(super) fn owner_url(&self) -> Result<DatabaseUrl> {
        match self {
            Self::Given { owner, .. } => Ok(owner.clone()),
            Self::LocalServer { local, .. } => Ok(local.running()?.owner_url()?),
        }
    }

    /// The URLs of its logins, as the library reads them.
    pub(super) fn config(&self) -> Result<Config> {
        match self {
            Self::Given { config, .. } => Ok(Config::clone(config)),
            Self::LocalServer { local, config } => {
                let local = local.running()?;
                Ok(Config {
                    database_url: Some(local.owner_url()?),
                    database_app_url: Some(local.app_url()?),
                    database_platform_url: Some(local.platform_url()?),
                    // The server of a laptop, whatever else the environment speaks of.
                    environment: Environment::Development,
                    ..Config::clone(config)
                })
            }
        }
    }

    /// The database for who mends what `open` refuses in production: the bootstrap's password.
    pub(super) async fn open_to_administer(&self) -> Result<tenancy::Database> {
        let config = Config { environment: Environment::Development, pool_size: CONNECTIONS, ..self.config()? };
        Ok(tenancy::Database::open(&config).await?)
    }

    /// The database, with one workspace at a time in reach.
    pub(super) async fn open(&self) -> Result<tenancy::Database> {
        self.open_for(CONNECTIONS).await
    }

    /// The same for what does so many things at once.
    pub(super) async fn open_for(&self, at_once: usize) -> Result<tenancy::Database> {
        Ok(tenancy::Database::open(&Config { pool_size: at_once, ..self.config()? }).await?)
    }
}

/// A command does one thing after the other.
const CONNECTIONS: usize = 2;

/// `DATABASE_URL`, unless it is that of the server in the data directory: a shell that has evaluated
/// `workspace-db env` has it, and the server is still ours to start and stop.
pub(super) fn given(context: &Context) -> Result<Option<DatabaseUrl>> {
    let Some(url) = context.config.database_url.clone() else { return Ok(None) };
    let local = LocalServer::open_existing(&context.data_dir)?;
    if local.is_some_and(|local| local.has_url(&url)) {
        return Ok(None);
    }
    if context.data_dir_is_asked_for {
        let message = "--data-dir names one database and DATABASE_URL another; leave one of them out";
        return Err(ConflictingArguments(message.to_owned()).into());
    }
    Ok(Some(url))
}
