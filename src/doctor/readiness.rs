//! Checks that a backend runs before it serves.

use diesel::sql_types::{Array, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use super::isolation;
use super::server::{OLDEST_SERVER, OLDEST_VECTOR};
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
/// schema.
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
    let mut faults = Vec::new();
    let (mut conn, drops) = db.app_connection().await?;
    let powers = roles::of_connection(&mut conn).await?;
    drop(conn);
    // A login that drops to another role in each transaction, which production rejects, is bound in each.
    if let Some(why) = powers.beyond().filter(|_| !drops) {
        faults.push(format!("the application login \"{}\" {why}, so it can bypass row-level security", powers.login));
    }
    let (versions, checksums): (Vec<String>, Vec<String>) = migrations::checksums().into_iter().unzip();
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
        .bind::<Array<Text>, _>(TENANT_TABLES)
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
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::MissingPrerequisite,
        format!("the database is not ready to serve requests: {}", faults.join("; ")),
    )
    .remedy("run `workspace-db doctor` for the remedy of each problem"))
}
