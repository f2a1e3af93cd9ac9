//! Databases for your own tests: real PostgreSQL with one database per test. You install nothing, and nothing is left
//! behind.
//!
//! The first test of a process starts a server of its own (see [`workspace_db_embedded`]) and migrates a template. Each
//! [`TestDatabase`] is a copy of the template, and is dropped with its value. The server ends with the process, however the
//! process ends.
//!
//! `WORKSPACE_DB_TEST_POSTGRES` selects the major version, 16 or 18. On Linux the server's data is in memory if `/dev/shm`
//! has room.
//!
//! ```toml
//! [dev-dependencies]
//! workspace-db-testing = { path = "../workspace-db/crates/testing" }
//! ```
//!
//! [`seed`] inserts a workspace with a row in every table. [`conformance`] verifies that workspaces are kept apart:
//!
//! ```no_run
//! use workspace_db::tenancy::TENANT_TABLES;
//! use workspace_db_testing::{TestDatabase, conformance, seed};
//!
//! #[tokio::test]
//! async fn workspaces_are_kept_apart() -> workspace_db::Result<()> {
//!     let database = TestDatabase::new().await?;
//!     let mut conn = database.connect().await?;
//!     seed(&mut conn, "a").await?;
//!     seed(&mut conn, "b").await?;
//!     assert_eq!(conformance::violations(&database.config()?, TENANT_TABLES).await?, []);
//!     Ok(())
//! }
//! ```

pub mod conformance;
mod seed;
mod server;

use std::thread;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use uuid::Uuid;

pub use self::seed::{SeededWorkspace, seed, workspace};
use self::server::TestServer;
use workspace_db::config::{Config, DatabaseUrl, Environment};
use workspace_db::db;
use workspace_db::tenancy::Database;
use workspace_db::{Error, ErrorKind, Result};
use workspace_db_embedded::Installation;

/// A database that belongs to one test, and is dropped with this value.
///
/// ```no_run
/// use workspace_db_testing::{TestDatabase, seed};
///
/// #[tokio::test]
/// async fn a_new_workspace_has_no_documents() -> workspace_db::Result<()> {
///     let database = TestDatabase::new().await?;
///     let mut conn = database.connect().await?;
///     let a = seed(&mut conn, "a").await?;
///     # drop(a);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: &'static TestServer,
}

impl TestDatabase {
    /// Creates a migrated database without any rows. The bootstrap is off.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](workspace_db::Error::is_missing_prerequisite) if no PostgreSQL is found or downloaded.
    pub async fn new() -> Result<Self> {
        Self::copy_of(server::TEMPLATE).await
    }

