//! Queries on a connection, and the rows that they return.

use diesel::QueryResult;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::query_dsl::CompatibleType;
use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection};
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt};

use super::transactional::Rows;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::tenancy::inspection;
use crate::unreadable::{Readable, UnreadableRow};

/// Query whose rows load as `U`. Every query that PostgreSQL accepts and whose columns fit implements it.
#[diagnostic::on_unimplemented(
    message = "the rows of this query do not load as `{U}`",
    label = "the columns of the query and the fields of `{U}` differ in number, order or type",
    note = "write `.select({U}::as_select())` before it, for a struct that derives `Selectable` or `HasQuery`"
)]
pub trait LoadsAs<U>: Sized {
    /// Sends the query and returns each row, or the reason why it can't be read.
    #[doc(hidden)]
    fn start(
        self,
        conn: &AsyncPgConnection,
    ) -> BoxFuture<'_, QueryResult<BoxStream<'static, QueryResult<Readable<U>>>>>;

    /// Sends a query of a workspace, like [`start`](Self::start), after an inspection of its SQL. `joins` is the
    /// number of joined tables of a query, or `None` for a statement that changes rows.
    #[doc(hidden)]
    fn start_checked(
        self,
        conn: &AsyncPgConnection,
        workspace: WorkspaceId,
        joins: Option<u32>,
    ) -> BoxFuture<'_, QueryResult<BoxStream<'static, QueryResult<Readable<U>>>>>;
}

impl<Q, U, ST> LoadsAs<U> for Q
where
    Q: AsQuery,
    Q::Query: QueryFragment<Pg> + QueryId,
    Q::SqlType: CompatibleType<U, Pg, SqlType = ST>,
    Pg: QueryMetadata<Q::SqlType>,
    U: FromSqlRow<ST, Pg> + Send + 'static,
{
    fn start(self, mut conn: &AsyncPgConnection) -> BoxFuture<'_, QueryResult<Rows<Readable<U>>>> {
        let built = |row| U::build_from_row(&row).map_err(|error| UnreadableRow::new(&row, &*error));
        conn.load(self).map_ok(move |rows| rows.map_ok(built).boxed()).boxed()
    }

    fn start_checked(
        self,
        conn: &AsyncPgConnection,
        workspace: WorkspaceId,
        joins: Option<u32>,
    ) -> BoxFuture<'_, QueryResult<Rows<Readable<U>>>> {
        let query = self.as_query();
        match inspection::check(&query, workspace, joins) {
            Ok(()) => inspection::within(workspace, || LoadsAs::start(query, conn)),
            Err(error) => ready(Err(error)).boxed(),
        }
    }
}

/// Returns each row of a query without a scope, or the reason why it can't be read.
pub(crate) async fn load_each<U: Send + 'static>(
    query: impl LoadsAs<U> + Send,
    conn: &AsyncPgConnection,
) -> Result<Vec<Readable<U>>> {
    Ok(each(query.start(conn)).await?)
}

/// Returns the rows of a list that can be read, and logs each of the others.
pub(crate) async fn load_readable<U: Send + 'static>(
    query: impl LoadsAs<U> + Send,
    conn: &AsyncPgConnection,
) -> Result<Vec<U>> {
    Ok(readable(load_each(query, conn).await?))
}

/// Returns the rows that can be read, and logs each of the others.
pub(crate) fn readable<U>(rows: Vec<Readable<U>>) -> Vec<U> {
    let named = |row: Readable<U>| {
        row.inspect_err(|unreadable| tracing::error!(%unreadable, "an unreadable row was left out of a list")).ok()
    };
    rows.into_iter().filter_map(named).collect()
}

/// Returns the rows, or the error of the first row that can't be read.
pub(crate) fn all<U: Send + 'static>(
    rows: BoxFuture<'_, QueryResult<Rows<Readable<U>>>>,
) -> BoxFuture<'_, QueryResult<Vec<U>>> {
    rows.and_then(|rows| rows.map(readable_or_failed).try_collect()).boxed()
}

/// Returns each row, or the reason why it can't be read.
pub(crate) fn each<U: Send + 'static>(
    rows: BoxFuture<'_, QueryResult<Rows<Readable<U>>>>,
) -> BoxFuture<'_, QueryResult<Vec<Readable<U>>>> {
    rows.and_then(TryStreamExt::try_collect).boxed()
}

/// Returns the row, or an error of the query if it can't be read.
pub(crate) fn readable_or_failed<U>(row: QueryResult<Readable<U>>) -> QueryResult<U> {
    row?.map_err(|unreadable| diesel::result::Error::DeserializationError(unreadable.into()))
}
