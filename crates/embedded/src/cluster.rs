//! One data directory and its server.

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::account::Account;
use super::folder::{make_dir, remove_partial};
use super::installation::Installation;
use super::pid_file::PidFile;
use super::port::free_port;
use workspace_db::config::DatabaseUrl;
use workspace_db::{Error, ErrorKind, Result};

/// Names below the folder of a cluster.
const DATA: &str = "pgdata";
const LOG: &str = "postgres.log";
/// Prefix of the names of incomplete data directories.
const PARTIAL: &str = "pgdata.partial-";
/// Longest time to wait for a server that another process is starting, and the interval of the checks.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(50);

/// Port in the name of the socket.
const SOCKET_PORT: u16 = 54320;
/// Maximum bytes of a socket's path on every system: the limit of macOS, without the terminating zero.
const MAX_SOCKET_PATH: usize = 103;

/// Letters beyond ASCII must have upper and lower case, because the unique key on lower(email) needs them.
const LOCALE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

/// Data loss that a crash may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// No loss of committed data: PostgreSQL's own defaults.
    Full,
    /// Possible loss of all data, for tests that can recreate it.
    None,
}

/// A PostgreSQL data directory in a folder of its own, next to its log.
///
/// The server listens on a Unix socket in its private data directory, or on 127.0.0.1 if a port is requested, never on both.
/// It requires a password of every login.
#[derive(Clone, Debug)]
pub struct Cluster {
    install: Installation,
    folder: PathBuf,
    durability: Durability,
    account: Account,
}

impl Cluster {
    /// Returns the cluster in `folder`, which may not exist yet.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if root finds no account to run the server.
    pub fn new(install: Installation, folder: impl Into<PathBuf>, durability: Durability) -> Result<Self> {
        Ok(Self { install, folder: folder.into(), durability, account: Account::for_server()? })
    }

    /// Returns the programs that run the server.
    #[must_use]
    pub fn install(&self) -> &Installation {
        &self.install
    }

    fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    /// Returns the path of the server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Returns the major version that the data directory states, or `None` if there is no data directory.
    #[must_use]
    pub fn data_version(&self) -> Option<String> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok().map(|version| version.trim().to_owned())
    }

    /// Creates the data directory if it does not exist, with a superuser `postgres` and that password.
    ///
    /// The directory appears complete or not at all. Files of an interrupted run are removed first.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the directory has another major version.
    pub fn initialise(&self, superuser_password: &SecretString) -> Result<()> {
        if let Some(found) = self.data_version() {
            let ours = self.install.major;
            if found == ours.to_string() {
                return Ok(());
            }
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{} was created by PostgreSQL {found}, but this is PostgreSQL {ours}", self.data().display()),
            )
            .remedy(format!("use --postgres {found}, or another --data-dir")));
        }
        make_dir(&self.folder)?;
        remove_partial(&self.folder, PARTIAL);
        // The name is unique, because the initdb of a killed process writes for a moment longer.
        let partial = self.folder.join(format!("{PARTIAL}{}", Uuid::now_v7().simple()));
        let failed = |error| Error::new(ErrorKind::Io, format!("can't prepare {}", partial.display())).caused_by(error);
        self.account.own_directory(&partial)?;
        let password_file = self.folder.join(format!("{PARTIAL}{}", Uuid::now_v7().simple()));
        private_file(&password_file)
            .and_then(|mut file| file.write_all(superuser_password.expose_secret().as_bytes()))
            .map_err(failed)?;
        self.account.own(&password_file)?;
        let output = self
            .command("initdb")
            .arg("--pgdata")
            .arg(&partial)
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale", LOCALE])
            .args((self.durability == Durability::None).then_some("--no-sync"))
            .output();
        fs::remove_file(&password_file).map_err(failed)?;
        self.succeeded("initdb", output)?;
        fs::rename(&partial, self.data()).map_err(failed)
    }

    /// Starts the server on a socket that only its account can reach, without a port. A running server stays as it is.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the path of the folder is too long for a socket.
    pub fn start_on_socket(&self) -> Result<()> {
        if self.is_running_or_starting() {
            return Ok(());
        }
        let socket = self.socket_file();
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(Error::invalid(format!(
                "the socket path {} is longer than {MAX_SOCKET_PATH} bytes",
                socket.display()
            ))
            .remedy("use a shorter --data-dir, or let the server listen on a port: --port 0 chooses a free one"));
        }
        // The server's working folder is its data directory, so this works for any path without quotes.
        self.start_with(&format!("-p {SOCKET_PORT} -c listen_addresses= -c unix_socket_directories=."))
    }

    /// Starts the server on `port` of 127.0.0.1, and returns when it accepts connections. A running server stays as it is.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if another program uses the port.
    pub fn start(&self, port: u16) -> Result<()> {
        if self.is_running_or_starting() {
            return Ok(());
        }
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            let why = match error.kind() {
                io::ErrorKind::AddrInUse => "is in use by another program",
                _ => "can't be opened for listening",
            };
            return Err(Error::new(ErrorKind::Conflict, format!("port {port} {why}"))
                .remedy("choose another port with --port; --port 0 chooses a free one")
                .caused_by(error));
        }
        self.start_with(&format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="))
    }

    fn start_with(&self, listens: &str) -> Result<()> {
        let mut settings = listens.to_owned();
        if self.durability == Durability::None {
            settings.push_str(" -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=300 -c max_wal_size=256MB");
        }
        let log = self.log();
        // The log is private, because it quotes failed statements with their values.
        private_file(&log)
            .map_err(|error| Error::new(ErrorKind::Io, format!("can't write {}", log.display())).caused_by(error))?;
        self.account.own(&log)?;
        let pg_ctl = self.install.program("pg_ctl");
        // pg_ctl passes the path of its own folder to a shell in double quotes. It finds the server's files relative to the
        // working folder.
        if pg_ctl.as_os_str().as_encoded_bytes().iter().any(|byte| b"$`\"\\".contains(byte)) {
            return Err(Error::invalid(format!(
                "the path {} contains a special character of the shell",
                pg_ctl.display()
            ))
            .remedy("choose another folder with WORKSPACE_DB_CACHE_DIR"));
        }
        PidFile::new(&self.data()).remove_if_stale().map_err(|error| {
            Error::new(ErrorKind::Io, "can't remove the PID file of a stopped server").caused_by(error)
        })?;
        let output = self
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata", DATA, "--log", LOG, "--options"])
            .arg(settings)
            .output();
        match self.succeeded("pg_ctl start", output) {
            // If the pg_ctl of an interrupted run started the server first, that server is used.
            Err(_) if self.is_running_or_starting() => Ok(()),
            Err(error) => {
                let tail = log_tail(&log);
                Err(Error::new(error.kind(), format!("{error}; the log ends with: {tail}")).caused_by(error))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Starts the server on a free port, and returns the port.
    ///
    /// Another program may take the port before the server listens on it. Then the function tries another port, up to 5
    /// times.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_on_free_port(&self) -> Result<u16> {
        let mut tries_left = 5;
        loop {
            let port = free_port()?;
            match self.start(port) {
                Ok(()) => return Ok(self.port().unwrap_or(port)),
                Err(error)
                    if tries_left > 0 && (error.is_conflict() || log_tail(&self.log()).contains("could not bind")) =>
                {
                    tries_left -= 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns true if the server accepts connections. It waits for a server that another process is starting.
    fn is_running_or_starting(&self) -> bool {
        let deadline = Instant::now() + START_TIMEOUT;
        while self.pid().is_none() {
            if !PidFile::new(&self.data()).is_being_written() || Instant::now() > deadline {
                return false;
            }
            thread::sleep(START_POLL);
        }
        true
    }

    /// Stops the server with its sessions, and returns true if it was running.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not stop within a minute.
    pub fn stop(&self) -> Result<bool> {
        self.stop_by("fast")
    }

    /// Stops the server as a crash does: its sessions get no warning, and only data on disk remains. The next start recovers
    /// it.
    ///
    /// # Errors
    ///
    /// [`is_io_failure`](Error::is_io_failure) if the server does not stop.
    pub fn crash(&self) -> Result<bool> {
        self.stop_by("immediate")
    }

    fn stop_by(&self, mode: &str) -> Result<bool> {
        if self.pid().is_none() {
            return Ok(false);
        }
        let output = self
            .command("pg_ctl")
            .args(["stop", "--wait", "--silent", "--mode", mode, "--pgdata"])
            .arg(self.data())
            .output();
        self.succeeded("pg_ctl stop", output)?;
        Ok(true)
    }

    /// Returns the process id of the running server.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let data = self.data();
        let file = PidFile::new(&data);
        let pid = file.process()?;
        file.line::<String>(7).filter(|state| state == "ready")?;
        let answers = match self.remembered_port() {
            Some(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            None => UnixStream::connect(self.socket_file()).is_ok(),
        };
        answers.then_some(pid)
    }

    /// Returns the port of the running server, or `None` if it listens only on its socket.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.pid()?;
        self.remembered_port()
    }

    /// Returns the socket of the running server, or `None` if it listens on a port.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        self.pid()?;
        self.remembered_port().is_none().then(|| self.socket_file())
    }

    /// Returns the port. The file's sixth line is the listen address, and is empty if the server has only a socket.
    fn remembered_port(&self) -> Option<u16> {
        let data = self.data();
        let file = PidFile::new(&data);
        file.line::<String>(5).filter(|address| !address.is_empty())?;
        file.line(3)
    }

    fn socket_file(&self) -> PathBuf {
        self.data().join(format!(".s.PGSQL.{SOCKET_PORT}"))
    }

    /// Returns the URL of a login on a server that listens on `port`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if user or database is not valid in a URL.
    pub fn url(port: u16, user: &str, password: &SecretString, database: &str) -> Result<DatabaseUrl> {
        let password = encoded(password.expose_secret());
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}").parse()
    }

    /// Returns the URL of a login on this server: by its port if it listens on one, otherwise by its socket.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url); also if the path of the folder is not UTF-8.
    pub fn login(&self, user: &str, password: &SecretString, database: &str) -> Result<DatabaseUrl> {
        if let Some(port) = self.port() {
            return Self::url(port, user, password, database);
        }
        let folder = self.data();
        let folder =
            folder.to_str().ok_or_else(|| Error::invalid(format!("the path {} is not UTF-8", folder.display())))?;
        // libpq and the driver accept an encoded path as the host, for the folder of a socket.
        let (folder, password) = (encoded(folder), encoded(password.expose_secret()));
        format!("postgres://{user}:{password}@{folder}:{SOCKET_PORT}/{database}").parse()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.install.program(program));
        // The server's account may not have access to the caller's folder.
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn succeeded(&self, what: &str, output: std::io::Result<Output>) -> Result<Output> {
        let failed = |why: &str| {
            let remedy = if why.contains("ermission denied") {
                format!(
                    "choose folders that the account {} can access: the server runs as this account and needs {} and {}",
                    self.account.name(),
                    self.folder.display(),
                    self.install.bin.display()
                )
            } else {
                format!("see {}", self.log().display())
            };
            Error::new(ErrorKind::Io, format!("{what} failed: {why}")).remedy(remedy)
        };
        let output = output.map_err(|error| failed(&error.to_string()).caused_by(error))?;
        if output.status.success() {
            return Ok(output);
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Opens a file for appending that only its owner may read, and creates it if necessary.
fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
