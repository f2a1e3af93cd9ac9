//! The server that `workspace-db up` manages in a directory of the user, with its logins and its database.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::cluster::{Cluster, Durability};
use super::folder::{lock, make_dir, user_dir};
use super::install::{found_again, install, install_again};
use super::installation::{InstallSource, Installation, MajorVersion};
use super::state::{InstallOrigin, PARTIAL_STATE_FILE, STATE_FILE, ServerState};
use workspace_db::config::DatabaseUrl;
use workspace_db::db;
use workspace_db::db::roles::{self, APP_ROLE, PLATFORM_ROLE};
use workspace_db::{Error, ErrorKind, Result};

const DATABASE: &str = "workspace_db";
/// Owner of the database, which runs migrations. It is no superuser, so that nothing works here that a managed service would
/// reject.
const OWNER: &str = "workspace_owner";
/// Application login, which sees one workspace at a time.
const APP_LOGIN: &str = "workspace_app_login";
/// Platform login, which sees every workspace.
const PLATFORM_LOGIN: &str = "workspace_platform_login";
const LOCK_FILE: &str = ".workspace-db.lock";

/// Next step of [`LocalServer::up`], for a display of the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupStep {
    /// Waiting for another process that works on the same directory.
    Waiting,
    /// Downloading PostgreSQL, which takes seconds.
    Fetching,
    /// Creating the data directory.
    Initialising,
    /// Starting the server.
    Starting,
    /// Creating the logins and the database.
    Preparing,
}

/// A server in a directory, with the URLs of its logins.
#[derive(Clone, Debug)]
pub struct LocalServer {
    cluster: Cluster,
    state: ServerState,
}

/// Status of a [`LocalServer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalServerStatus {
    /// True if the server accepts connections.
    pub running: bool,
    /// Its process id.
    pub pid: Option<i32>,
    /// Its port on 127.0.0.1, if it is running and listens on one.
    pub port: Option<u16>,
    /// Its Unix socket, if it is running and listens on that.
    pub socket: Option<PathBuf>,
    /// Major version.
    pub postgres: MajorVersion,
    /// Source of the programs.
    pub source: InstallSource,
    /// Folder of the programs.
    pub bin: PathBuf,
    /// Path of the log.
    pub log: PathBuf,
}

