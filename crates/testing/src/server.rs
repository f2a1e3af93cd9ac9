//! The server that the tests of one process share.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::{env, thread};

use diesel_async::SimpleAsyncConnection as _;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db;
use workspace_db::db::migrations::Migrator;
use workspace_db::db::roles::{self, APP_ROLE, PLATFORM_ROLE};
use workspace_db::{Error, ErrorKind, Result};
use workspace_db_embedded::{Cluster, Durability, Installation, MajorVersion, install};

/// Name of the migrated database that tests copy.
pub(super) const TEMPLATE: &str = "template_migrated";
/// Owner of every test's database, no superuser.
pub(super) const OWNER: &str = "test_owner";
/// Application login in every test's database.
const APP_LOGIN: &str = "test_app";
/// Platform login in every test's database.
const PLATFORM_LOGIN: &str = "test_platform";
/// Mount point of Linux's file system in memory.
const MEMORY: &str = "/dev/shm";
/// Minimum free bytes of that file system: a container often has 64 MB of it.
const MIN_ROOM: u128 = 4 << 30;
const MAJOR_VARIABLE: &str = "WORKSPACE_DB_TEST_POSTGRES";

/// Script that waits for the end of the test's process, which closes the pipe to its standard input. Then it ends the server
/// and removes its folder. The process can't do that itself, because it may be killed.
const REAPER_SCRIPT: &str = r#"
read -r _
pid=$(head -n 1 "$0/pgdata/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$0"
"#;

#[derive(Debug)]
pub(super) struct TestServer {
    cluster: Cluster,
    port: u16,
    password: SecretString,
    /// Child whose standard input is open as long as this process lives.
    _undertaker: Child,
}

impl TestServer {
    /// Returns the server of this process. The first caller starts it.
    pub(super) fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<TestServer>> = OnceLock::new();
        // A thread of its own is necessary, because a runtime can't block inside another.
        let shared = SHARED.get_or_init(|| {
            thread::spawn(Self::start).join().unwrap_or_else(|_| Err(failed("the startup thread panicked")))
        });
        shared.as_ref().map_err(|error| Error::new(error.kind(), error.to_string()))
    }

    /// Starts a server for one test, until the process ends. Other tests don't see changes to it.
    pub(super) fn alone() -> Result<&'static Self> {
        let started = thread::spawn(Self::start).join().unwrap_or_else(|_| Err(failed("the startup thread panicked")));
        started.map(|server| &*Box::leak(Box::new(server)))
    }

    /// Stops the server and starts it again on the same port.
    pub(super) fn restart(&self) -> Result<()> {
        self.cluster.stop()?;
        self.cluster.start(self.port)
    }

    /// Crashes the server, and starts it again on the same port.
    pub(super) fn crash(&self) -> Result<()> {
        self.cluster.crash()?;
        self.cluster.start(self.port)
    }

    fn start() -> Result<Self> {
        let major = match env::var(MAJOR_VARIABLE) {
            Ok(major) => major.parse().map_err(|error| Error::invalid(format!("in {MAJOR_VARIABLE}: {error}")))?,
            Err(_) => MajorVersion::NEWEST,
        };
        let install = install(Some(major), || eprintln!("downloading PostgreSQL {major} with pgvector, only once"))?;
        let folder = parent_folder().join(format!("workspace-db-test-{}", Uuid::now_v7().simple()));
        let reaper = reaper(&folder)?;
        let cluster = Cluster::new(install, &folder, Durability::None)?;
        let password = SecretString::from(Uuid::new_v4().simple().to_string());
        cluster.initialise(&password)?;
        let port = cluster.start_on_free_port()?;
        let server = Self { cluster, port, password, _undertaker: reaper };
        block_on(server.prepare())?;
        Ok(server)
    }

    async fn prepare(&self) -> Result<()> {
        let mut template = db::connect(&self.superuser_url("template1")?).await?;
        let password = self.password.expose_secret();
        // CREATE DATABASE can't share a message with another statement, which would put both in one transaction.
        template.batch_execute("CREATE EXTENSION vector").await?;
        template.batch_execute(&format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{password}'")).await?;
        template.batch_execute(&roles::group_roles_sql(OWNER)).await?;
        // The doctor needs this to see the duration of other sessions' transactions.
        template.batch_execute(&format!("GRANT pg_read_all_stats TO {OWNER}")).await?;
        template.batch_execute(&roles::login_sql(APP_LOGIN, &self.password, APP_ROLE)).await?;
        template.batch_execute(&roles::login_sql(PLATFORM_LOGIN, &self.password, PLATFORM_ROLE)).await?;
        template.batch_execute(&roles::restricted_functions_sql(OWNER)).await?;
        drop(template);
        let mut conn = db::connect(&self.superuser_url("postgres")?).await?;
        conn.batch_execute(&format!("CREATE DATABASE {TEMPLATE} OWNER {OWNER}")).await?;
        // Production inserts no bootstrap rows: a test inserts its own.
        Migrator::new(&self.owner_url(TEMPLATE)?, Environment::Production).run(|_| ()).await?;
        Ok(())
    }

    pub(super) fn owner_url(&self, database: &str) -> Result<DatabaseUrl> {
        Cluster::url(self.port, OWNER, &self.password, database)
    }

    pub(super) fn app_url(&self, database: &str) -> Result<DatabaseUrl> {
        Cluster::url(self.port, APP_LOGIN, &self.password, database)
    }

    pub(super) fn platform_url(&self, database: &str) -> Result<DatabaseUrl> {
        Cluster::url(self.port, PLATFORM_LOGIN, &self.password, database)
    }

    pub(super) fn superuser_url(&self, database: &str) -> Result<DatabaseUrl> {
        Cluster::url(self.port, "postgres", &self.password, database)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn install(&self) -> &Installation {
        self.cluster.install()
    }
}

/// Returns the folder for the data of test servers. It is in memory if there is room, because creating a database then takes
/// a third of the time.
fn parent_folder() -> PathBuf {
    let memory = Path::new(MEMORY);
    let has_room = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|about| u128::from(about.blocks_available()) * u128::from(about.fragment_size()) > MIN_ROOM);
    if has_room { memory.to_owned() } else { env::temp_dir() }
}

fn reaper(folder: &Path) -> Result<Child> {
    let folder: PathBuf = folder.into();
    Command::new("/bin/sh")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .arg("-c")
        .arg(REAPER_SCRIPT)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in the terminal goes to the test's process group, and must not end this process before its cleanup.
        .process_group(0)
        .spawn()
        .map_err(|error| failed("the shell that stops the server can't be started").caused_by(error))
}

/// Runs a future on a new runtime.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("starting a runtime failed").caused_by(error))?
        .block_on(future)
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Io, message)
}
