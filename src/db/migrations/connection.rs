//! Connection of a migrator, with its timeouts and its advisory lock.

use std::time::Duration;

use tokio_postgres::Client;

use super::failure::READ_ONLY;
use crate::config::DatabaseUrl;
use crate::db::cancellation::CancelOnDrop;
use crate::db::connection::{CATALOG_SETTINGS, client_with};
use crate::error::{Error, ErrorKind, Result};

/// Advisory lock of a migrator, "wsdb" in ASCII: `SELECT * FROM pg_locks WHERE locktype = 'advisory'` shows its holder.
/// A migrator polls it, since a blocking wait and CREATE INDEX CONCURRENTLY deadlock.
pub const ADVISORY_LOCK: i64 = 0x7773_6462;

const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

/// Timeouts of a migration's statements, and the number of its attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct MigrationTimeouts {
    pub(super) lock: Duration,
    pub(super) statement: Duration,
    pub(super) attempts: usize,
}

pub(super) struct MigrationConnection {
    client: Client,
    /// Guard that cancels the running statement of an abandoned migrator.
    cancel: CancelOnDrop,
}

impl MigrationConnection {
    /// Opens a connection and takes the lock, so that no other migrator runs.
    pub(super) async fn open(url: &DatabaseUrl, time_outs: MigrationTimeouts) -> Result<Self> {
        // Set at the start of the session, so that a RESET in a migration returns to them.
        let settings = format!(
            "-c lock_timeout={} -c statement_timeout={}",
            time_outs.lock.as_millis(),
            time_outs.statement.as_millis()
        );
        let client = client_with(url, &settings).await.map_err(|error| {
            if error.to_string().contains("unsupported startup parameter") { behind_a_pooler(url) } else { error }
        })?;
        let cancel = CancelOnDrop::new(url, &client)?;
        let conn = Self { client, cancel };
        conn.check_server(url).await?;
        conn.lock().await?;
        Ok(conn)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    async fn check_server(&self, url: &DatabaseUrl) -> Result<()> {
        // On a replica, every transaction is read-only.
        let ask = "SELECT current_setting('transaction_read_only')::bool, current_setting('lock_timeout') = '0',
            current_setting('server_encoding'), to_regclass('__diesel_schema_migrations') IS NULL
                AND current_setting('server_version_num')::int >= 160000";
        let row = self.client.query_one(ask, &[]).await?;
        if row.get(0) {
            return Err(Error::new(
                ErrorKind::MissingPrerequisite,
                format!("the database {url} accepts no writes: it is a replica or read-only"),
            )
            .remedy(READ_ONLY));
        }
        if row.get(1) {
            return Err(behind_a_pooler(url));
        }
        let (encoding, is_new): (String, bool) = (row.get(2), row.get(3));
        if encoding != "UTF8" && is_new {
            return Err(Error::new(
                ErrorKind::MissingPrerequisite,
                format!("the encoding of the database {url} is {encoding}, which does not have every character"),
            )
            .remedy("create the database again with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"));
        }
        Ok(())
    }

    /// Restores the session to its beginning, regardless of what the last migration has set in it.
    pub(super) async fn refresh(&self) -> Result<()> {
        self.client.batch_execute(&format!("RESET ROLE; RESET ALL; {CATALOG_SETTINGS}")).await?;
        // With this, the server ends the statement and frees the lock if this process is killed. Not every system
        // supports it.
        let _ = self.client.batch_execute("SET client_connection_check_interval = '2s'").await;
        Ok(())
    }

    /// Polls for the lock, since a blocking wait and CREATE INDEX CONCURRENTLY wait for each other.
    async fn lock(&self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&ADVISORY_LOCK]).await?.get::<_, bool>(0) {
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("another migrator has held the lock for {} s", PATIENCE.as_secs()),
                )
                .remedy("wait until it ends, or terminate its session"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Releases the lock. Dropping the connection is not enough, because the runtime closes its socket later.
    pub(super) async fn close(self) {
        // If the session is lost, so is the lock.
        let _ = self.client.execute("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await;
        self.cancel.disarm();
    }

    /// Describes the sessions that hold locks, for the error of a migrator that got none.
    pub(super) async fn holders(&self) -> Option<String> {
        // The server shows the owner only the process id of another login's session.
        let ask = "SELECT DISTINCT ON (l.pid) l.pid, coalesce(a.usename::text, ''), coalesce(a.state, ''), extract(epoch FROM now() - a.xact_start)::bigint
            FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a USING (pid)
            WHERE l.locktype = 'relation' AND l.granted AND l.relation >= 16384 AND l.pid <> pg_backend_pid()
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            ORDER BY l.pid LIMIT 5";
        let rows = self.client.query(ask, &[]).await.ok()?;
        let one = |row: &tokio_postgres::Row| {
            let (pid, login, state): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
            let since = row.get::<_, Option<i64>>(3).map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
            format!("process {pid} ({})", format!("{login} {state}{since}").trim())
        };
        let all: Vec<String> = rows.iter().map(one).collect();
        (!all.is_empty()).then(|| format!("locks are held by {}", all.join(", ")))
    }
}

fn behind_a_pooler(url: &DatabaseUrl) -> Error {
    Error::new(
        ErrorKind::MissingPrerequisite,
        format!("{url} points to a pooler, which drops the timeouts and the lock of a migrator"),
    )
    .remedy("point DATABASE_URL directly to the server for migrations")
}
