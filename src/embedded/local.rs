//! The server that `workspace-db up` keeps in a directory of the user's, with its logins and its database.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::cluster::{Cluster, Durability};
use super::distribution::lock;
use super::install::{
    InstallSource, Installation, MajorVersion, found_again, install, install_again, make_dir, user_dir,
};
use super::state::{InstallOrigin, PARTIAL_STATE_FILE, STATE_FILE, ServerState};
use crate::config::DatabaseUrl;
use crate::db;
use crate::db::roles::{self, APP_ROLE, PLATFORM_ROLE};
use crate::error::{Error, Kind, Result};

const DATABASE: &str = "workspace_db";
/// Owns the database and migrates it; no superuser, so that nothing works here that a managed service would refuse.
const OWNER: &str = "workspace_owner";
/// The application's login, which sees one workspace at a time.
const APP_LOGIN: &str = "workspace_app_login";
/// The platform's login, which sees every workspace.
const PLATFORM_LOGIN: &str = "workspace_platform_login";
const LOCK_FILE: &str = ".workspace-db.lock";

/// What [`LocalServer::up`] is about to do, for whoever shows progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupStep {
    /// Waiting for another process that works on the same directory.
    Waiting,
    /// Downloading PostgreSQL, which takes seconds.
    Fetching,
    /// Making the data directory.
    Initialising,
    /// Starting the server.
    Starting,
    /// Making the logins and the database.
    Preparing,
}

/// A server in a directory, with the URLs of its logins.
#[derive(Clone, Debug)]
pub struct LocalServer {
    cluster: Cluster,
    state: ServerState,
}

/// How a [`LocalServer`] server stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalServerStatus {
    /// Whether it takes connections.
    pub running: bool,
    /// Its process.
    pub pid: Option<i32>,
    /// Its port on 127.0.0.1, where it runs and listens on one.
    pub port: Option<u16>,
    /// Its Unix socket, where it runs and listens on that.
    pub socket: Option<PathBuf>,
    /// Major version.
    pub postgres: MajorVersion,
    /// Where the programs come from.
    pub source: InstallSource,
    /// Folder of the programs.
    pub bin: PathBuf,
    /// The log.
    pub log: PathBuf,
}

