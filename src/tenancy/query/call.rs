//! Calls of this crate's own functions in the database.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::{Expression, QueryResult};

use super::table::TenantTable;
use crate::error::Result;
use crate::tenancy::access::Access;
use crate::tenancy::connection::{
    Database, LoadsAs, StatementSettings, Transactional as _, WorkspaceConnection, all, each,
};
use crate::unreadable::Readable;

/// `SELECT columns FROM function(arguments) AS rows`, prepared once per connection. Diesel prepares the SQL of
/// `sql_query` each time.
///
/// `ST` is the SQL type of the columns.
pub(crate) struct FunctionCall<A, C, ST> {
    function: &'static str,
    alias: &'static str,
    columns: C,
    arguments: A,
    row: PhantomData<ST>,
}

/// Names of columns that the function itself defines for its result.
pub(crate) struct NamedColumns(&'static str);

/// Runs a statement of this crate in a workspace, under settings that apply only to it. Row-level security applies.
pub(crate) async fn load_in<U: Send + 'static>(
    query: impl LoadsAs<U> + Send,
    settings: &StatementSettings,
    ws: &mut WorkspaceConnection<impl Access>,
) -> Result<Vec<U>> {
    ws.transactional().statement_under(settings, |conn| all(query.start(conn))).await
}

impl<A, ST> FunctionCall<A, NamedColumns, ST> {
    /// Returns a call with a tuple of arguments that selects these columns of the result. Their types are not checked.
    /// No text may come from outside.
    pub(crate) fn new(function: &'static str, columns: &'static str, arguments: A) -> Self {
        Self { function, alias: "rows", columns: NamedColumns(columns), arguments, row: PhantomData }
    }
}

impl<A, C: Expression> FunctionCall<A, C, C::SqlType> {
    /// Returns a call of a function that returns rows of a table, and selects columns of the table.
    pub(crate) fn rows_of<T: TenantTable>(_table: T, function: &'static str, columns: C, arguments: A) -> Self {
        Self { function, alias: T::NAME, columns, arguments, row: PhantomData }
    }
}

impl<A, C, ST> FunctionCall<A, C, ST> {
    /// Runs the call for all workspaces, in its own transaction, which takes two round trips.
    pub(crate) async fn load_across<U>(self, db: &Database) -> Result<Vec<U>>
    where
        Self: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        db.platform_connection().await?.statement(|conn| all(self.start(conn))).await
    }

    /// Runs the call, like [`load_across`](Self::load_across), and returns each row, or the reason why it can't be
    /// read.
    pub(crate) async fn load_each_across<U>(self, db: &Database) -> Result<Vec<Readable<U>>>
    where
        Self: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        db.platform_connection().await?.statement(|conn| each(self.start(conn))).await
    }

    /// Runs the call in a workspace. Row-level security applies to it as to any statement.
    pub(crate) async fn load_in<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<U>>
    where
        Self: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.transactional().statement(|conn| all(self.start(conn))).await
    }

    /// Runs the call in a workspace, and returns each row, or the reason why it can't be read.
    pub(crate) async fn load_each_in<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<Readable<U>>>
    where
        Self: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.transactional().statement(|conn| each(self.start(conn))).await
    }
}

impl QueryFragment<Pg> for NamedColumns {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

impl<A: QueryFragment<Pg>, C: QueryFragment<Pg>, ST> QueryFragment<Pg> for FunctionCall<A, C, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        out.push_sql(self.function);
        out.push_sql("(");
        self.arguments.walk_ast(out.reborrow())?;
        out.push_sql(") AS ");
        out.push_identifier(self.alias)
    }
}

impl<A, C, ST> Query for FunctionCall<A, C, ST> {
    type SqlType = ST;
}

/// Prepared statements are cached by their text.
impl<A, C, ST> QueryId for FunctionCall<A, C, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
