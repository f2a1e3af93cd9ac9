//! The constraints of the new tables, which rows of a source without constraints may violate.

use tokio_postgres::GenericClient;

use super::mapping::TableMapping;
use workspace_db::Result;

/// Constraints and columns of a new table.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetTable {
    pub(super) checks: Vec<Check>,
    /// Columns that the mapping does not set: the name, and the value that an INSERT gives them.
    pub(super) others: Vec<(String, String)>,
}

/// CHECK constraint of a new table.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) name: String,
    /// Condition on unqualified columns.
    pub(super) condition: String,
    /// The only column of the condition, if NULL in it satisfies the constraint.
    pub(super) clears: Option<String>,
}

/// CHECKs of readable values are left out: the copy replaces such values.
const CHECKS: &str = "
SELECT k.conname::text, pg_get_expr(k.conbin, k.conrelid), CASE WHEN cardinality(k.conkey) = 1 THEN (
    SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1] AND NOT a.attnotnull) END
FROM pg_constraint k
WHERE k.conrelid = to_regclass($1) AND k.contype = 'c' AND k.conname NOT LIKE '%\\_readable' ORDER BY k.conname";

const OTHERS: &str = "
SELECT a.attname::text, format('(%s)::%s', coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL'), format_type(a.atttypid, a.atttypmod))
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> ALL ($2)
ORDER BY a.attnum";

impl TargetTable {
    pub(super) async fn read(client: &impl GenericClient, mapping: &TableMapping) -> Result<Self> {
        let mapped: Vec<&str> = mapping.columns.iter().map(|column| column.name).collect();
        let checks = client.query(CHECKS, &[&mapping.table]).await?;
        let checks =
            checks.iter().map(|row| Check { name: row.get(0), condition: row.get(1), clears: row.get(2) }).collect();
        let others = client.query(OTHERS, &[&mapping.table, &mapped]).await?;
        Ok(Self { checks, others: others.iter().map(|row| (row.get(0), row.get(1))).collect() })
    }
}