impl LocalServer {
    /// Makes and starts the server in `dir`, or finds that it runs already, and returns it ready to be migrated.
    ///
    /// Every step looks first at what is there, so a call after an interrupted one mends it, and a second call changes
    /// nothing. `wanted` picks the major version of a new directory. Without a `port` the server listens on a Unix socket in
    /// its folder alone; 0 asks for any free one.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where no PostgreSQL is found or fetched;
    /// [`is_conflict`](Error::is_conflict) where the directory holds something else or another major version, or the
    /// port that was asked for is taken.
    ///
    /// ```no_run
    /// # async fn example() -> workspace_db::Result<()> {
    /// use workspace_db::embedded::{LocalServer, data_dir};
    ///
    /// let local = LocalServer::up(data_dir()?, None, None, |step| println!("{step:?}")).await?;
    /// println!("{}", local.owner_url()?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn up(
        dir: PathBuf,
        wanted: Option<MajorVersion>,
        port: Option<u16>,
        on_step: impl Fn(StartupStep) + Clone + Send + 'static,
    ) -> Result<Self> {
        let on_start = on_step.clone();
        let (local, _lock) = tokio::task::spawn_blocking(move || Self::start(&dir, wanted, port, on_start))
            .await
            .map_err(|error| Error::new(Kind::Io, "the starting thread panicked").caused_by(error))??;
        on_step(StartupStep::Preparing);
        local.prepare().await?;
        Ok(local)
    }

    /// The server in `dir` as it was last started, or `None` where there has been none.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where the directory's memory can't be read.
    pub fn open_existing(dir: &Path) -> Result<Option<Self>> {
        let Some(state) = ServerState::read(dir)? else { return Ok(None) };
        let install = found_again(state.made_by.major, state.made_by.source)?;
        let cluster = Cluster::new(install, dir, Durability::Full)?;
        Ok(Some(Self { cluster, state }))
    }

    /// The server in `dir` as it was last started.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where there has been none; as
    /// [`open_existing`](Self::open_existing).
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_existing(dir)?.ok_or_else(|| {
            let message =
                format!("there is no database: DATABASE_URL is not set and {} holds no server", dir.display());
            Error::new(Kind::MissingPrerequisite, message).remedy("run `workspace-db up`, or set DATABASE_URL")
        })
    }

    /// The same server, if it takes connections.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) where it does not.
    pub fn running(&self) -> Result<&Self> {
        if self.cluster.pid().is_some() {
            return Ok(self);
        }
        Err(Error::new(Kind::Unreachable, "the server of workspace-db is not running")
            .remedy("start it with `workspace-db up`"))
    }

    /// Whether `url` is this server's own, perhaps as it was reached before: its password is random and nobody else's.
    #[must_use]
    pub fn has_url(&self, url: &DatabaseUrl) -> bool {
        url.parsed().password() == Some(self.state.owner_password.expose_secret())
    }

    /// Stops the server; whether it ran.
    ///
    /// # Errors
    ///
    /// Where it does not stop within a minute.
    pub fn down(&self) -> Result<bool> {
        self.cluster.stop()
    }

    /// How the server stands.
    #[must_use]
    pub fn status(&self) -> LocalServerStatus {
        let pid = self.cluster.pid();
        LocalServerStatus {
            running: pid.is_some(),
            pid,
            port: self.cluster.port(),
            socket: self.cluster.socket(),
            postgres: self.install().major,
            source: self.install().source,
            bin: self.install().bin.clone(),
            log: self.cluster.log(),
        }
    }

    /// The programs of the server, `psql` among them.
    #[must_use]
    pub fn install(&self) -> &Installation {
        self.cluster.install()
    }

    /// `DATABASE_URL`: the owner of the database, no superuser.
    ///
    /// # Errors
    ///
    /// None that a directory made by [`LocalServer::up`] could cause.
    pub fn owner_url(&self) -> Result<DatabaseUrl> {
        self.cluster.login(OWNER, &self.state.owner_password, DATABASE)
    }

    /// `DATABASE_APP_URL`: the application's login, which owns nothing.
    ///
    /// # Errors
    ///
    /// As [`owner_url`](Self::owner_url).
    pub fn app_url(&self) -> Result<DatabaseUrl> {
        self.cluster.login(APP_LOGIN, &self.state.app_password, DATABASE)
    }

    /// `DATABASE_PLATFORM_URL`: the platform's login, which owns nothing either.
    ///
    /// # Errors
    ///
    /// As [`owner_url`](Self::owner_url).
    pub fn platform_url(&self) -> Result<DatabaseUrl> {
        self.cluster.login(PLATFORM_LOGIN, &self.state.platform_password, DATABASE)
    }

    fn superuser_url(&self, database: &str) -> Result<DatabaseUrl> {
        self.cluster.login("postgres", &self.state.superuser_password, database)
    }

    fn start(
        dir: &Path,
        wanted: Option<MajorVersion>,
        port: Option<u16>,
        on_step: impl Fn(StartupStep),
    ) -> Result<(Self, File)> {
        make_dir(dir)?;
        if ServerState::read(dir)?.is_none() {
            refuse_foreign(dir)?;
        }
        let held = lock(&dir.join(LOCK_FILE), || on_step(StartupStep::Waiting))?;
        // Again: another process may have made a server here while this one waited.
        let known = ServerState::read(dir)?;
        let fetching = || on_step(StartupStep::Fetching);
        let install = match &known {
            Some(state) => install_again(state.major(wanted)?, state.made_by.source, fetching)?,
            None => install(wanted, fetching)?,
        };
        let mut state = known.unwrap_or_else(|| ServerState::new(&install));
        state.made_by = InstallOrigin::from(&install);
        let cluster = Cluster::new(install, dir, Durability::Full)?;
        if let Some(asked) = port
            && let Some(conflict) = runs_elsewhere(&cluster, asked)
        {
            return Err(conflict);
        }
        // Before the data directory, which is made with these passwords.
        state.write(dir)?;
        on_step(StartupStep::Initialising);
        cluster.initialise(&state.superuser_password)?;
        on_step(StartupStep::Starting);
        match port {
            None => cluster.start_on_socket()?,
            Some(0) => cluster.start_on_free_port().map(drop)?,
            Some(port) => cluster.start(port)?,
        }
        Ok((Self { cluster, state }, held))
    }

    /// Logins, extension and database, each made where it is missing.
    async fn prepare(&self) -> Result<()> {
        let mut template = db::connect(&self.superuser_url("template1")?).await?;
        template.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").await?;
        drop(template);
        let mut conn = db::connect(&self.superuser_url("postgres")?).await?;
        let password = self.state.owner_password.expose_secret();
        if !exists(&mut conn, "SELECT FROM pg_roles WHERE rolname = ", OWNER).await? {
            // The name is a constant of this file and the password hexadecimal digits, so neither needs quoting.
            conn.batch_execute(&format!("CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{password}'")).await?;
        }
        conn.batch_execute(&roles::group_roles_sql(OWNER)).await?;
        // So that `doctor` sees how long others have been at it.
        conn.batch_execute(&format!("GRANT pg_read_all_stats TO {OWNER}")).await?;
        conn.batch_execute(&roles::login_sql(APP_LOGIN, &self.state.app_password, APP_ROLE)).await?;
        conn.batch_execute(&roles::login_sql(PLATFORM_LOGIN, &self.state.platform_password, PLATFORM_ROLE)).await?;
        if !exists(&mut conn, "SELECT FROM pg_database WHERE datname = ", DATABASE).await? {
            conn.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
        }
        let mut database = db::connect(&self.superuser_url(DATABASE)?).await?;
        database.batch_execute(&roles::restricted_functions_sql(OWNER)).await?;
        drop(database);
        // Before row-level security, the application's login was granted every table that the owner made. Taking back what
        // is not there would still touch every table, in the way of somebody who migrates meanwhile.
        let mut database = db::connect(&self.owner_url()?).await?;
        let granted = "SELECT FROM information_schema.role_table_grants WHERE grantee = ";
        if !exists(&mut database, granted, APP_LOGIN).await? {
            return Ok(());
        }
        let revoke = format!(
            "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {APP_LOGIN};
             REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {APP_LOGIN}"
        );
        Ok(database.batch_execute(&revoke).await?)
    }
}

