//! Reading of a table's rows from the database.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::{BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::types::{FromSql, Type};

use super::layout::TableLayout;
use super::row::Row;
use crate::error::Result;

/// Settings of a transaction that reads a whole workspace. They turn off the login's own timeouts.
pub(super) const NO_TIMEOUTS: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Returns the rows of a table that meet a condition, as COPY sends them.
pub(super) async fn rows_of(
    transaction: &Transaction<'_>,
    table: &TableLayout,
    condition: &str,
) -> Result<BinaryCopyOutStream> {
    let name = escape_identifier(&table.name);
    let copy = format!("COPY (SELECT {} FROM {name} WHERE {condition}) TO STDOUT (FORMAT BINARY)", table.selected());
    let stream = transaction.copy_out(&copy).await?;
    Ok(BinaryCopyOutStream::new(stream, &vec![Type::BYTEA; table.columns.len()]))
}

pub(super) fn read_into(row: &mut Row, read: &BinaryCopyOutRow, table: &TableLayout) -> Result<()> {
    row.reset(table.columns.len());
    for at in 0..table.columns.len() {
        row.set(at, read.try_get::<Option<Value<'_>>>(at)?.map(|value| value.0));
    }
    Ok(())
}

/// Value in its binary format.
struct Value<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
