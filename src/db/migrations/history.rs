//! History of applied migrations: Diesel's own table, with a checksum for each version.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::source::Migration;
use crate::error::Result;

/// Statement with which Diesel creates the table.
const TABLE: &str = diesel::migration::CREATE_MIGRATIONS_TABLE;

/// Versions that a database has, with the checksums of the applied texts. The checksum is `None` after the stock Diesel
/// CLI, which records none.
pub(super) type History = BTreeMap<String, Option<String>>;

/// Reads the history, also as a login that may do nothing else. A database without the table has an empty history.
pub(super) async fn read(client: &Client) -> Result<History> {
    let exists = client.query_one("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(History::new());
    }
    // The column is missing if only the stock Diesel CLI has run migrations.
    let rows =
        client.query("SELECT m.version, to_jsonb(m) ->> 'checksum' FROM __diesel_schema_migrations AS m", &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Creates the table and its column if they are missing. Diesel's own inserts ignore the column.
pub(super) async fn prepare(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(TABLE).await?;
    let has_column = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = '__diesel_schema_migrations'::regclass
        AND attname = 'checksum' AND NOT attisdropped)";
    if !client.query_one(has_column, &[]).await?.get::<_, bool>(0) {
        let add = "ALTER TABLE __diesel_schema_migrations ADD COLUMN checksum text;
            COMMENT ON COLUMN __diesel_schema_migrations.checksum IS 'SHA-256 of up.sql as it was applied, by workspace-db.'";
        client.batch_execute(add).await?;
    }
    Ok(())
}

pub(super) async fn insert(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let insert = "INSERT INTO __diesel_schema_migrations (version, checksum) VALUES ($1, $2)";
    client.execute(insert, &[&migration.version(), &migration.checksum()]).await.map(drop)
}

/// Records the checksum of a migration that was applied without one.
pub(super) async fn adopt(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let update = "UPDATE __diesel_schema_migrations SET checksum = $2 WHERE version = $1 AND checksum IS NULL";
    client.execute(update, &[&migration.version(), &migration.checksum()]).await.map(drop)
}

pub(super) async fn delete(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    client.execute("DELETE FROM __diesel_schema_migrations WHERE version = $1", &[&migration.version()]).await.map(drop)
}