async fn exists(conn: &mut AsyncPgConnection, query: &str, name: &str) -> Result<bool> {
    let exists = sql::<Bool>("EXISTS (").sql(query).bind::<Text, _>(name).sql(")");
    Ok(diesel::select(exists).get_result(conn).await?)
}

/// The conflict where the server runs already and does not listen on the port that is asked for.
fn runs_elsewhere(cluster: &Cluster, asked: u16) -> Option<Error> {
    cluster.pid()?;
    let place = match cluster.port() {
        Some(running) if asked == 0 || asked == running => return None,
        Some(running) => format!("on port {running}"),
        None => "on its socket".to_owned(),
    };
    let conflict = Error::new(Kind::Conflict, format!("the server runs already, {place}"));
    Some(conflict.remedy("stop it with `workspace-db down`, then start it on another port"))
}

fn refuse_foreign(dir: &Path) -> Result<()> {
    let ours = |name: &OsStr| name == LOCK_FILE || name == STATE_FILE || name == PARTIAL_STATE_FILE;
    let entries = fs::read_dir(dir)
        .map_err(|error| Error::new(Kind::Io, format!("can't read {}", dir.display())).caused_by(error))?;
    let foreign = entries.filter_map(std::result::Result::ok).find(|entry| !ours(&entry.file_name()));
    match foreign {
        None => Ok(()),
        Some(entry) => Err(Error::new(
            Kind::Conflict,
            format!("{} holds {} and was not made by workspace-db", dir.display(), entry.file_name().display()),
        )
        .remedy("name an empty folder, or a new one, with --data-dir")),
    }
}

/// Where `up` keeps its server: `WORKSPACE_DB_DATA_DIR`, else `workspace-db` in the user's data folder, for root
/// `/var/lib/workspace-db`, since the server's account may not look into root's home.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the user has no home.
pub fn data_dir() -> Result<PathBuf> {
    user_dir("WORKSPACE_DB_DATA_DIR", "/var/lib/workspace-db", dirs::data_local_dir())
}
