//! Migrations: the same files that the Diesel CLI runs, and the same table of applied versions.
//!
//! [`Migrator`] runs them safely in production: one migrator at a time, short waits for locks, a checksum of each
//! applied text. [`EMBEDDED`] contains the same migrations for Diesel's own harness.

mod apply;
mod connection;
mod failure;
mod history;
mod source;
mod squash;
mod statements;

use std::path::Path;
use std::time::Duration;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub use self::connection::ADVISORY_LOCK;
use self::connection::{MigrationConnection, MigrationTimeouts};
use self::failure::MigrationFailure;
use self::history::History;
pub use self::source::Migration;
use self::source::MigrationSet;
pub use self::statements::{MigrationStatement, statements};
use crate::config::{DatabaseUrl, Environment};
use crate::error::{Error, ErrorKind, Result};

/// Migrations for the harness of `diesel_migrations`, which takes no lock and records no checksums.
pub const EMBEDDED: EmbeddedMigrations = embed_migrations!();

/// Migration and its status in a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MigrationInfo {
    /// Name of the folder, which begins with the version up to the first underscore. For an unknown migration it is
    /// only the version.
    pub name: String,
    /// Status of the migration.
    pub status: MigrationStatus,
}

/// Status of a migration in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStatus {
    /// Applied, with the text of this program.
    Applied,
    /// Applied without a checksum, by the stock Diesel CLI. The next run records the checksum of this program's text.
    Unrecorded,
    /// Not applied.
    Pending,
    /// Applied, with another text.
    Edited,
    /// Applied, but unknown to this program.
    Unknown,
}

impl MigrationStatus {
    /// Returns its name in one word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unrecorded => "unrecorded",
            Self::Pending => "pending",
            Self::Edited => "edited",
            Self::Unknown => "unknown",
        }
    }
}

/// Number of applied migrations to revert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevertCount {
    /// Last migrations, up to this number.
    Last(u32),
    /// All migrations.
    All,
}

/// Runner of migrations on one database: this crate's and your own.
///
/// One migrator runs at a time; others wait for up to a minute. A statement waits for a lock for at most two seconds,
/// while readers and writers may have to wait behind it. Then the migration is rolled back and retried, with at most
/// ten attempts and growing pauses. A statement that runs for longer than a minute is cancelled. Both timeouts are set
/// when the session starts, so a RESET in a migration returns to them. A CONCURRENTLY statement blocks no other session
/// and has no timeouts.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// use workspace_db::config::Environment;
/// use workspace_db::db::migrations::Migrator;
///
/// let url = "postgres://owner:secret@localhost/platform".parse()?;
/// let migrator = Migrator::new(&url, Environment::Production);
/// for name in migrator.run(|name| println!("{name}")).await? {
///     println!("applied {name}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Migrator {
    url: DatabaseUrl,
    environment: Environment,
    sources: MigrationSet,
    time_outs: MigrationTimeouts,
}

impl Migrator {
    /// Creates a migrator of this crate's migrations. In production the bootstrap migration inserts nothing.
    ///
    /// `url` is the owner's and leads to the server itself. A pooler in transaction mode would give the lock to another
    /// session.
    #[must_use]
    pub fn new(url: &DatabaseUrl, environment: Environment) -> Self {
        let time_outs =
            MigrationTimeouts { lock: Duration::from_secs(2), statement: Duration::from_secs(60), attempts: 10 };
        Self { url: url.clone(), environment, sources: MigrationSet::built_in(), time_outs }
    }

    /// Creates a migrator of these migrations only, without this crate's.
    ///
    /// # Errors
    ///
    /// Same as [`with_folder`](Self::with_folder).
    pub fn from_migrations(
        url: &DatabaseUrl,
        environment: Environment,
        migrations: impl IntoIterator<Item = Migration>,
    ) -> Result<Self> {
        Self { sources: MigrationSet::default(), ..Self::new(url, environment) }.with(migrations)
    }

    /// Adds the migrations of a folder, in the order of their versions. A migration replaces another of the same name.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if a migration lacks `up.sql`, has no version, or can't be run
    /// safely, such as again after a crash; [`is_conflict`](Error::is_conflict) if two have the same version;
    /// [`is_io_failure`](Error::is_io_failure).
    pub fn with_folder(mut self, folder: impl AsRef<Path>) -> Result<Self> {
        self.sources.add_folder(folder.as_ref())?;
        Ok(self)
    }

