//! Running a scoped query on a connection of its workspace.

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

/// A query whose rows are `U`; implemented for every query that PostgreSQL takes and whose columns fit.
#[diagnostic::on_unimplemented(
    message = "the rows of this query do not load as `{U}`",
    label = "the columns of the query and the fields of `{U}` differ in number, order or type",
    note = "write `.select({U}::as_select())` before it, for a struct that derives `Selectable` or `HasQuery`"
)]
pub trait LoadsAs<U>: Sized {
    /// Sends it, and gives the rows, each that can't be read as the reason why.
    #[doc(hidden)]
    fn start(
        self,
        conn: &AsyncPgConnection,
    ) -> BoxFuture<'_, QueryResult<BoxStream<'static, QueryResult<Readable<U>>>>>;

    /// As [`start`](Self::start), for a query of a workspace whose SQL is looked at first: a query that
    /// joins so many tables, or a statement that begins with none.
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

/// All rows of a query without a scope, each that can't be read as the reason why.
pub(crate) async fn load_each<U: Send + 'static>(
    query: impl LoadsAs<U> + Send,
    conn: &AsyncPgConnection,
) -> Result<Vec<Readable<U>>> {
    Ok(each(query.start(conn)).await?)
}

/// Those rows of a list that can be read; each other is named in the log.
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
    /// All rows.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where `ws` is of another workspace than the query;
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

    /// All rows, each that can't be read as the reason why, so that one value which the types don't know hides none of the
    /// others.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), but never [`is_unreadable`](Error::is_unreadable).
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

    /// As [`load_each`](Self::load_each), with what can't be read in the log.
    #[cfg(feature = "studio")]
    pub(crate) async fn load_readable<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<U>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        Ok(readable(self.load_each(ws).await?))
    }

    /// As [`load`](Self::load), under settings that hold for this statement alone, and for SQL of this crate's own, at which
    /// nobody needs to look.
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

    /// As [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn get_results<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<U>>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.load(ws).await
    }

    /// The first row of an answer of any length; [`first`](Self::first) asks for one alone.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) where there is none; as [`load`](Self::load).
    pub async fn get_result<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<U>
    where
        Q: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.load(ws).await?.into_iter().next().ok_or_else(no_row)
    }

    /// The first row, asking for no more.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) where there is none, be it that another workspace has it; as
    /// [`load`](Self::load).
    pub async fn first<U>(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<U>
    where
        Q: LimitDsl,
        Q::Output: LoadsAs<U> + Send,
        U: Send + 'static,
    {
        self.limit(1).get_result(ws).await
    }

    /// The rows as they come, for more than should be in memory at once.
    ///
    /// The transaction stays open until the stream ends. A stream that is dropped before costs the connection, and the
    /// transaction that it stands in, so take few rows by `limit` and not by stopping.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), here and in the stream, which ends with its first error.
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

/// A row, or none, of a result where none is no error.
pub trait OptionalRow<U> {
    /// `None` where the row is not there.
    ///
    /// # Errors
    ///
    /// Every error but [`is_not_found`](Error::is_not_found).
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

/// The rows, or the first of them that can't be read.
pub(super) fn all<U: Send + 'static>(
    rows: BoxFuture<'_, QueryResult<Rows<Readable<U>>>>,
) -> BoxFuture<'_, QueryResult<Vec<U>>> {
    rows.and_then(|rows| rows.map(readable_or_failed).try_collect()).boxed()
}

/// The rows, each that can't be read as the reason why.
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
