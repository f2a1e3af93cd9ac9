//! Which database a command means: `DATABASE_URL` wins, else the server that `up` keeps.

use anyhow::Result;
use workspace_db::config::DatabaseUrl;
use workspace_db::embedded::Local;

use super::Context;

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

    /// The application's URL, for data; the owner's where no other was given.
    pub(super) fn app_url(&self) -> Result<DatabaseUrl> {
        match self {
            Self::Given { owner, app } => Ok(app.as_ref().unwrap_or(owner).clone()),
            Self::Local(local) => Ok(local.running()?.app_url()?),
        }
    }
}

/// `DATABASE_URL`, unless it is that of the server in the data directory: a shell that has evaluated
/// `workspace-db env` has it, and the server is still ours to start and stop.
pub(super) fn given(context: &Context) -> Result<Option<DatabaseUrl>> {
    let Some(url) = context.config.database_url.clone() else { return Ok(None) };
    let local = Local::open_if_any(&context.data_dir)?;
    Ok((!local.is_some_and(|local| local.is_named_by(&url))).then_some(url))
}
