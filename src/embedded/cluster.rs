//! One data directory and the server on it.

use std::fs;
use std::io::{ErrorKind, Write as _};
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
use super::install::{Installation, make_dir, remove_partial};
use super::pid_file::PidFile;
use crate::config::DatabaseUrl;
use crate::error::{Error, Kind, Result};

/// Names below the folder of a cluster.
const DATA: &str = "pgdata";
const LOG: &str = "postgres.log";
/// Beginning of the names of data directories that are not whole yet.
const PARTIAL: &str = "pgdata.partial-";
/// How long a server that somebody else has begun to start is waited for, and how often it is looked at.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(50);

/// The port in the name of the socket.
const SOCKET_PORT: u16 = 54320;
/// Bytes in the longest path of a socket on every system: that of macOS, without the zero at its end.
const MAX_SOCKET_PATH: usize = 103;

/// Letters beyond ASCII must have an upper and a lower case: the unique key on lower(email) asks for them.
const LOCALE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

/// What a crash may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: PostgreSQL's own defaults.
    Full,
    /// Everything: for tests, whose data nobody misses.
    None,
}

/// A PostgreSQL data directory in a folder of its own, with the log beside it.
///
/// The server listens on a Unix socket in its private data directory, or on 127.0.0.1 where a port is asked for, never on both,
/// and asks every login for its password.
#[derive(Clone, Debug)]
pub struct Cluster {
    install: Installation,
    folder: PathBuf,
    durability: Durability,
    account: Account,
}

impl Cluster {
    /// The cluster in `folder`, whether it exists yet or not.
    ///
    /// # Errors
    ///
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where root finds no account to run the server.
    pub fn new(install: Installation, folder: impl Into<PathBuf>, durability: Durability) -> Result<Self> {
        Ok(Self { install, folder: folder.into(), durability, account: Account::for_server()? })
    }

    /// The programs that run it.
    #[must_use]
    pub fn install(&self) -> &Installation {
        &self.install
    }

    fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    /// The file that the server writes its log to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The major version of the data directory as it says itself, or `None` where there is none.
    #[must_use]
    pub fn data_version(&self) -> Option<String> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok().map(|version| version.trim().to_owned())
    }

    /// Makes the data directory where there is none, with a superuser `postgres` of that password.
    ///
    /// A directory appears whole or not at all: what an interrupted run left is removed first.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where the directory is of another major version.
    pub fn initialise(&self, superuser_password: &SecretString) -> Result<()> {
        if let Some(found) = self.data_version() {
            let ours = self.install.major;
            if found == ours.to_string() {
                return Ok(());
            }
            return Err(Error::new(
                Kind::Conflict,
                format!("{} was made by PostgreSQL {found}, and this is PostgreSQL {ours}", self.data().display()),
            )
            .remedy(format!("use --postgres {found}, or another --data-dir")));
        }
        make_dir(&self.folder)?;
        remove_partial(&self.folder, PARTIAL);
        // A name of its own: when this program is killed, its initdb lives on for a moment and writes.
        let partial = self.folder.join(format!("{PARTIAL}{}", Uuid::now_v7().simple()));
        let failed = |error| Error::new(Kind::Io, format!("can't prepare {}", partial.display())).caused_by(error);
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

    /// Starts the server on a socket that its account alone can reach, and on no port; one that runs already is left as it is.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where the path of the folder is too long for a socket.
    pub fn start_on_socket(&self) -> Result<()> {
        if self.is_running_or_starting() {
            return Ok(());
        }
        let socket = self.socket_file();
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(Error::invalid(format!(
                "{} is longer than the {MAX_SOCKET_PATH} bytes of a socket's path",
                socket.display()
            ))
            .remedy("name a shorter --data-dir, or have the server listen on a port: --port 0 takes a free one"));
        }
        // The server's working folder is its data directory, so this needs no quotes whatever the path is.
        self.start_with(&format!("-p {SOCKET_PORT} -c listen_addresses= -c unix_socket_directories=."))
    }

    /// Starts the server on `port` of 127.0.0.1 and returns once it takes connections; one that runs already is left as it is.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where another program has the port.
    pub fn start(&self, port: u16) -> Result<()> {
        if self.is_running_or_starting() {
            return Ok(());
        }
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "is in use by another program",
                _ => "can't be listened on",
            };
            return Err(Error::new(Kind::Conflict, format!("port {port} {why}"))
                .remedy("choose another one with --port, or 0 for any that is free")
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
        // It quotes failed statements with the values in them.
        private_file(&log)
            .map_err(|error| Error::new(Kind::Io, format!("can't write {}", log.display())).caused_by(error))?;
        self.account.own(&log)?;
        let pg_ctl = self.install.program("pg_ctl");
        // pg_ctl hands its own folder to a shell within double quotes; those of the server it finds below the working folder.
        if pg_ctl.as_os_str().as_encoded_bytes().iter().any(|byte| b"$`\"\\".contains(byte)) {
            return Err(Error::invalid(format!("the path {} has a character on which a shell acts", pg_ctl.display()))
                .remedy("name another folder with WORKSPACE_DB_CACHE_DIR"));
        }
        PidFile::of(&self.data()).remove_if_stale().map_err(|error| {
            Error::new(Kind::Io, "can't take away the file of a server that is gone").caused_by(error)
        })?;
        let output = self
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata", DATA, "--log", LOG, "--options"])
            .arg(settings)
            .output();
        match self.succeeded("pg_ctl start", output) {
            // Where an interrupted run's pg_ctl lived on and was first, its server is as good.
            Err(_) if self.is_running_or_starting() => Ok(()),
            Err(error) => {
                let tail = log_tail(&log);
                Err(Error::new(error.kind(), format!("{error}; the log ends: {tail}")).caused_by(error))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Starts the server on a port that nobody has, and returns which.
    ///
    /// Between looking for a free port and listening on it, another program may take it; then another one is looked for.
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

    /// Whether the server takes connections, after waiting for one that another process has begun to start.
    fn is_running_or_starting(&self) -> bool {
        let deadline = Instant::now() + START_TIMEOUT;
        while self.pid().is_none() {
            if !PidFile::of(&self.data()).is_being_written() || Instant::now() > deadline {
                return false;
            }
            thread::sleep(START_POLL);
        }
        true
    }

    /// Stops the server, ending its sessions, and returns once it is gone; whether there was one to stop.
    ///
    /// # Errors
    ///
    /// Where the server does not stop within a minute.
    pub fn stop(&self) -> Result<bool> {
        self.stop_by("fast")
    }

    /// Stops it as a crash does: nobody is told, and what is on the disk is what there is. It recovers when it starts again.
    ///
    /// # Errors
    ///
    /// [`is_io_failure`](Error::is_io_failure) where it does not stop.
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

    /// The process of the running server.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let data = self.data();
        let file = PidFile::of(&data);
        let pid = file.process()?;
        file.line::<String>(7).filter(|state| state == "ready")?;
        let answers = match self.remembered_port() {
            Some(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            None => UnixStream::connect(self.socket_file()).is_ok(),
        };
        answers.then_some(pid)
    }

    /// The port of the running server, where it listens on one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.pid()?;
        self.remembered_port()
    }

    /// The socket of the running server, where it listens on none but that.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        self.pid()?;
        self.remembered_port().is_none().then(|| self.socket_file())
    }

    /// The sixth line of the file is the address that the server listens on, and empty where there is only a socket.
    fn remembered_port(&self) -> Option<u16> {
        let data = self.data();
        let file = PidFile::of(&data);
        file.line::<String>(5).filter(|address| !address.is_empty())?;
        file.line(3)
    }

    fn socket_file(&self) -> PathBuf {
        self.data().join(format!(".s.PGSQL.{SOCKET_PORT}"))
    }

    /// The URL of a login on a server that listens on `port`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where user or database is not fit for a URL.
    pub fn url(port: u16, user: &str, password: &SecretString, database: &str) -> Result<DatabaseUrl> {
        let password = encoded(password.expose_secret());
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}").parse()
    }

    /// The URL of a login on this server: by its port where it listens on one, else by its socket.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url); also where the path of the folder is not UTF-8.
    pub fn login(&self, user: &str, password: &SecretString, database: &str) -> Result<DatabaseUrl> {
        if let Some(port) = self.port() {
            return Self::url(port, user, password, database);
        }
        let folder = self.data();
        let folder =
            folder.to_str().ok_or_else(|| Error::invalid(format!("the path {} is not UTF-8", folder.display())))?;
        // libpq and the driver take an encoded path in the place of the host for the folder of a socket.
        let (folder, password) = (encoded(folder), encoded(password.expose_secret()));
        format!("postgres://{user}:{password}@{folder}:{SOCKET_PORT}/{database}").parse()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.install.program(program));
        // The caller's folder may be closed to the server's account.
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn succeeded(&self, what: &str, output: std::io::Result<Output>) -> Result<Output> {
        let failed = |why: &str| {
            let remedy = if why.contains("ermission denied") {
                format!(
                    "the server runs as the account {}, which must be able to reach {} and {}; name folders that it can reach",
                    self.account.name(),
                    self.folder.display(),
                    self.install.bin.display()
                )
            } else {
                format!("see {}", self.log().display())
            };
            Error::new(Kind::Io, format!("{what} failed: {why}")).remedy(remedy)
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

/// A file that its owner alone may read, made where it is missing; what is written goes to its end.
fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
///
/// # Errors
///
/// Where the system has none left.
pub fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::new(Kind::Io, "no free port on 127.0.0.1").caused_by(error))
}

fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
