//! The migrations, embedded: the same files that the Diesel CLI runs, in the same table of what was applied.

use std::time::Duration;

use diesel::QueryDsl as _;
use diesel::connection::BoxableConnection;
use diesel::dsl::sql;
use diesel::migration::{self, Migration, MigrationMetadata, MigrationName, MigrationSource as _};
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use crate::config::{DatabaseUrl, Environment};
use crate::error::{Error, Kind, Result};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Every migration's folder name and `up.sql`, in order.
const UP_SQL: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

diesel::table! {
    /// Diesel's own table of what was applied.
    __diesel_schema_migrations (version) {
        /// The digits of the migration's name.
        version -> Text,
    }
}

/// The advisory lock of whoever migrates, "wsdb" in ASCII: `SELECT * FROM pg_locks WHERE locktype = 'advisory'` shows who
/// has it. It is polled, since a blocking wait and CREATE INDEX CONCURRENTLY deadlock.
pub const ADVISORY_LOCK: i64 = 0x7773_6462;
const LOCK_POLL: Duration = Duration::from_millis(100);
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// One migration and how it stands in a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MigrationStatus {
    /// Folder name, whose part before the first underscore is the version.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// How many of the applied migrations are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revert {
    /// The last so many.
    Last(u32),
    /// Every one.
    All,
}

/// Runs what is pending, each in a transaction of its own, and returns the names of what ran, in order.
///
/// `url` is the owner's, and leads to the server itself: behind a pooler in transaction mode the lock would be another
/// session's. One migrator at a time: others wait up to a minute. In production the bootstrap migration
/// inserts nothing. `before_each` is called with the name of each migration before it runs.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the server lacks pgvector or is older than
/// PostgreSQL 16, [`is_conflict`](Error::is_conflict) where another migrator holds the lock for a minute,
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure). What ran before the
/// failure stays, and the next run goes on there.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// use workspace_db::config::Environment;
/// use workspace_db::db::migrations;
///
/// let url = "postgres://owner:secret@localhost/platform".parse()?;
/// let applied = migrations::run(&url, Environment::Production, |name| println!("{name}")).await?;
/// # drop(applied);
/// # Ok(())
/// # }
/// ```
pub async fn run(
    url: &DatabaseUrl,
    environment: Environment,
    before_each: impl Fn(&str) + Send + 'static,
) -> Result<Vec<String>> {
    let conn = locked(url).await?;
    blocking(conn, move |conn| {
        let pending = conn.pending_migrations(MIGRATIONS).map_err(|error| failed("reading what is pending", error))?;
        let mut ran = Vec::with_capacity(pending.len());
        for migration in pending {
            let name = migration.name().to_string();
            before_each(&name);
            conn.run_migration(&Plain { migration: migration.as_ref(), environment })
                .map_err(|error| failed(&format!("migration {name}"), error))?;
            ran.push(name);
        }
        Ok(ran)
    })
    .await
}

/// Takes back the last applied migrations, each in a transaction of its own, and returns their names, the last first.
///
/// Their `down.sql` drops tables **with the data in them**.
///
/// # Errors
///
/// As [`run`]; and [`is_not_found`](Error::is_not_found) where the database has a migration that this program has not.
pub async fn revert(url: &DatabaseUrl, which: Revert) -> Result<Vec<String>> {
    let conn = locked(url).await?;
    blocking(conn, move |conn| {
        let known: Vec<Box<dyn Migration<Pg>>> =
            MIGRATIONS.migrations().map_err(|error| failed("reading the migrations", error))?;
        let mut applied = conn.applied_migrations().map_err(|error| failed("reading what was applied", error))?;
        if let Revert::Last(count) = which {
            applied.truncate(count.try_into().unwrap_or(usize::MAX));
        }
        // All of them are found before the first is reverted, so that an unknown one stops nothing half-way.
        let mut found = Vec::with_capacity(applied.len());
        for version in applied {
            let migration = known.iter().find(|migration| migration.name().version() == version).ok_or_else(|| {
                Error::new(
                    Kind::NotFound,
                    format!("the database has migration {version}, which this program does not know"),
                )
                .remedy("revert it with the version of workspace-db that brought it")
            })?;
            found.push(migration);
        }
        let mut reverted = Vec::with_capacity(found.len());
        for migration in found {
            let name = migration.name().to_string();
            conn.revert_migration(migration).map_err(|error| failed(&format!("reverting {name}"), error))?;
            reverted.push(name);
        }
        Ok(reverted)
    })
    .await
}

