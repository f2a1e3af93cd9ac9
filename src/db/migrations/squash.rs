//! Migrations before version 0.1.0, which were squashed into today's.

use tokio_postgres::Client;

use super::history::{self, History};
use super::source::{Migration, MigrationSet};
use crate::error::{Error, ErrorKind, Result};

/// Versions before 0.1.0. Together they make the same schema as today's migrations that begin with [`SQUASHED_INTO`].
const BEFORE_0_1_0: [&str; 24] = [
    "20261124220100",
    "20261124220200",
    "20261124220300",
    "20261124220400",
    "20261124220500",
    "20261124220600",
    "20261124220700",
    "20261124220800",
    "20261124220900",
    "20261125012000",
    "20261125050000",
    "20261125230000",
    "20261125233000",
    "20261126030000",
    "20261126031000",
    "20261126032000",
    "20261126080000",
    "20261126081000",
    "20261126153000",
    "20261128220000",
    "20261129070000",
    "20261129071000",
    "20261129072000",
    "20261129110000",
];

/// Beginning of the versions of the squashed migrations.
const SQUASHED_INTO: &str = "2026112400";

/// Returns the history with today's versions instead of those before 0.1.0, if the database has all of them. They have
/// no checksums, so the next run records today's.
pub(super) fn translate(mut history: History, sources: &MigrationSet) -> History {
    if BEFORE_0_1_0.iter().all(|version| history.contains_key(*version)) {
        history.retain(|version, _| !BEFORE_0_1_0.contains(&version.as_str()));
        for migration in squashed(sources) {
            history.entry(migration.version()).or_insert(None);
        }
    }
    history
}

/// Replaces the versions before 0.1.0 by today's in one transaction, and replaces the functions by today's. Returns the
/// history after that.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if the database has only some of the old versions.
pub(super) async fn take_over(client: &Client, sources: &MigrationSet) -> Result<History> {
    let history = history::read(client).await?;
    let old = BEFORE_0_1_0.iter().filter(|version| history.contains_key(**version)).count();
    if old == 0 || squashed(sources).next().is_none() {
        return Ok(history);
    }
    if old < BEFORE_0_1_0.len() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the database has only {old} of the {} migrations that version 0.1.0 replaced", BEFORE_0_1_0.len()),
        )
        .remedy("run `migrate run` of the last version before 0.1.0 first, then this one"));
    }
    let taken = in_one_transaction(client, sources).await;
    if taken.is_err() {
        // If the connection is lost, the server has rolled back the transaction.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    taken?;
    Ok(translate(history, sources))
}

async fn in_one_transaction(client: &Client, sources: &MigrationSet) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    for function in functions(sources) {
        client.batch_execute(&function).await?;
    }
    client
        .execute("DELETE FROM __diesel_schema_migrations WHERE version = ANY ($1)", &[&BEFORE_0_1_0.as_slice()])
        .await?;
    let versions: Vec<String> = squashed(sources).map(Migration::version).collect();
    let insert = "INSERT INTO __diesel_schema_migrations (version) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
    client.execute(insert, &[&versions]).await?;
    client.batch_execute("COMMIT").await
}

fn squashed(sources: &MigrationSet) -> impl Iterator<Item = &Migration> {
    sources.iter().filter(|one| one.version().starts_with(SQUASHED_INTO))
}

/// Returns the functions of the squashed migrations. Their comments and two of their bodies differ from those before
/// 0.1.0.
fn functions(sources: &MigrationSet) -> Vec<String> {
    squashed(sources)
        .flat_map(Migration::statements)
        .map(|statement| statement.sql)
        // The owner of the tables does not own this function, and it has not changed.
        .filter(|sql| !sql.starts_with("CREATE FUNCTION workspace_db_matching_chunks("))
        .filter_map(|sql| Some(format!("CREATE OR REPLACE FUNCTION{}", sql.strip_prefix("CREATE FUNCTION")?)))
        .collect()
}
