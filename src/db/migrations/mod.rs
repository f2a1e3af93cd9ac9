//! The migrations: the same files that the Diesel CLI runs, in the same table of what was applied.
//!
//! [`Migrator`] runs them so that they hold in production: one migrator at a time, short waits for locks, a checksum of what
//! was applied. [`EMBEDDED`] are the same for Diesel's own harness.

mod apply;
mod failure;
mod history;
mod session;
mod source;
mod squash;
mod statements;

use std::path::Path;
use std::time::Duration;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use self::failure::MigrationFailure;
use self::history::History;
use self::session::MigrationSession;
pub use self::source::Migration;
use self::source::MigrationSet;
pub use self::statements::{MigrationStatement, statements};
use crate::config::{DatabaseUrl, Environment};
use crate::error::{Error, Kind, Result};

/// The migrations for `diesel_migrations`' own harness, which keeps no lock and no checksums.
pub const EMBEDDED: EmbeddedMigrations = embed_migrations!();

/// The advisory lock of whoever migrates, "wsdb" in ASCII: `SELECT * FROM pg_locks WHERE locktype = 'advisory'` shows who
/// has it. It is polled, since a blocking wait and CREATE INDEX CONCURRENTLY deadlock.
pub const ADVISORY_LOCK: i64 = 0x7773_6462;

/// One migration and how it stands in a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MigrationStatus {
    /// Folder name, whose part before the first underscore is the version; the version alone where only the database
    /// knows it.
    pub name: String,
    /// How it stands.
    pub state: MigrationState,
}

/// How a migration stands in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationState {
    /// The database has it, as it is here.
    Applied,
    /// The database has it, and nobody wrote down what it was: the stock Diesel CLI applied it. The next run takes what is
    /// here for it.
    Unrecorded,
    /// The database does not have it.
    Pending,
    /// The database has it, and it was another text.
    Edited,
    /// The database has it, and this program does not know it.
    Unknown,
}

impl MigrationState {
    /// Its name, in one word.
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

/// How many of the applied migrations are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevertCount {
    /// The last so many.
    Last(u32),
    /// Every one.
    All,
}

/// How long a statement of a migration may wait and run.
#[derive(Clone, Copy, Debug)]
struct MigrationTimeouts {
    lock: Duration,
    statement: Duration,
    attempts: usize,
}