impl LocalServer {
    /// Creates and starts the server in `dir`, or finds it running, and returns it ready for migrations.
    ///
    /// Every step checks the current state first. A call after an interrupted one completes it, and a second call changes
    /// nothing. `requested` selects the major version of a new directory. Without a `port` the server listens only on a Unix
    /// socket in its folder; 0 selects a free port.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if no PostgreSQL is found or downloaded;
    /// [`is_conflict`](Error::is_conflict) if the directory contains foreign files or another major version, or if the
    /// requested port is in use.
    ///
    /// ```no_run
    /// # async fn example() -> workspace_db::Result<()> {
    /// use workspace_db_embedded::{LocalServer, data_dir};
    ///
    /// let local = LocalServer::up(data_dir()?, None, None, |step| println!("{step:?}")).await?;
    /// println!("{}", local.owner_url()?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn up(
        dir: PathBuf,
        requested: Option<MajorVersion>,
        port: Option<u16>,
        on_step: impl Fn(StartupStep) + Clone + Send + 'static,
    ) -> Result<Self> {
        let on_start = on_step.clone();
        let (local, _lock) =
            tokio::task::spawn_blocking(move || Self::start(&dir, requested, port, on_start))
                .await
                .map_err(|error| Error::new(ErrorKind::Io, "the startup thread panicked").caused_by(error))??;
        on_step(StartupStep::Preparing);
        local.prepare().await?;
        Ok(local)
    }

    /// Returns the server in `dir` as it was last started, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the directory's state file can't be parsed.
    pub fn open_existing(dir: &Path) -> Result<Option<Self>> {
        let Some(state) = ServerState::read(dir)? else { return Ok(None) };
        let install = found_again(state.made_by.major, state.made_by.source)?;
        let cluster = Cluster::new(install, dir, Durability::Full)?;
        Ok(Some(Self { cluster, state }))
    }

    /// Returns the server in `dir` as it was last started.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if there is none; as
    /// [`open_existing`](Self::open_existing).
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_existing(dir)?.ok_or_else(|| {
            let message =
                format!("there is no database: DATABASE_URL is not set and {} contains no server", dir.display());
            Error::new(ErrorKind::MissingPrerequisite, message).remedy("run `workspace-db up`, or set DATABASE_URL")
        })
    }

    /// Returns the same server, if it accepts connections.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable) if it does not.
    pub fn running(&self) -> Result<&Self> {
        if self.cluster.pid().is_some() {
            return Ok(self);
        }
        Err(Error::new(ErrorKind::Unreachable, "the server of workspace-db is not running")
            .remedy("start it with `workspace-db up`"))
    }

    /// Returns true if `url` is [`owner_url`](Self::owner_url) by login and database, even on another port. The password
    /// is random and therefore unique. Another database of this server is a different one.
    #[must_use]
    pub fn has_url(&self, url: &DatabaseUrl) -> bool {
        is_login(url, OWNER, &self.state.owner_password)
    }

    /// Returns true if `url` is [`app_url`](Self::app_url), in the same sense.
    #[must_use]
    pub fn has_app_url(&self, url: &DatabaseUrl) -> bool {
        is_login(url, APP_LOGIN, &self.state.app_password)
    }

    /// Returns true if `url` is [`platform_url`](Self::platform_url), in the same sense.
    #[must_use]
    pub fn has_platform_url(&self, url: &DatabaseUrl) -> bool {
        is_login(url, PLATFORM_LOGIN, &self.state.platform_password)
    }

    /// Stops the server, and returns true if it was running.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not stop within a minute.
    pub fn down(&self) -> Result<bool> {
        self.cluster.stop()
    }

    /// Returns the status of the server.
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

    /// Returns the programs of the server, which include `psql`.
    #[must_use]
    pub fn install(&self) -> &Installation {
        self.cluster.install()
    }

    /// Returns `DATABASE_URL`, the login of the database's owner, which is no superuser.
    ///
    /// # Errors
    ///
    /// None for a directory that [`LocalServer::up`] created.
    pub fn owner_url(&self) -> Result<DatabaseUrl> {
        self.cluster.login(OWNER, &self.state.owner_password, DATABASE)
    }

    /// Returns `DATABASE_APP_URL`, the application login, which owns nothing.
    ///
    /// # Errors
    ///
    /// As [`owner_url`](Self::owner_url).
    pub fn app_url(&self) -> Result<DatabaseUrl> {
        self.cluster.login(APP_LOGIN, &self.state.app_password, DATABASE)
    }

    /// Returns `DATABASE_PLATFORM_URL`, the platform login, which owns nothing.
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
        requested: Option<MajorVersion>,
        port: Option<u16>,
        on_step: impl Fn(StartupStep),
    ) -> Result<(Self, File)> {
        make_dir(dir)?;
        if ServerState::read(dir)?.is_none() {
            refuse_foreign(dir)?;
        }
        let lock_file = lock(&dir.join(LOCK_FILE), || on_step(StartupStep::Waiting))?;
        // The state is read again, because another process may have created a server while this one waited.
        let known = ServerState::read(dir)?;
        let fetching = || on_step(StartupStep::Fetching);
        let install = match &known {
            Some(state) => install_again(state.major(requested)?, state.made_by.source, fetching)?,
            None => install(requested, fetching)?,
        };
        let mut state = known.unwrap_or_else(|| ServerState::new(&install));
        state.made_by = InstallOrigin::from(&install);
        let cluster = Cluster::new(install, dir, Durability::Full)?;
        if let Some(port) = port
            && let Some(conflict) = runs_elsewhere(&cluster, port)
        {
            return Err(conflict);
        }
        // The state is written first, because the data directory is created with its passwords.
        state.write(dir)?;
        on_step(StartupStep::Initialising);
        cluster.initialise(&state.superuser_password)?;
        on_step(StartupStep::Starting);
        match port {
            None => cluster.start_on_socket()?,
            Some(0) => cluster.start_on_free_port().map(drop)?,
            Some(port) => cluster.start(port)?,
        }
        Ok((Self { cluster, state }, lock_file))
    }

    /// Creates the logins, the extension and the database, each if it is missing.
    async fn prepare(&self) -> Result<()> {
        let mut template = db::connect(&self.superuser_url("template1")?).await?;
        template.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").await?;
        drop(template);
        let mut conn = db::connect(&self.superuser_url("postgres")?).await?;
        let password = self.state.owner_password.expose_secret();
        if !exists(&mut conn, "SELECT FROM pg_roles WHERE rolname = ", OWNER).await? {
            // The name is a constant of this file and the password has only hexadecimal digits, so neither needs quoting.
            conn.batch_execute(&format!("CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{password}'")).await?;
        }
        conn.batch_execute(&roles::group_roles_sql(OWNER)).await?;
        // `doctor` needs this to see the duration of other sessions' transactions.
        conn.batch_execute(&format!("GRANT pg_read_all_stats TO {OWNER}")).await?;
        conn.batch_execute(&roles::login_sql(APP_LOGIN, &self.state.app_password, APP_ROLE)).await?;
        conn.batch_execute(&roles::login_sql(PLATFORM_LOGIN, &self.state.platform_password, PLATFORM_ROLE)).await?;
        if !exists(&mut conn, "SELECT FROM pg_database WHERE datname = ", DATABASE).await? {
            conn.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
        }
        let mut database = db::connect(&self.superuser_url(DATABASE)?).await?;
        database.batch_execute(&roles::restricted_functions_sql(OWNER)).await?;
        drop(database);
        // Before row-level security, the application login had grants on every table of the owner. A REVOKE without a grant
        // would still touch every table, and block a concurrent migration.
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

/// Returns true if a URL names this login, and the database of this server that has the tables.
fn is_login(url: &DatabaseUrl, user: &str, password: &SecretString) -> bool {
    let variables = url.libpq_environment();
    let value = |name: &str| variables.iter().rev().find(|(variable, _)| *variable == name).map(|(_, value)| &**value);
    let named = (value("PGUSER"), value("PGPASSWORD"), value("PGDATABASE"));
    named == (Some(user), Some(password.expose_secret()), Some(DATABASE))
}

async fn exists(conn: &mut AsyncPgConnection, query: &str, name: &str) -> Result<bool> {
    let exists = sql::<Bool>("EXISTS (").sql(query).bind::<Text, _>(name).sql(")");
    Ok(diesel::select(exists).get_result(conn).await?)
}

/// Returns a conflict if the server is running and does not listen on the requested port.
fn runs_elsewhere(cluster: &Cluster, port: u16) -> Option<Error> {
    cluster.pid()?;
    let place = match cluster.port() {
        Some(running) if port == 0 || port == running => return None,
        Some(running) => format!("on port {running}"),
        None => "on its socket".to_owned(),
    };
    let conflict = Error::new(ErrorKind::Conflict, format!("the server is already running {place}"));
    Some(conflict.remedy("stop it with `workspace-db down`, then start it on another port"))
}

fn refuse_foreign(dir: &Path) -> Result<()> {
    let ours = |name: &OsStr| name == LOCK_FILE || name == STATE_FILE || name == PARTIAL_STATE_FILE;
    let entries = fs::read_dir(dir)
        .map_err(|error| Error::new(ErrorKind::Io, format!("can't read {}", dir.display())).caused_by(error))?;
    let foreign = entries.filter_map(std::result::Result::ok).find(|entry| !ours(&entry.file_name()));
    match foreign {
        None => Ok(()),
        Some(entry) => Err(Error::new(
            ErrorKind::Conflict,
            format!("{} contains {} and was not created by workspace-db", dir.display(), entry.file_name().display()),
        )
        .remedy("choose an empty or new folder with --data-dir")),
    }
}

/// Returns the directory of the server of `up`: `WORKSPACE_DB_DATA_DIR`, or `workspace-db` in the user's data folder. For
/// root it is `/var/lib/workspace-db`, because the server's account may not have access to root's home.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the user has no home.
pub fn data_dir() -> Result<PathBuf> {
    user_dir("WORKSPACE_DB_DATA_DIR", "/var/lib/workspace-db", dirs::data_local_dir())
}
