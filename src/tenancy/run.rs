//! Execution of scoped queries on a connection of their workspace.

use diesel::QueryResult;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::query_dsl::CompatibleType;
use diesel::query_dsl::methods::LimitDsl;
use diesel_async::{AsyncConnectionCore as _, AsyncPgConnection};
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt};

use super::access::Access;
use super::connection::WorkspaceConnection;
use super::cte::StatementSettings;
use super::inspection;
use super::query::Scoped;
use super::session::Rows;
use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
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
        let built = |row| U::build_from_row(&row).map_err(|error| UnreadableRow::of(&row, &*error));
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

fn readable<U>(rows: Vec<Readable<U>>) -> Vec<U> {
    let named = |row: Readable<U>| {
        row.inspect_err(|unreadable| tracing::error!(%unreadable, "a list goes on without a row that can't be read"))
            .ok()
    };
    rows.into_iter().filter_map(named).collect()
}

impl<Q, S> Scoped<Q, S> {
    /// Returns all rows.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if `ws` is of another workspace than the query;
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn load<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<U>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        let (workspace, joins) = (self.workspace, Some(self.joins));
        ws.session.statement(|conn| all(self.query.start_checked(conn, workspace, joins))).await
    }

    /// Returns all rows: each row, or the reason why it can't be read. So a value that the types don't know hides no
    /// other row.
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load), except [`is_unreadable`](Error::is_unreadable).
    ///
    /// ```no_run
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
    ///
    /// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// for row in documents::table.in_workspace(scope).load_each::<Document>(ws).await? {
    ///     match row {
    ///         Ok(document) => println!("{}", document.title),
    ///         Err(unreadable) => eprintln!("{unreadable}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_each<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<Readable<U>>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        let (workspace, joins) = (self.workspace, Some(self.joins));
        ws.session.statement(|conn| each(self.query.start_checked(conn, workspace, joins))).await
    }

    /// Returns all rows, like [`load`](Self::load), under settings that apply only to this statement. The SQL is this
    /// crate's own and needs no inspection.
    pub(crate) async fn load_under<U>(
        self,
        settings: &StatementSettings,
        ws: &mut WorkspaceConnection<impl Access>,
    ) -> Result<Vec<U>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        ws.session.statement_under(settings, |conn| all(self.query.start(conn))).await
    }

    /// Returns all rows, like [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load).
    pub async fn get_results<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<U>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.load(ws).await
    }

    /// Returns the first row of a result of any length; [`first`](Self::first) requests only one row.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if there is no row; otherwise same as [`load`](Self::load).
    pub async fn get_result<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<U>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.load(ws).await?.into_iter().next().ok_or_else(no_row)
    }

    /// Returns the first row and requests no more.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if this workspace has no such row, even if another workspace has it;
    /// otherwise same as [`load`](Self::load).
    pub async fn first<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<U>
    where
        Q: LimitDsl,
        Q::Output: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.limit(1).get_result(ws).await
    }

    /// Returns the rows as a stream, for results that are too large for memory.
    ///
    /// The transaction stays open until the stream ends. A stream that is dropped earlier costs the connection and the
    /// surrounding transaction. To read few rows, use `limit`.
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load), here and in the stream, which ends after its first error.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt as _;
    /// use workspace_db::models::AnalyticsEvent;
    /// use workspace_db::schema::analytics_events;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
    ///
    /// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let mut events = analytics_events::table.in_workspace(scope).load_stream::<AnalyticsEvent>(ws).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     println!("{}", event.event_type);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_stream<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<BoxStream<'_, Result<U>>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        let (workspace, joins) = (self.workspace, Some(self.joins));
        ws.session
            .stream(|conn| {
                let rows = self.query.start_checked(conn, workspace, joins);
                rows.map_ok(|rows| rows.map(readable_or_failed).boxed()).boxed()
            })
            .await
    }
}

/// Conversion of a result so that a missing row is no error.
pub trait OptionalRow<U> {
    /// Returns `None` if the row does not exist.
    ///
    /// # Errors
    ///
    /// Every error except [`is_not_found`](Error::is_not_found).
    fn optional(self) -> Result<Option<U>>;
}

impl<U> OptionalRow<U> for Result<U> {
    fn optional(self) -> Result<Option<U>> {
        match self {
            Ok(row) => Ok(Some(row)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns the rows, or the error of the first row that can't be read.
pub(super) fn all<U: Send + 'static>(
    rows: BoxFuture<'_, QueryResult<Rows<Readable<U>>>>,
) -> BoxFuture<'_, QueryResult<Vec<U>>> {
    rows.and_then(|rows| rows.map(readable_or_failed).try_collect()).boxed()
}

/// Returns each row, or the reason why it can't be read.
pub(super) fn each<U: Send + 'static>(
    rows: BoxFuture<'_, QueryResult<Rows<Readable<U>>>>,
) -> BoxFuture<'_, QueryResult<Vec<Readable<U>>>> {
    rows.and_then(TryStreamExt::try_collect).boxed()
}

fn readable_or_failed<U>(row: QueryResult<Readable<U>>) -> QueryResult<U> {
    row?.map_err(|unreadable| diesel::result::Error::DeserializationError(unreadable.into()))
}

pub(super) fn no_row() -> Error {
    Error::new(Kind::NotFound, "there is no such row in this workspace")
}