/// Every migration that this program knows, in order, and whether the database has it; then those that only the
/// database knows.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn status(url: &DatabaseUrl) -> Result<Vec<MigrationStatus>> {
    let mut applied = applied_versions(url).await?;
    let mut all: Vec<_> = UP_SQL
        .iter()
        .map(|(name, _)| {
            let found = applied.iter().position(|version| *version == version_of(name)).map(|at| applied.remove(at));
            MigrationStatus { name: (*name).to_owned(), applied: found.is_some() }
        })
        .collect();
    all.extend(applied.into_iter().map(|name| MigrationStatus { name, applied: true }));
    Ok(all)
}

/// What [`run`] would run, in order: the name and the SQL of each pending migration.
///
/// # Errors
///
/// As [`status`].
pub async fn plan(url: &DatabaseUrl) -> Result<Vec<(&'static str, &'static str)>> {
    let applied = applied_versions(url).await?;
    Ok(UP_SQL.iter().copied().filter(|(name, _)| !applied.contains(&version_of(name))).collect())
}

/// The versions that the database has, without making the table of them where it is missing.
async fn applied_versions(url: &DatabaseUrl) -> Result<Vec<String>> {
    let mut conn = super::connect(url).await?;
    let exists = sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
    if !diesel::select(exists).get_result::<bool>(&mut conn).await? {
        return Ok(Vec::new());
    }
    Ok(__diesel_schema_migrations::table
        .select(__diesel_schema_migrations::version)
        .order(__diesel_schema_migrations::version)
        .load(&mut conn)
        .await?)
}

/// As Diesel does it: what stands before the first underscore, without the dashes.
fn version_of(name: &str) -> String {
    name.split('_').next().unwrap_or_default().replace('-', "")
}

async fn locked(url: &DatabaseUrl) -> Result<AsyncPgConnection> {
    let mut conn = super::connect(url).await?;
    let deadline = tokio::time::Instant::now() + LOCK_TIMEOUT;
    loop {
        let lock = sql::<Bool>("pg_try_advisory_lock(").bind::<BigInt, _>(ADVISORY_LOCK).sql(")");
        if diesel::select(lock).get_result(&mut conn).await? {
            return Ok(conn);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::new(
                Kind::Conflict,
                format!("another migrator has held the lock for {} s", LOCK_TIMEOUT.as_secs()),
            )
            .remedy("wait for it to end, or end its session"));
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

/// Runs `work` on a thread of its own, and gives the lock back: Diesel's migration harness is synchronous, and blocking
/// in place would panic on a current-thread runtime.
async fn blocking<T: Send + 'static>(
    conn: AsyncPgConnection,
    work: impl FnOnce(&mut AsyncConnectionWrapper<AsyncPgConnection>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let working = move || {
        let mut conn = AsyncConnectionWrapper::from(conn);
        let done = work(&mut conn);
        // Dropping the connection is not enough: its socket closes when the runtime comes to it. Where the session is
        // gone, so is the lock.
        let unlock = diesel::sql_query("SELECT pg_advisory_unlock($1)").bind::<BigInt, _>(ADVISORY_LOCK);
        let _ = diesel::RunQueryDsl::execute(unlock, &mut conn);
        done
    };
    tokio::task::spawn_blocking(working)
        .await
        .map_err(|error| Error::new(Kind::Database, "the migrating thread panicked").caused_by(error))?
}

/// The same migration, whose error is Diesel's own: `diesel_migrations` wraps it in a type that it keeps to itself, and
/// with it the constraint's name that tells a missing prerequisite from a mistake.
struct Plain<'a> {
    migration: &'a dyn Migration<Pg>,
    environment: Environment,
}

impl Migration<Pg> for Plain<'_> {
    fn run(&self, conn: &mut dyn BoxableConnection<Pg>) -> migration::Result<()> {
        let name = self.migration.name().to_string();
        // Within the migration's own transaction, so that no pooler can put it into another session.
        if self.environment == Environment::Production && self.metadata().run_in_transaction() {
            conn.batch_execute("SET LOCAL workspace_db.bootstrap = 'off'")?;
        }
        match UP_SQL.iter().find(|(known, _)| *known == name) {
            Some((_, sql)) => Ok(conn.batch_execute(sql)?),
            None => self.migration.run(conn),
        }
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<Pg>) -> migration::Result<()> {
        self.migration.revert(conn)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self.migration.metadata()
    }

    fn name(&self) -> &dyn MigrationName {
        self.migration.name()
    }
}

fn failed(what: &str, error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<diesel::result::Error>() {
        Ok(error) => {
            let error = Error::from(*error);
            Error::new(error.kind(), format!("{what} failed: {error}")).caused_by(error)
        }
        Err(error) => Error::new(Kind::Database, format!("{what} failed: {error}")).caused_by(error),
    }
}
