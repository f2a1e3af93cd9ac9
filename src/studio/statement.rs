//! SQL that is put together while the studio runs, of names that the catalog gave and values that are bound.

use diesel::pg::Pg;
use diesel::sql_types::{Array, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};

use super::{AppState, TIMEOUT};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::tenancy::WorkspaceScope;

/// One row; every value as PostgreSQL writes it.
pub(super) type Row = Vec<Option<String>>;

const REASON: &str = "the studio shows rows";

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

    /// Adds a value, and returns what stands for it, as a value of that type.
    pub(super) fn bind(&mut self, value: Option<&str>, of_type: &str) -> String {
        self.binds.push(value.map(ToOwned::to_owned));
        format!("CAST(${} AS {of_type})", self.binds.len())
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// With values for `$1`, `$2` and so on, as they stand in its text.
    pub(super) fn with(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.binds.extend(values.into_iter().map(|value| Some(value.into())));
        self
    }

    pub(super) async fn rows(self, conn: &mut AsyncPgConnection) -> Result<Vec<Row>> {
        let mut query = diesel::sql_query(self.sql).into_boxed::<Pg>();
        for value in self.binds {
            query = query.bind::<Nullable<Text>, _>(value);
        }
        let rows: Vec<CellsRow> = query.load(conn).await?;
        Ok(rows.into_iter().map(|row| row.cells).collect())
    }
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as LIKE takes it for itself.
pub(super) fn literally(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The one value that was asked for.
pub(super) fn only(rows: Vec<Row>) -> Option<String> {
    rows.into_iter().flatten().flatten().next()
}

impl AppState {
    /// What statements answer, each in its turn, in one transaction that changes nothing: of one workspace, under row-level
    /// security, or of all.
    pub(super) async fn ask(
        &self,
        workspace: Option<WorkspaceId>,
        statements: impl IntoIterator<Item = DynamicStatement>,
    ) -> Result<Vec<Vec<Row>>> {
        let statements: Vec<DynamicStatement> = statements.into_iter().collect();
        match workspace {
            Some(workspace) => {
                // Not as a reader, who may lack your own tables: what is asked reads only, as its transaction begins.
                let scope = WorkspaceScope::unchecked(workspace, REASON);
                let mut ws = self.db.workspace(&scope).await?;
                ws.internal_sql(async |conn| answers(conn, statements).await).await
            }
            None => self.db.platform(async |conn| answers(conn, statements).await).await,
        }
    }

    /// As [`ask`](Self::ask), for one statement.
    pub(super) async fn rows(&self, workspace: Option<WorkspaceId>, statement: DynamicStatement) -> Result<Vec<Row>> {
        Ok(self.ask(workspace, [statement]).await?.pop().unwrap_or_default())
    }
}

async fn answers(conn: &mut AsyncPgConnection, statements: Vec<DynamicStatement>) -> Result<Vec<Vec<Row>>> {
    begin(conn, "SET TRANSACTION READ ONLY; ").await?;
    let mut answers = Vec::new();
    for statement in statements {
        answers.push(statement.rows(conn).await?);
    }
    Ok(answers)
}

/// What each transaction of the studio sets: one time zone and one way to write values, an end to what takes long, and no
/// table read from end to end where an index may do: what a page asks for is little, and the planner takes a large table in
/// which something is rare for one that soon has enough of it.
pub(super) async fn begin(conn: &mut AsyncPgConnection, first: &str) -> Result<()> {
    let settings = format!(
        "{first}SET LOCAL statement_timeout = {}; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; \
         SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL enable_seqscan = off",
        TIMEOUT.as_millis()
    );
    conn.batch_execute(&settings).await.map_err(Error::from)
}
