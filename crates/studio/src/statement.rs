//! SQL that the studio builds at run time, from names of the catalog and bound values.

use std::time::Duration;

use diesel::pg::Pg;
use diesel::sql_types::{Array, Nullable, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use workspace_db::tenancy::RawConnection;
use workspace_db::{Error, Readable, Result};

/// Timeout of a dynamic statement of a page.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// One row, with every value as PostgreSQL writes it.
pub(super) type Row = Vec<Option<String>>;

/// Reason that is logged with each read.
pub(super) const REASON: &str = "the studio shows rows";

/// A statement whose rows are one array of texts each, named `cells`.
#[derive(Clone, Debug, Default)]
pub(super) struct DynamicStatement {
    sql: String,
    binds: Vec<Option<String>>,
}

#[derive(diesel::QueryableByName)]
struct CellsRow {
    #[diesel(sql_type = Array<Nullable<Text>>)]
    cells: Row,
}

impl DynamicStatement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), binds: Vec::new() }
    }

    /// Binds a value, and returns its placeholder with a cast to that type.
    pub(super) fn bind(&mut self, value: Option<&str>, of_type: &str) -> String {
        self.binds.push(value.map(ToOwned::to_owned));
        format!("CAST(${} AS {of_type})", self.binds.len())
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Binds values for `$1`, `$2` and so on in its text.
    pub(super) fn with(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.binds.extend(values.into_iter().map(|value| Some(value.into())));
        self
    }

    pub(super) async fn rows(self, conn: &mut RawConnection) -> Result<Vec<Row>> {
        let mut query = diesel::sql_query(self.sql).into_boxed::<Pg>();
        for value in self.binds {
            query = query.bind::<Nullable<Text>, _>(value);
        }
        let rows: Vec<CellsRow> = query.load(conn).await?;
        Ok(rows.into_iter().map(|row| row.cells).collect())
    }
}

/// Escapes a text so that LIKE matches it literally.
pub(super) fn literally(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Returns the only value of a result.
pub(super) fn only(rows: Vec<Row>) -> Option<String> {
    rows.into_iter().flatten().flatten().next()
}

/// Returns the rows that can be read, and logs each of the others. One unreadable row must not hide a page.
pub(super) fn readable<U>(rows: Vec<Readable<U>>) -> Vec<U> {
    let logged =
        |row: Readable<U>| row.inspect_err(|unreadable| tracing::error!(%unreadable, "a page omits a row")).ok();
    rows.into_iter().filter_map(logged).collect()
}

/// Sets the options of each transaction: one time zone, one format of values, timeouts, and no sequential scan if an index
/// can be used. A page needs few rows. For rare values in a large table, the planner would expect a sequential scan to find
/// enough rows soon.
pub(super) async fn begin(conn: &mut RawConnection, first: &str) -> Result<()> {
    let settings = format!(
        "{first}SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = '5s'; \
         SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; \
         SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL enable_seqscan = off",
        TIMEOUT.as_millis()
    );
    conn.batch_execute(&settings).await.map_err(Error::from)
}
