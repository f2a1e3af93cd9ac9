//! Checks that a backend runs before it serves.

use std::collections::BTreeMap;

use diesel::sql_types::{Array, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use super::isolation;
use super::server::{OLDEST_SERVER, OLDEST_VECTOR};
use crate::db::migrations::Migration;
use crate::db::roles;
use crate::db::{CATALOG_SETTINGS, migrations};
use crate::error::{Error, ErrorKind, Result};
use crate::tenancy::{Database, TENANT_TABLES};

#[derive(diesel::QueryableByName)]
struct FaultRow {
    #[diesel(sql_type = Text)]
    fault: String,
}

/// Verifies that a backend may serve from this database. The error lists all problems.
///
/// It runs the cheap and critical checks in few round trips. The server and pgvector must be new enough, and row-level
/// security must bind the application's login. Every tenant table of this crate must exist with its policies. No
/// migration may be pending, or have been applied with another text. Call it once, between [`Database::open`] and the
/// first request. A database that is newer than this program passes: the previous release works on the next one's
/// schema. If you have tables of your own, use [`Readiness`], which checks them too.
///
/// # Errors
///
/// [`is_missing_prerequisite`](Error::is_missing_prerequisite) with all problems, and if the platform has no login for
/// the queries;
/// [`is_unreachable`](Error::is_unreachable), [`is_exhausted`](Error::is_exhausted).
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// use workspace_db::config::Config;
/// use workspace_db::doctor;
/// use workspace_db::tenancy::Database;
///
/// let db = Database::open(&Config::from_env()?).await?;
/// doctor::fit_to_serve(&db).await?;
/// # Ok(())
/// # }
/// ```
pub async fn fit_to_serve(db: &Database) -> Result<()> {
    Readiness::new().check(db).await
}

/// Check that a backend may serve, with tables and migrations of its own.
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// use workspace_db::config::Config;
/// use workspace_db::db::migrations::Migration;
/// use workspace_db::doctor::Readiness;
/// use workspace_db::tenancy::Database;
///
/// # const TENANT_TABLES: &[&str] = &["notes"];
/// let db = Database::open(&Config::from_env()?).await?;
/// let migrations = Migration::in_folder("migrations")?;
/// Readiness::new().with_tables(TENANT_TABLES).with_migrations(&migrations).check(&db).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before `check`"]
pub struct Readiness {
    tables: Vec<String>,
    /// Checksum of each migration by its version.
    migrations: BTreeMap<String, String>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Creates a check of this crate's tables and migrations.
    pub fn new() -> Self {
        let tables = TENANT_TABLES.iter().map(|table| (*table).to_owned()).collect();
        Self { tables, migrations: migrations::checksums().into_iter().collect() }
    }

    /// Adds your own tenant tables, which [`tenant_tables!`](crate::tenant_tables) lists in `TENANT_TABLES`.
    pub fn with_tables(mut self, tables: &[&str]) -> Self {
        self.tables.extend(tables.iter().map(|table| (*table).to_owned()));
        self
    }

    /// Adds your own migrations, which must be applied with the same text. One with the version of another replaces it.
    ///
    /// [`Migration::in_folder`] reads them at run time. A program that is deployed without its sources contains them:
    /// `Migration::new("2026-12-01-090000_create_tags", include_str!(..), include_str!(..))`.
    pub fn with_migrations<'a>(mut self, migrations: impl IntoIterator<Item = &'a Migration>) -> Self {
        self.migrations.extend(migrations.into_iter().map(|one| (one.version(), one.checksum())));
        self
    }

    /// Runs the checks. The error lists all problems.
    ///
    /// # Errors
    ///
    /// Same as [`fit_to_serve`].
    pub async fn check(&self, db: &Database) -> Result<()> {
        let faults = self.faults(db).await?;
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::MissingPrerequisite,
            format!("the database is not ready to serve requests: {}", faults.join("; ")),
        )
        .remedy("run `workspace-db doctor` for the remedy of each problem"))
    }

    async fn faults(&self, db: &Database) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let (mut conn, drops) = db.app_connection().await?;
        let powers = roles::of_connection(&mut conn).await?;
        drop(conn);
        // A login that drops to another role in each transaction, which production rejects, is bound in each.
        if let Some(why) = powers.beyond().filter(|_| !drops) {
            faults
                .push(format!("the application login \"{}\" {why}, so it can bypass row-level security", powers.login));
        }
        let (versions, checksums): (Vec<&String>, Vec<&String>) = self.migrations.iter().unzip();
        let [major, minor] = OLDEST_VECTOR;
        let query = format!(
            "{} UNION ALL
        SELECT CASE WHEN m.version IS NULL THEN 'migration ' || known.version || ' is pending'
            ELSE 'migration ' || known.version || ' had a different text when it was applied' END
        FROM unnest($2, $3) AS known (version, checksum) LEFT JOIN __diesel_schema_migrations AS m USING (version)
        WHERE m.version IS NULL OR to_jsonb(m) ->> 'checksum' <> known.checksum
        UNION ALL SELECT 'the server runs PostgreSQL ' || current_setting('server_version') || ', older than 16'
        WHERE current_setting('server_version_num')::int < {OLDEST_SERVER}
        UNION ALL SELECT 'pgvector is older than {major}.{minor}, or not installed'
        WHERE NOT EXISTS (SELECT FROM pg_extension
            WHERE extname = 'vector' AND string_to_array(extversion, '.')::int[] >= ARRAY[{major}, {minor}])",
            isolation::grave_violations_sql()
        );
        let query = diesel::sql_query(query)
            .bind::<Array<Text>, _>(&self.tables)
            .bind::<Array<Text>, _>(versions)
            .bind::<Array<Text>, _>(checksums);
        // The output of policies and functions depends on the settings of the login.
        let settled = CATALOG_SETTINGS.replace("SET ", "SET LOCAL ");
        let found: Vec<FaultRow> = db
            .platform(async |conn| {
                conn.batch_execute(&settled).await?;
                Ok::<_, Error>(query.load(conn).await?)
            })
            .await?;
        faults.extend(found.into_iter().map(|one| one.fault));
        Ok(faults)
    }
}
