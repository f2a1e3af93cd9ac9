//! Values that PostgreSQL stores and programs can't read.

use tokio_postgres::Client;

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::db::roles::PLATFORM_ROLE;
use crate::error::Result;

const CHECK: &str = "unreadable_values";

/// Columns of tenant tables and of this crate's own tables that may have such a value, since no CHECK covers every row.
const COLUMNS: &str = "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(a.attname),
        CASE WHEN EXISTS (SELECT FROM pg_attribute AS i WHERE i.attrelid = c.oid AND i.attname = 'id' AND NOT i.attisdropped)
            THEN 'id' ELSE 'ctid' END
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND (c.relname = ANY ($1) OR EXISTS (
            SELECT FROM pg_attribute AS w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id' AND NOT w.attisdropped))
        AND (y.oid = ANY (ARRAY['jsonb', 'timestamptz', 'timestamp', 'date']::regtype[]) OR y.typcategory = 'A' AND y.typelem <> 0)
        AND NOT EXISTS (
            SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
                AND a.attnum = ANY (k.conkey) AND pg_get_constraintdef(k.oid) LIKE '%workspace\\_db\\_is\\_readable(%')
    ORDER BY c.oid, a.attnum";
/// Tables of the platform without a workspace.
const WITHOUT_WORKSPACE: [&str; 5] = ["admin_users", "workspaces", "admin_tokens", "login_throttles", "job_queues"];
/// Maximum number of rows that a finding names per column.
const NAMED: usize = 3;
/// Timeout of the query on one column.
const LOOK: &str = "SET LOCAL statement_timeout = '5s'";

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    match find_unreadable(&context.owner).await {
        Ok(diagnostics) => diagnostics,
        Err(error) => vec![Diagnostic::skipped(CHECK, &error)],
    }
}

async fn find_unreadable(owner: &Client) -> Result<Vec<Diagnostic>> {
    // The function does not exist before its migration.
    let knows = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'workspace_db_is_readable')";
    if !owner.query_one(knows, &[]).await?.get::<_, bool>(0) {
        return Ok(vec![Diagnostic::new(
            CHECK,
            CheckStatus::Skipped,
            "the migrations that this check needs are pending",
        )]);
    }
    let mut diagnostics = Vec::new();
    for column in owner.query(COLUMNS, &[&&WITHOUT_WORKSPACE[..]]).await? {
        let (table, column, key): (String, String, String) = (column.get(0), column.get(1), column.get(2));
        diagnostics.push(match rows(owner, &table, &column, &key).await {
            Ok(rows) if rows.is_empty() => Diagnostic::new(
                CHECK,
                CheckStatus::Warn,
                format!("{table}.{column} has no CHECK constraint that rejects unreadable values"),
            ),
            Ok(rows) => Diagnostic::new(
                CHECK,
                CheckStatus::Fail,
                format!("{table}.{column} has values that programs can't read, in rows {}", rows.join(", ")),
            ),
            Err(error) => Diagnostic::skipped(CHECK, &error),
        });
    }
    Ok(diagnostics)
}

/// Returns some rows that can't be read, as the role that sees the rows of every workspace.
async fn rows(owner: &Client, table: &str, column: &str, key: &str) -> Result<Vec<String>> {
    let look = format!("SELECT {key}::text FROM {table} WHERE NOT workspace_db_is_readable({column}) LIMIT {NAMED}");
    owner.batch_execute(&format!("BEGIN READ ONLY; {LOOK}; SET LOCAL ROLE {PLATFORM_ROLE}")).await?;
    let rows = owner.query(&look, &[]).await;
    owner.batch_execute("ROLLBACK").await?;
    Ok(rows?.iter().map(|row| row.get(0)).collect())
}
