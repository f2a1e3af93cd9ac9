//! The comparison of source and target, by counts and by a checksum of every column.

use std::collections::HashSet;

use secrecy::ExposeSecret as _;
use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::connections::Connections;
use super::copy::{SourceDatabase, TableCopier, no_key};
use super::mapping::TableMapping;
use super::statements::TableStatements;
use workspace_db::db::roles::PLATFORM_ROLE;
use workspace_db::id::WorkspaceId;
use workspace_db::sql_types::{SealedSecret, SecretKey};
use workspace_db::{Error, ErrorKind, Result};

/// Comparison of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableComparison {
    /// Name of the table.
    pub table: &'static str,
    /// Number of rows that are equal in source and target, by a checksum of every column.
    pub same: u64,
    /// Number of rows in the target with a change, such as a cleared reference. The checksums exclude them.
    pub changed: u64,
    /// Number of rows that are not in the target, but set aside.
    pub set_aside: u64,
}

/// Compares every table. The source must not change during the comparison.
pub(super) async fn compare(
    there: SourceDatabase<'_>,
    target: &Client,
    statements: &[TableStatements],
) -> Result<Vec<TableComparison>> {
    // Row-level security hides all rows from the owner of the tables.
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL ROLE {PLATFORM_ROLE}");
    target.batch_execute(&begin).await?;
    let compared = compare_all(there, target, statements).await;
    target.batch_execute("COMMIT").await?;
    compared
}

async fn compare_all(
    there: SourceDatabase<'_>,
    target: &Client,
    statements: &[TableStatements],
) -> Result<Vec<TableComparison>> {
    let mut compared = Vec::with_capacity(statements.len());
    for of in statements {
        compared.push(table(there, target, of).await?);
        for column in of.mapping.sealed {
            secrets(there, target, of.mapping, column).await?;
        }
    }
    Ok(compared)
}

/// Compares as [`compare`] does. If a table differs, it copies the rows that differ again, once, and compares again.
///
/// A deletion that cascades in the target alone, or an interruption between two tables, leaves rows that differ although
/// nobody changed them in the source.
pub(super) async fn compare_and_repair(
    connected: &mut Connections,
    key: Option<&SecretKey>,
) -> Result<Vec<TableComparison>> {
    match compare(connected.there(key), &connected.target, &connected.statements).await {
        Err(error) if error.is_conflict() => {}
        compared => return compared,
    }
    let mut copier = connected.copying(key);
    for of in copier.statements {
        let keys = differing(&mut copier, of).await?;
        copier.copy_again(of, keys).await?;
    }
    compare(connected.there(key), &connected.target, &connected.statements).await
}

/// Returns the keys of the rows that exist in the source and are neither the same in the target nor set aside.
async fn differing(copier: &mut TableCopier<'_>, of: &TableStatements) -> Result<Vec<Uuid>> {
    let transaction = copier.target.transaction().await?;
    let set = format!(
        "SET LOCAL ROLE {PLATFORM_ROLE}; CREATE TEMPORARY TABLE workspace_db_there (key uuid, hash text) ON COMMIT DROP"
    );
    transaction.batch_execute(&set).await?;
    copier.there.stage(&of.source_rows(copier.there.old), &transaction, "workspace_db_there").await?;
    // A row with a change is the same as the one before, if it exists.
    let query = format!(
        "SELECT coalesce(array_agg(t.key), '{{}}') FROM workspace_db_there t LEFT JOIN ({}) AS h ON h.key = t.key
         LEFT JOIN (SELECT key, bool_and(is_kept) AS is_kept FROM workspace_db_adoption.set_aside WHERE table_name = $1
            GROUP BY key) AS a ON a.key = t.key
         WHERE CASE WHEN a.key IS NULL THEN h.hash IS DISTINCT FROM t.hash ELSE a.is_kept = (h.key IS NULL) END",
        of.target_rows()
    );
    let keys: Vec<Uuid> = transaction.query_one(&query, &[&of.mapping.table]).await?.get(0);
    transaction.commit().await?;
    Ok(keys)
}

