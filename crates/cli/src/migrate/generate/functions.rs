//! Migrations of database functions, from the files that have their newest text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use workspace_db::config::DatabaseUrl;
use workspace_db::db;

/// Statements of a migration that brings the functions of a database up to date.
#[derive(Default)]
pub(super) struct FunctionChanges {
    pub(super) up: Vec<String>,
    pub(super) down: Vec<String>,
    /// Files that the owner can't apply, with the error.
    pub(super) skipped: Vec<String>,
}

#[derive(diesel::QueryableByName)]
struct Function {
    #[diesel(sql_type = Text)]
    signature: String,
    #[diesel(sql_type = Text)]
    definition: String,
}

/// Returns the files that change the database, in the order of their paths. Each file is applied in a transaction that is
/// rolled back, and PostgreSQL's own definitions are compared.
pub(super) async fn changes(owner: &DatabaseUrl, folder: &Path) -> Result<FunctionChanges> {
    let mut conn = db::connect(owner).await?;
    let mut found = FunctionChanges::default();
    let before = definitions(&mut conn).await?;
    for path in files(folder)? {
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        conn.batch_execute("BEGIN").await?;
        let applied = conn.batch_execute(&text).await;
        let after = if applied.is_ok() { definitions(&mut conn).await? } else { BTreeMap::new() };
        conn.batch_execute("ROLLBACK").await?;
        if let Err(error) = applied {
            found.skipped.push(format!("{}: {error}", path.display()));
            continue;
        }
        let changed: Vec<_> = after.iter().filter(|(name, text)| before.get(*name) != Some(*text)).collect();
        if changed.is_empty() {
            continue;
        }
        found.up.push(text.trim_end().to_owned());
        for (signature, _) in changed {
            found.down.push(match before.get(signature) {
                Some(old) => format!("{};", old.trim_end()),
                None => format!("DROP FUNCTION {signature};"),
            });
        }
    }
    Ok(found)
}

async fn definitions(conn: &mut AsyncPgConnection) -> Result<BTreeMap<String, String>> {
    let query = "SELECT oid::regprocedure::text AS signature, pg_get_functiondef(oid) AS definition FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND prokind IN ('f', 'p')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')";
    let functions: Vec<Function> = diesel::sql_query(query).load(conn).await?;
    Ok(functions.into_iter().map(|one| (one.signature, one.definition)).collect())
}

/// Returns the SQL files of a folder and its subfolders.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read the folder {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
