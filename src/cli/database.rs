//! Which database a command means: `DATABASE_URL` wins, else the server that `up` keeps.

use anyhow::Result;
use workspace_db::config::DatabaseUrl;
use workspace_db::embedded::Local;

use super::{Context, Contradiction};

pub(super) enum Database {
    /// The user's own server.
    Given { owner: DatabaseUrl, app: Option<DatabaseUrl> },
    /// The server in the data directory.
    Local(Box<Local>),
}

impl Database {
    /// The database that the environment and the data directory name.
    pub(super) fn of(context: &Context) -> Result<Self> {
        Ok(match given(context)? {
            Some(owner) => Self::Given { owner, app: context.config.database_app_url.clone() },
            None => Self::Local(Box::new(Local::open(&context.data_dir)?)),
        })
    }

    /// The owner's URL, for migrations.
    pub(super) fn owner_url(&self) -> Result<DatabaseUrl> {
        match self {
            Self::Given { owner, .. } => Ok(owner.clone()),
            Self::Local(local) => Ok(local.running()?.owner_url()?),
        }
    }

    /// The application's URL, where there is one.
    pub(super) fn app_url(&self) -> Result<Option<DatabaseUrl>> {
        match self {
            Self::Given { app, .. } => Ok(app.clone()),
            Self::Local(local) => Ok(Some(local.running()?.app_url()?)),
        }
    }

    /// The URL for data: the application's, else the owner's.
    pub(super) fn data_url(&self) -> Result<DatabaseUrl> {
        self.app_url()?.map_or_else(|| self.owner_url(), Ok)
    }
}

/// `DATABASE_URL`, unless it is that of the server in the data directory: a shell that has evaluated
/// `workspace-db env` has it, and the server is still ours to start and stop.
pub(super) fn given(context: &Context) -> Result<Option<DatabaseUrl>> {
    let Some(url) = context.config.database_url.clone() else { return Ok(None) };
    let local = Local::open_if_any(&context.data_dir)?;
    if local.is_some_and(|local| local.is_named_by(&url)) {
        return Ok(None);
    }
    if context.data_dir_is_asked_for {
        let message = "--data-dir names one database and DATABASE_URL another; leave one of them out";
        return Err(Contradiction(message.to_owned()).into());
    }
    Ok(Some(url))
}