async fn table(there: SourceDatabase<'_>, target: &Client, of: &TableStatements) -> Result<TableComparison> {
    let mapping = of.mapping;
    let aside = "SELECT coalesce(array_agg(DISTINCT key) FILTER (WHERE NOT is_kept), '{}'),
        coalesce(array_agg(DISTINCT key) FILTER (WHERE is_kept), '{}')
        FROM workspace_db_adoption.set_aside WHERE table_name = $1";
    let aside = target.query_one(aside, &[&mapping.table]).await?;
    let (missing, changed): (Vec<Uuid>, Vec<Uuid>) = (aside.get(0), aside.get(1));
    let missing_keys: HashSet<Uuid> = missing.iter().copied().collect();
    let left_out: Vec<Uuid> = missing.iter().chain(&changed).copied().collect();
    let both = format!("SELECT count(*) FROM {} WHERE {} = ANY ($1)", mapping.table, mapping.key);
    if target.query_one(&both, &[&missing]).await?.get::<_, i64>(0) > 0 {
        return Err(differs(mapping.table, "a row that was set aside exists in the new table"));
    }
    let kept: Vec<Uuid> = changed.iter().filter(|key| !missing_keys.contains(key)).copied().collect();
    if target.query_one(&both, &[&kept]).await?.get::<_, i64>(0).unsigned_abs() != kept.len() as u64 {
        return Err(differs(mapping.table, "a row that was copied with a change does not exist in the new table"));
    }
    let there = there.client.query_one(&of.source_checksums(there.old), &[&left_out]).await?;
    let here = target.query_one(&of.target_checksums(), &[&left_out]).await?;
    let (expected, found): (i64, i64) = (there.get(0), here.get(0));
    if expected != found {
        return Err(differs(
            mapping.table,
            &format!("the old table has {expected} rows, and the new table has {found}"),
        ));
    }
    let (expected_sums, found_sums): (Vec<String>, Vec<String>) = (there.get(1), here.get(1));
    for ((column, one), other) in mapping.columns.iter().zip(&expected_sums).zip(&found_sums) {
        if one != other {
            return Err(differs(
                mapping.table,
                &format!("the checksum of the column {} differs between the old and the new table", column.name),
            ));
        }
    }
    let count = |keys: &[Uuid]| keys.len() as u64;
    Ok(TableComparison {
        table: mapping.table,
        same: found.unsigned_abs(),
        changed: count(&changed),
        set_aside: count(&missing),
    })
}

/// Opens every secret, and compares it with the original.
async fn secrets(there: SourceDatabase<'_>, target: &Client, mapping: &TableMapping, column: &str) -> Result<()> {
    let of = |table: String, condition: &str| {
        let key = mapping.key;
        format!(
            "SELECT {key}, workspace_id, {column} FROM {table} WHERE {column} IS NOT NULL{condition} ORDER BY {key}"
        )
    };
    // Rows that are set aside are not in the target.
    let aside = "SELECT coalesce(array_agg(key), '{}') FROM workspace_db_adoption.set_aside
        WHERE table_name = $1 AND NOT is_kept";
    let aside: Vec<Uuid> = target.query_one(aside, &[&mapping.table]).await?.get(0);
    let clear = of(format!("{}.{}", there.old, mapping.table), &format!(" AND {} <> ALL ($1)", mapping.key));
    let clear = there.client.query(&clear, &[&aside]).await?;
    let sealed = target.query(&of(mapping.table.to_owned(), ""), &[]).await?;
    let wrong = || {
        differs(mapping.table, &format!("the secrets in the column {column} differ between the old and the new table"))
    };
    if clear.len() != sealed.len() {
        return Err(wrong());
    }
    for (clear, sealed) in clear.iter().zip(&sealed) {
        let key = there.key.ok_or_else(no_key)?;
        let opened = SealedSecret::from_bytes(sealed.get(2))?.open(key, WorkspaceId::from(sealed.get::<_, Uuid>(1)))?;
        if clear.get::<_, Uuid>(0) != sealed.get::<_, Uuid>(0) || clear.get::<_, &str>(2) != opened.expose_secret() {
            return Err(wrong());
        }
    }
    Ok(())
}

fn differs(table: &str, what: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("{table}: {what}"))
        .remedy("run it again, because the old table is still being written to; stop the writers before the last step")
}