/// Runs migrations on one database: this crate's, and yours beside them.
///
/// One migrator at a time: others wait for up to a minute. A statement waits for a lock for at most two seconds, in which
/// readers and writers may have to wait behind it; then the migration is taken back and tried again, ten times, with growing
/// pauses between. A statement that runs for longer than a minute is ended. Both hold from the beginning of the session, so a RESET in
/// a migration goes back to them; a statement that says CONCURRENTLY stands in nobody's way and has neither.
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
    /// Of this crate's migrations. In production the bootstrap migration inserts nothing.
    ///
    /// `url` is the owner's, and leads to the server itself: a pooler in transaction mode would give the lock to another session.
    #[must_use]
    pub fn new(url: &DatabaseUrl, environment: Environment) -> Self {
        let time_outs =
            MigrationTimeouts { lock: Duration::from_secs(2), statement: Duration::from_secs(60), attempts: 10 };
        Self { url: url.clone(), environment, sources: MigrationSet::ours(), time_outs }
    }

    /// Of these migrations alone, without this crate's.
    ///
    /// # Errors
    ///
    /// As [`with_folder`](Self::with_folder).
    pub fn of(
        url: &DatabaseUrl,
        environment: Environment,
        migrations: impl IntoIterator<Item = Migration>,
    ) -> Result<Self> {
        Self { sources: MigrationSet::default(), ..Self::new(url, environment) }.with(migrations)
    }

    /// And of those in a folder, in the order of their versions. One that has the name of another replaces it.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where one of them lacks a file, has no version, or could not be run again after a
    /// crash; [`is_conflict`](Error::is_conflict) where two have one version; [`is_io_failure`](Error::is_io_failure).
    pub fn with_folder(mut self, folder: impl AsRef<Path>) -> Result<Self> {
        self.sources.add_folder(folder.as_ref())?;
        Ok(self)
    }

    /// And of these, as [`with_folder`](Self::with_folder), for a program that carries its own.
    ///
    /// # Errors
    ///
    /// As [`with_folder`](Self::with_folder).
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

    /// How long a statement may wait for a lock, else two seconds; at least a millisecond.
    #[must_use]
    pub fn lock_timeout(mut self, most: Duration) -> Self {
        self.time_outs.lock = most.max(Duration::from_millis(1));
        self
    }

    /// How long a statement may run, else a minute; zero is for as long as it takes.
    #[must_use]
    pub fn statement_timeout(mut self, most: Duration) -> Self {
        self.time_outs.statement = most;
        self
    }

    /// How often a migration that got no lock is tried, else ten times; at least once.
    #[must_use]
    pub fn attempts(mut self, most: usize) -> Self {
        self.time_outs.attempts = most.max(1);
        self
    }

    /// Every migration that this migrator knows, in order.
    pub fn migrations(&self) -> impl Iterator<Item = &Migration> {
        self.sources.iter()
    }

    /// Runs what is pending, each in a transaction of its own, and returns the names of what ran, in order.
    ///
    /// `before_each` is called with the name of each migration before it runs. What ran before a failure stays, and the
    /// next run goes on there. An index whose concurrent build was cut short is dropped and built again.
    ///
    /// # Errors
    ///
    /// Each names the migration and the statement.
    /// [`is_conflict`](Error::is_conflict) where the text of an applied migration has changed, where the database has migrations that this
    /// program does not know and lacks some that it does, and where another migrator, or a transaction that holds a lock, stays in the way;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the server lacks pgvector, is older than
    /// PostgreSQL 16 or takes no writes, and where the login may not do what a migration does;
    /// [`is_invalid_input`](Error::is_invalid_input) for a syntax error;
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn run(&self, before_each: impl Fn(&str)) -> Result<Vec<String>> {
        let session = MigrationSession::open(&self.url, self.time_outs).await?;
        let ran = self.run_on(&session, before_each).await;
        session.close().await;
        ran
    }

    async fn run_on(&self, session: &MigrationSession, before_each: impl Fn(&str)) -> Result<Vec<String>> {
        history::prepare(session.client())
            .await
            .map_err(|error| MigrationFailure::before(error).into_error(1, None))?;
        squash::take_over(session.client(), &self.sources).await?;
        let history = history::read(session.client()).await?;
        self.reject_edited(&history)?;
        let pending: Vec<_> = self.sources.iter().filter(|one| !history.contains_key(&one.version())).collect();
        self.reject_unknown_versions(&history, &pending)?;
        for applied in self.sources.iter().filter(|one| history.get(&one.version()) == Some(&None)) {
            history::adopt(session.client(), applied).await?;
        }
        let mut ran = Vec::with_capacity(pending.len());
        for migration in pending {
            before_each(migration.name());
            apply::up(session, migration, self.environment, self.time_outs.attempts).await?;
            ran.push(migration.name().to_owned());
        }
        Ok(ran)
    }

    fn reject_edited(&self, history: &History) -> Result<()> {
        let edited: Vec<_> = self.sources.iter().filter(|one| state(one, history) == MigrationState::Edited).collect();
        let [first, ..] = edited.as_slice() else { return Ok(()) };
        let names = edited.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        let changed = Error::new(Kind::Conflict, format!("the text of an applied migration has changed: {names}"));
        let line_ends_alone = edited.iter().all(|one| {
            history
                .get(&one.version())
                .and_then(Option::as_ref)
                .is_some_and(|known| one.differs_in_line_ends_from(known))
        });
        let why = if line_ends_alone { "only the ends of its lines differ, as Git may write them; " } else { "" };
        Err(changed.remedy(format!(
            "{why}bring the old text back and put the change into a new migration; where it makes no difference to any database, \
             UPDATE __diesel_schema_migrations SET checksum = NULL WHERE version = '{}' takes the new text for the old one",
            first.version()
        )))
    }

    /// With nothing pending, an older program is content with a newer database, as expand and contract promises.
    fn reject_unknown_versions(&self, history: &History, pending: &[&Migration]) -> Result<()> {
        let unknown: Vec<&str> =
            history.keys().map(String::as_str).filter(|version| self.sources.get(version).is_none()).collect();
        match (unknown.as_slice(), pending) {
            ([], _) => Ok(()),
            (unknown, []) => {
                tracing::warn!(versions = unknown.join(", "), "the database has migrations that this program does not know");
                Ok(())
            }
            (unknown, [first, ..]) => Err(Error::new(
                Kind::Conflict,
                format!(
                    "the database has migrations that this program does not know ({}) and lacks {}",
                    unknown.join(", "),
                    first.name()
                ),
            )
            .remedy(
                "run this with the release that brought them, or a newer one; where they are your own, name their folder \
                 with --migrations",
            )),
        }
    }

    /// Takes back the last applied migrations, each in a transaction of its own, and returns their names, the last first.
    ///
    /// Their `down.sql` drops tables **with the data in them**.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); [`is_not_found`](Error::is_not_found) where the database has a migration that this program has
    /// not, and [`is_invalid_input`](Error::is_invalid_input) where one has no `down.sql`: then none is reverted.
    pub async fn revert(&self, which: RevertCount) -> Result<Vec<String>> {
        let session = MigrationSession::open(&self.url, self.time_outs).await?;
        let reverted = self.revert_on(&session, which).await;
        session.close().await;
        reverted
    }

    async fn revert_on(&self, session: &MigrationSession, which: RevertCount) -> Result<Vec<String>> {
        squash::take_over(session.client(), &self.sources).await?;
        let history = history::read(session.client()).await?;
        let most = match which {
            RevertCount::Last(count) => count.try_into().unwrap_or(usize::MAX),
            RevertCount::All => usize::MAX,
        };
        // All of them are found before the first is reverted, so that an unknown one stops nothing half-way.
        let found = history.keys().rev().take(most).map(|version| {
            self.sources.get(version).ok_or_else(|| {
                Error::new(
                    Kind::NotFound,
                    format!("the database has migration {version}, which this program does not know"),
                )
                .remedy("revert it with the version of workspace-db that brought it; where it is your own, name its folder with --migrations")
            })
        });
        let found = found.collect::<Result<Vec<_>>>()?;
        found.iter().try_for_each(|migration| migration.require_down_sql())?;
        let mut reverted = Vec::with_capacity(found.len());
        for migration in found {
            apply::down(session, migration, self.time_outs.attempts).await?;
            reverted.push(migration.name().to_owned());
        }
        Ok(reverted)
    }

    /// Every migration that this migrator knows, in order, and how the database has it; then those that only the
    /// database knows.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn status(&self) -> Result<Vec<MigrationStatus>> {
        let history = self.history().await?;
        let known =
            self.sources.iter().map(|one| MigrationStatus { name: one.name().to_owned(), state: state(one, &history) });
        let unknown = history.keys().filter(|version| self.sources.get(version).is_none());
        let unknown = unknown.map(|version| MigrationStatus { name: version.clone(), state: MigrationState::Unknown });
        Ok(known.chain(unknown).collect())
    }

    /// What [`run`](Self::run) would run, in order.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn plan(&self) -> Result<Vec<Migration>> {
        let history = self.history().await?;
        Ok(self.sources.iter().filter(|one| !history.contains_key(&one.version())).cloned().collect())
    }

    async fn history(&self) -> Result<History> {
        Ok(squash::translate(history::read(&super::client(&self.url).await?).await?, &self.sources))
    }
}

/// The version and the checksum of each of this crate's migrations.
pub(crate) fn checksums() -> Vec<(String, String)> {
    MigrationSet::ours().iter().map(|one| (one.version(), one.checksum())).collect()
}

fn state(migration: &Migration, history: &History) -> MigrationState {
    match history.get(&migration.version()) {
        None => MigrationState::Pending,
        Some(None) => MigrationState::Unrecorded,
        Some(Some(checksum)) if *checksum == migration.checksum() => MigrationState::Applied,
        Some(Some(_)) => MigrationState::Edited,
    }
}
