//! What a database says was applied: Diesel's own table, with a checksum beside each version.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::source::Migration;
use crate::error::Result;

/// The table as Diesel makes it.
const TABLE: &str = diesel::migration::CREATE_MIGRATIONS_TABLE;

/// The versions that a database has, with the checksums under which they were applied: none where the stock Diesel CLI
/// did it, which records none.
pub(super) type History = BTreeMap<String, Option<String>>;

/// Reads it, also as somebody who may do nothing else; a database without the table has none.
pub(super) async fn read(client: &Client) -> Result<History> {
    let exists = client.query_one("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(History::new());
    }
    // The column is missing where only the stock Diesel CLI was at work.
    let rows =
        client.query("SELECT m.version, to_jsonb(m) ->> 'checksum' FROM __diesel_schema_migrations AS m", &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Makes the table and its column where they are missing. Diesel's own inserts leave the column alone.
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

/// Writes the checksum of one that was applied by somebody who records none.
pub(super) async fn adopt(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let update = "UPDATE __diesel_schema_migrations SET checksum = $2 WHERE version = $1 AND checksum IS NULL";
    client.execute(update, &[&migration.version(), &migration.checksum()]).await.map(drop)
}

pub(super) async fn delete(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    client.execute("DELETE FROM __diesel_schema_migrations WHERE version = $1", &[&migration.version()]).await.map(drop)
}