    /// Creates a database without migrations. pgvector is installed, because the owner is no superuser and can't install it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn unmigrated() -> Result<Self> {
        Self::copy_of("template1").await
    }

    /// Creates a database as [`new`](Self::new) does, on a server that only this test uses. Use it for roles, settings, a
    /// restart and other state of a whole server. The start takes a second or two.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn alone() -> Result<Self> {
        Self::on(TestServer::alone()?, server::TEMPLATE).await
    }

    /// Stops the server and starts it again, which closes all connections. Call it only on a database of
    /// [alone](Self::alone).
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not stop or start.
    pub async fn restart_server(&self) -> Result<()> {
        self.of_server(TestServer::restart).await
    }

    /// Restarts the server as [`restart_server`](Self::restart_server) does, by a crash: it stops at once and recovers as it
    /// starts.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not stop or start.
    pub async fn crash_server(&self) -> Result<()> {
        self.of_server(TestServer::crash).await
    }

    async fn of_server(&self, deed: fn(&TestServer) -> Result<()>) -> Result<()> {
        let server = self.server;
        tokio::task::spawn_blocking(move || deed(server))
            .await
            .map_err(|error| Error::new(ErrorKind::Io, "the restart thread panicked").caused_by(error))?
    }

    /// Copies this database with its content. No session may be connected to it meanwhile.
    ///
    /// # Errors
    ///
    /// [`is_database_failure`](workspace_db::Error::is_database_failure) if a session stays connected for 5 s.
    pub async fn copy(&self) -> Result<Self> {
        Self::on(self.server, &self.name).await
    }

    async fn copy_of(template: &str) -> Result<Self> {
        Self::on(TestServer::shared()?, template).await
    }

    async fn on(server: &'static TestServer, template: &str) -> Result<Self> {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut conn = db::connect(&server.superuser_url("postgres")?).await?;
        conn.batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy OWNER {}",
            server::OWNER
        ))
        .await?;
        copy_settings(&mut conn, template, &name).await?;
        Ok(Self { name, server })
    }

    /// Returns the URL of the database's owner, who is no superuser.
    ///
    /// # Errors
    ///
    /// None: the URL consists of fixed parts.
    pub fn url(&self) -> Result<DatabaseUrl> {
        self.server.owner_url(&self.name)
    }

    /// Returns the URL of the server's superuser in this database, for actions that need one.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn superuser_url(&self) -> Result<DatabaseUrl> {
        self.server.superuser_url(&self.name)
    }

    /// Returns the port of the server on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Returns the programs of the server, such as `pg_dump`.
    #[must_use]
    pub fn install(&self) -> &Installation {
        self.server.install()
    }

    /// Returns the URL of the application login, which sees the workspace that a transaction has set.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn app_url(&self) -> Result<DatabaseUrl> {
        self.server.app_url(&self.name)
    }

    /// Returns the URL of the platform login, which sees every workspace.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn platform_url(&self) -> Result<DatabaseUrl> {
        self.server.platform_url(&self.name)
    }

    /// Connects as the platform login, which sees every workspace, to prepare a test and to check its results.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](workspace_db::Error::is_unreachable) if the server has stopped.
    pub async fn connect(&self) -> Result<AsyncPgConnection> {
        db::connect(&self.platform_url()?).await
    }

    /// Opens the database with the logins of application and platform, as an application does in production. Each pool has
    /// `size` connections.
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(&self, size: usize) -> Result<Database> {
        Database::open(&Config { pool_size: size, ..self.config()? }).await
    }

    /// Returns the URLs of application and platform, as an application has them in production.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn config(&self) -> Result<Config> {
        Ok(Config {
            database_app_url: Some(self.app_url()?),
            database_platform_url: Some(self.platform_url()?),
            environment: Environment::Production,
            ..Config::default()
        })
    }
}

/// Copies the settings of ALTER DATABASE, which a migration sets and a copy of a database does not have.
async fn copy_settings(conn: &mut AsyncPgConnection, template: &str, copy: &str) -> Result<()> {
    let set = format!(
        "DO $$ DECLARE one text; BEGIN
            FOR one IN SELECT unnest(s.setconfig) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
                WHERE d.datname = '{template}' AND s.setrole = 0
            LOOP
                EXECUTE format('ALTER DATABASE {copy} SET %s = %L', split_part(one, '=', 1),
                    substr(one, strpos(one, '=') + 1));
            END LOOP;
        END $$"
    );
    Ok(conn.batch_execute(&set).await?)
}

impl Drop for TestDatabase {
    /// Drops the database on another thread, because the test's runtime may be blocked or ending. It does not wait for that
    /// thread: PostgreSQL waits for a connection that the test is opening, and that needs the test's runtime.
    fn drop(&mut self) {
        let (server, name) = (self.server, std::mem::take(&mut self.name));
        thread::spawn(move || {
            let dropped = server::block_on(async {
                let mut conn = db::connect(&server.superuser_url("postgres")?).await?;
                Ok(conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?)
            });
            if let Err(error) = dropped {
                // The server ends with the process, so a remaining database only costs space for a while.
                tracing::warn!(database = name, %error, "the test's database could not be dropped");
            }
        });
    }
}
