//! Automatic fixes.

use serde::Serialize;

use super::examination::Doctor;
use crate::db::client_with;
use crate::error::{Error, Result};

/// Fix that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Statement that was run.
    pub sql: String,
    /// Error of the database, if it rejected the statement.
    pub refused: Option<String>,
}

/// Query that returns the fixing statements, one per row. `$1` are the names of the registered tables, `$2` is the
/// limit of dead rows.
const MENDING: &str = "
    SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', c.oid::regclass)
    FROM pg_class c WHERE c.oid IN (SELECT to_regclass(t) FROM unnest($1::text[]) t) AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    UNION ALL
    SELECT DISTINCT format('REVOKE ALL ON TABLE %s FROM PUBLIC', c.oid::regclass)
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE a.grantee = 0 AND c.oid IN (SELECT to_regclass(t) FROM unnest($1::text[]) t)
    UNION ALL
    -- What REINDEX CONCURRENTLY leaves where it fails has a name of its own, and its original beside it.
    SELECT CASE WHEN c.relname ~ '_cc(new|old)[0-9]*$' THEN 'DROP INDEX CONCURRENTLY ' ELSE 'REINDEX INDEX CONCURRENTLY ' END || c.oid::regclass
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT 'VACUUM (ANALYZE, SKIP_LOCKED) ' || relid::regclass FROM pg_stat_user_tables
    WHERE (n_dead_tup >= $2::bigint AND n_dead_tup * 5 >= n_live_tup)
        OR (n_mod_since_analyze >= $2::bigint AND last_analyze IS NULL AND last_autoanalyze IS NULL)";

pub(super) async fn fix(doctor: &Doctor) -> Result<Vec<Fix>> {
    let client = client_with(&doctor.owner, "-c lock_timeout=2s").await?;
    let rows = client.query(MENDING, &[&doctor.registered(), &i64::from(doctor.thresholds.dead_rows)]).await?;
    let mut tried = Vec::with_capacity(rows.len());
    for row in rows {
        let sql: String = row.try_get(0)?;
        // A concurrent build waits for other transactions and blocks none.
        if sql.contains("CONCURRENTLY") {
            client.batch_execute("SET lock_timeout = 0").await?;
        }
        let refused = client.batch_execute(&sql).await.err().map(|error| Error::from(error).to_string());
        client.batch_execute("RESET lock_timeout").await?;
        tried.push(Fix { sql, refused });
    }
    Ok(tried)
}
