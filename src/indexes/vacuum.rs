//! Vacuum of the chunks after a load.

use crate::config::DatabaseUrl;
use crate::db;
use crate::error::Result;

/// Fewest passages of a load that is worth a vacuum.
const WORTH_VACUUM: u64 = 1_000;
/// Part of the table from which a load is worth a vacuum. PostgreSQL's own autovacuum analyzes at this part, minutes later.
const PART: u64 = 10;

/// Vacuums and analyzes the documents and chunks after a load of `written` passages, if that is a tenth of all or more. Returns
/// true if it did.
///
/// Without statistics, the planner takes the new passages for one row. Without a visibility map, an index-only scan reads each
/// from the table. Autovacuum mends both minutes later, and searches right after a load wait for neither.
///
/// `owner` is the owner's login: PostgreSQL lets nobody else vacuum. A login that may not gets false. Searches and writes go on
/// meanwhile. If another vacuum of the table runs, the table is skipped.
///
/// # Errors
///
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// # async fn example(report: workspace_db::load::LoadReport) -> workspace_db::Result<()> {
/// let config = workspace_db::config::Config::from_env()?;
/// if let Some(owner) = &config.database_url {
///     workspace_db::indexes::vacuum_after_load(owner, report.chunks as u64).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn vacuum_after_load(owner: &DatabaseUrl, written: u64) -> Result<bool> {
    if written < WORTH_VACUUM {
        return Ok(false);
    }
    let client = db::client(owner).await?;
    // A table that was never analyzed has -1 rows.
    let query = "SELECT reltuples::bigint, pg_has_role(relowner, 'USAGE') FROM pg_class
        WHERE oid = 'document_chunks'::regclass";
    let row = client.query_one(query, &[]).await?;
    let rows = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
    let is_owner: bool = row.try_get(1)?;
    if !is_owner || written.saturating_mul(PART) < rows {
        return Ok(false);
    }
    client.batch_execute("VACUUM (ANALYZE, SKIP_LOCKED) documents, document_chunks").await?;
    Ok(true)
}
