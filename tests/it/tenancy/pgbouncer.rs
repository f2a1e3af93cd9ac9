//! A real PgBouncer in transaction mode, before the server of a test.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use workspace_db::config::{Config, DatabaseUrl};
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;

/// What brings prepared statements in transaction mode, which Diesel's statements are.
const OLDEST: (u32, u32) = (1, 21);

/// Ended with its owner.
pub(crate) struct PgBouncer {
    process: Child,
    port: u16,
    _folder: Folder,
}

impl PgBouncer {
    /// One before `database`, with fewer connections to the server than its clients have to it; or why there is none.
    pub(crate) fn before(database: &TestDatabase) -> Result<Self, String> {
        let program = program()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = Folder::new();
        let (app, platform) = (database.app_url().unwrap(), database.platform_url().unwrap());
        let users: Vec<String> = [&app, &platform].iter().map(|url| login(url)).collect();
        folder.write("users.txt", users.join("\n"));
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\n\
             max_client_conn = 100\nmax_prepared_statements = 100\nlog_connections = 0\nlog_disconnections = 0\n",
            database.port(),
            folder.path().join("users.txt").display()
        );
        folder.write("pgbouncer.ini", settings);
        let mut command = Command::new(program);
        // It refuses to run as root, and is not asked as anybody else.
        if is_root() {
            command.args(["-u", "nobody"]);
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = command
            .arg(folder.path().join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut bouncer = Self { process: process.map_err(|error| error.to_string())?, port, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = bouncer.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "pgbouncer does not listen: {ended:?}");
            std::thread::yield_now();
        }
        Ok(bouncer)
    }

    /// The logins of `database`, through it.
    pub(crate) fn config(&self, database: &TestDatabase) -> Config {
        let through = |url: DatabaseUrl| -> Option<DatabaseUrl> {
            let direct = format!(":{}/", database.port());
            Some(url.expose().replace(&direct, &format!(":{}/", self.port)).parse().unwrap())
        };
        let direct = database.config().unwrap();
        Config {
            database_app_url: direct.database_app_url.and_then(through),
            database_platform_url: direct.database_platform_url.and_then(through),
            ..database.config().unwrap()
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_root() -> bool {
    String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0"
}

fn login(url: &DatabaseUrl) -> String {
    let value = |variable: &str| url.libpq_environment().into_iter().find(|(name, _)| *name == variable).unwrap().1;
    format!("\"{}\" \"{}\"", value("PGUSER"), value("PGPASSWORD"))
}

/// `WORKSPACE_DB_TEST_PGBOUNCER`, else the one on the PATH; new enough.
fn program() -> Result<PathBuf, String> {
    let program = std::env::var_os("WORKSPACE_DB_TEST_PGBOUNCER").map_or_else(|| "pgbouncer".into(), PathBuf::from);
    let output =
        Command::new(&program).arg("--version").output().map_err(|_| "pgbouncer is not installed".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.lines().next().unwrap_or_default().trim_start_matches("PgBouncer ").to_owned();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(program),
        _ => Err(format!(
            "PgBouncer {version} has no prepared statements in transaction mode; 1.21 is the first that has"
        )),
    }
}