    /// Adds these migrations, as [`with_folder`](Self::with_folder) does, for a program that embeds its own.
    ///
    /// # Errors
    ///
    /// Same as [`with_folder`](Self::with_folder).
    ///
    /// ```
    /// # fn example(url: &workspace_db::config::DatabaseUrl) -> workspace_db::Result<()> {
    /// use workspace_db::config::Environment;
    /// use workspace_db::db::migrations::{Migration, Migrator};
    ///
    /// let tags = Migration::new("2026-12-01-090000_create_tags", "CREATE TABLE tags (tag text)", "DROP TABLE tags");
    /// let migrator = Migrator::new(url, Environment::Production).with([tags])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(mut self, migrations: impl IntoIterator<Item = Migration>) -> Result<Self> {
        for migration in migrations {
            self.sources.add(migration)?;
        }
        Ok(self)
    }

    /// Sets the maximum time that a statement waits for a lock: two seconds by default, at least one millisecond.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.time_outs.lock = timeout.max(Duration::from_millis(1));
        self
    }

    /// Sets the maximum time that a statement runs: one minute by default, unlimited if zero.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.time_outs.statement = timeout;
        self
    }

    /// Sets the number of attempts for a migration that gets no lock: ten by default, at least one.
    #[must_use]
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.time_outs.attempts = attempts.max(1);
        self
    }

    /// Returns all migrations of this migrator, in order.
    pub fn migrations(&self) -> impl Iterator<Item = &Migration> {
        self.sources.iter()
    }

    /// Runs the pending migrations, each in its own transaction, and returns their names in order.
    ///
    /// `before_each` is called with the name of each migration before it runs. After a failure, the earlier migrations
    /// stay applied, and the next run resumes there. An index whose concurrent build was interrupted is dropped and
    /// built again.
    ///
    /// # Errors
    ///
    /// Each error names the migration and the statement. [`is_conflict`](Error::is_conflict) if the text of an applied
    /// migration has changed, or if another migrator or another transaction's lock stays in the way. Also if the
    /// database has migrations that this program does not know, and lacks some that it has.
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the server lacks pgvector, is older than
    /// PostgreSQL 16 or accepts no writes; also if the login may not do what a migration does;
    /// [`is_invalid_input`](Error::is_invalid_input) for a syntax error;
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn run(&self, before_each: impl Fn(&str)) -> Result<Vec<String>> {
        let conn = MigrationConnection::open(&self.url, self.time_outs).await?;
        let ran = self.run_on(&conn, before_each).await;
        conn.close().await;
        ran
    }

    async fn run_on(&self, conn: &MigrationConnection, before_each: impl Fn(&str)) -> Result<Vec<String>> {
        history::prepare(conn.client()).await.map_err(|error| MigrationFailure::before(error).into_error(1, None))?;
        let history = squash::take_over(conn.client(), &self.sources).await?;
        self.reject_edited(&history)?;
        let pending: Vec<_> = self.sources.iter().filter(|one| !history.contains_key(&one.version())).collect();
        self.reject_unknown_versions(&history, &pending)?;
        for applied in self.sources.iter().filter(|one| history.get(&one.version()) == Some(&None)) {
            history::adopt(conn.client(), applied).await?;
        }
        let mut ran = Vec::with_capacity(pending.len());
        for migration in pending {
            before_each(migration.name());
            apply::up(conn, migration, self.environment, self.time_outs.attempts).await?;
            ran.push(migration.name().to_owned());
        }
        Ok(ran)
    }

    fn reject_edited(&self, history: &History) -> Result<()> {
        let edited: Vec<_> =
            self.sources.iter().filter(|one| status(one, history) == MigrationStatus::Edited).collect();
        let [first, ..] = edited.as_slice() else { return Ok(()) };
        let names = edited.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        let changed = Error::new(ErrorKind::Conflict, format!("the text of applied migrations has changed: {names}"));
        let line_ends_alone = edited.iter().all(|one| {
            history
                .get(&one.version())
                .and_then(Option::as_ref)
                .is_some_and(|known| one.differs_in_line_ends_from(known))
        });
        let why = if line_ends_alone { "only the line endings differ, as Git may convert them; " } else { "" };
        Err(changed.remedy(format!(
            "{why}restore the old text and put the change into a new migration; if the change has no effect on \
             any database, accept the new text with UPDATE __diesel_schema_migrations SET checksum = NULL WHERE version = '{}'",
            first.version()
        )))
    }

    /// With nothing pending, an older program accepts a newer database, as expand and contract promises.
    fn reject_unknown_versions(&self, history: &History, pending: &[&Migration]) -> Result<()> {
        let unknown: Vec<&str> =
            history.keys().map(String::as_str).filter(|version| self.sources.get(version).is_none()).collect();
        match (unknown.as_slice(), pending) {
            ([], _) => Ok(()),
            (unknown, []) => {
                tracing::warn!(
                    versions = unknown.join(", "),
                    "the database has migrations that this program does not know"
                );
                Ok(())
            }
            (unknown, [first, ..]) => Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "the database has migrations that this program does not know ({}), and lacks {}",
                    unknown.join(", "),
                    first.name()
                ),
            )
            .remedy(
                "run this with the release that added them, or a newer one; if they are your own, name their folder \
                 with --migrations",
            )),
        }
    }

    /// Reverts the last applied migrations, each in its own transaction, and returns their names, the last one first.
    ///
    /// Their `down.sql` drops tables **with the data in them**.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run); [`is_not_found`](Error::is_not_found) if the database has a migration that this
    /// program does not have; [`is_invalid_input`](Error::is_invalid_input) if one has no `down.sql`. In both cases
    /// none is reverted.
    pub async fn revert(&self, which: RevertCount) -> Result<Vec<String>> {
        let conn = MigrationConnection::open(&self.url, self.time_outs).await?;
        let reverted = self.revert_on(&conn, which).await;
        conn.close().await;
        reverted
    }

    async fn revert_on(&self, conn: &MigrationConnection, which: RevertCount) -> Result<Vec<String>> {
        let history = squash::take_over(conn.client(), &self.sources).await?;
        let count = match which {
            RevertCount::Last(count) => count.try_into().unwrap_or(usize::MAX),
            RevertCount::All => usize::MAX,
        };
        // All are found before the first is reverted, so that an unknown one does not stop the run halfway.
        let found = history.keys().rev().take(count).map(|version| {
            self.sources.get(version).ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("the database has migration {version}, which this program does not know"),
                )
                .remedy("revert it with the version of workspace-db that added it; if it is your own, name its folder with --migrations")
            })
        });
        let found = found.collect::<Result<Vec<_>>>()?;
        found.iter().try_for_each(|migration| migration.require_down_sql())?;
        let mut reverted = Vec::with_capacity(found.len());
        for migration in found {
            apply::down(conn, migration, self.time_outs.attempts).await?;
            reverted.push(migration.name().to_owned());
        }
        Ok(reverted)
    }

    /// Lists all migrations of this migrator, in order, with their status in the database. Then it lists those that only
    /// the database has.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn status(&self) -> Result<Vec<MigrationInfo>> {
        let history = self.history().await?;
        let known =
            self.sources.iter().map(|one| MigrationInfo { name: one.name().to_owned(), status: status(one, &history) });
        let unknown = history.keys().filter(|version| self.sources.get(version).is_none());
        let unknown = unknown.map(|version| MigrationInfo { name: version.clone(), status: MigrationStatus::Unknown });
        Ok(known.chain(unknown).collect())
    }

    /// Returns the migrations that [`run`](Self::run) would run, in order.
    ///
    /// # Errors
    ///
    /// Same as [`status`](Self::status).
    pub async fn plan(&self) -> Result<Vec<Migration>> {
        let history = self.history().await?;
        Ok(self.sources.iter().filter(|one| !history.contains_key(&one.version())).cloned().collect())
    }

    async fn history(&self) -> Result<History> {
        Ok(squash::translate(history::read(&super::connection::client(&self.url).await?).await?, &self.sources))
    }
}

/// Returns the version and the checksum of each of this crate's migrations.
pub(crate) fn checksums() -> Vec<(String, String)> {
    MigrationSet::built_in().iter().map(|one| (one.version(), one.checksum())).collect()
}

fn status(migration: &Migration, history: &History) -> MigrationStatus {
    match history.get(&migration.version()) {
        None => MigrationStatus::Pending,
        Some(None) => MigrationStatus::Unrecorded,
        Some(Some(checksum)) if *checksum == migration.checksum() => MigrationStatus::Applied,
        Some(Some(_)) => MigrationStatus::Edited,
    }
}
