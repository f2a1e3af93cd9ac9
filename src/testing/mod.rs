//! Databases for your own tests: real PostgreSQL, one database a test, nothing to install and nothing left behind.
//!
//! The first test of a process starts a server of its own (see [`embedded`](crate::embedded)) and migrates a template;
//! each [`TestDatabase`] is a copy of that, dropped with it. The server ends with the process, however that ends.
//!
//! `WORKSPACE_DB_TEST_POSTGRES` picks the major version, 16 or 18. On Linux the server's data are in memory if `/dev/shm` has room.

pub mod conformance;
mod seed;
mod server;

use std::thread;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use uuid::Uuid;

pub use self::seed::{Seeded, seed, workspace};
use self::server::TestServer;
use crate::config::{Config, DatabaseUrl, Environment};
use crate::db;
use crate::embedded::Installation;
use crate::error::{Error, Kind, Result};
use crate::tenancy::Database;

/// A database that belongs to one test, and is dropped with this value.
///
/// ```no_run
/// use workspace_db::testing::{TestDatabase, seed};
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
    /// A migrated database without any rows: the bootstrap is off.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) where no PostgreSQL is found or fetched.
    pub async fn new() -> Result<Self> {
        Self::copy_of(server::TEMPLATE).await
    }

    /// A database in which no migration ran; pgvector is installed, since its owner is no superuser and could not.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn unmigrated() -> Result<Self> {
        Self::copy_of("template1").await
    }

    /// As [`new`](Self::new), on a server that belongs to this test alone, for what concerns the whole of one: roles,
    /// settings, a restart. Starting it takes a second or two.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn alone() -> Result<Self> {
        Self::on(TestServer::alone()?, server::TEMPLATE).await
    }

    /// Stops the server and starts it again, with everyone's connections lost. Only where it is this test's
    /// [alone](Self::alone).
    ///
    /// # Errors
    ///
    /// Where the server does not stop or start.
    pub async fn restart_server(&self) -> Result<()> {
        self.of_server(TestServer::restart).await
    }

    /// As [`restart_server`](Self::restart_server), by a crash: the server stops at once and recovers as it starts.
    ///
    /// # Errors
    ///
    /// Where the server does not stop or start.
    pub async fn crash_server(&self) -> Result<()> {
        self.of_server(TestServer::crash).await
    }

    async fn of_server(&self, deed: fn(&TestServer) -> Result<()>) -> Result<()> {
        let server = self.server;
        tokio::task::spawn_blocking(move || deed(server))
            .await
            .map_err(|error| Error::new(Kind::Io, "the restarting thread panicked").caused_by(error))?
    }

    /// A database with all that is in this one, to which nobody may be connected meanwhile.
    ///
    /// # Errors
    ///
    /// [`is_database_failure`](crate::Error::is_database_failure) where somebody stays connected for 5 s.
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

    /// The URL of the database's owner, who is no superuser.
    ///
    /// # Errors
    ///
    /// None: the URL is made of fixed parts.
    pub fn url(&self) -> Result<DatabaseUrl> {
        self.server.owner_url(&self.name)
    }

    /// The URL of the server's superuser in this database, for what only they may do.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn superuser_url(&self) -> Result<DatabaseUrl> {
        self.server.superuser_url(&self.name)
    }

    /// The port that the server listens on, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The programs of the server, such as `pg_dump`.
    #[must_use]
    pub fn install(&self) -> &Installation {
        self.server.install()
    }

    /// The URL of the application's login, which sees the workspace that a transaction has set.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn app_url(&self) -> Result<DatabaseUrl> {
        self.server.app_url(&self.name)
    }

    /// The URL of the platform's login, which sees every workspace.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url).
    pub fn platform_url(&self) -> Result<DatabaseUrl> {
        self.server.platform_url(&self.name)
    }

    /// A connection as the platform's login, which sees every workspace: to arrange a test, and to look afterwards.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](crate::Error::is_unreachable) where the server is gone.
    pub async fn connect(&self) -> Result<AsyncPgConnection> {
        db::connect(&self.platform_url()?).await
    }

    /// The database as an application opens it, with the logins of application and platform, and as the application
    /// would in production: `size` connections each.
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(&self, size: usize) -> Result<Database> {
        Database::open(&Config { pool_size: size, ..self.config()? }).await
    }

    /// The URLs of application and platform, as an application has them in production.
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

/// A copy of a database does not have what was set by ALTER DATABASE, which a migration does.
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
    /// Dropped on a thread of its own, since the test's runtime may be blocked or ending; and not waited for: where the
    /// test is just opening a connection, the server waits for that, and it for the test's runtime.
    fn drop(&mut self) {
        let (server, name) = (self.server, std::mem::take(&mut self.name));
        thread::spawn(move || {
            let dropped = server::block_on(async {
                let mut conn = db::connect(&server.superuser_url("postgres")?).await?;
                Ok(conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?)
            });
            if let Err(error) = dropped {
                // The whole server goes with the process, so a database that stays costs space for a while.
                tracing::warn!(database = name, %error, "the test's database could not be dropped");
            }
        });
    }
}
