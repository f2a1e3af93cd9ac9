//! Execution of scoped queries on a connection of their workspace.

use diesel::query_dsl::methods::LimitDsl;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _};

use super::call::load_in;
use super::scoped::Scoped;
use crate::error::{Error, ErrorKind, Result};
use crate::tenancy::access::Access;
use crate::tenancy::connection::{
    LoadsAs, StatementSettings, Transactional as _, WorkspaceConnection, all, each, readable_or_failed,
};
use crate::unreadable::Readable;

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
        ws.transactional().statement(|conn| all(self.query.start_checked(conn, workspace, joins))).await
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
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// for row in documents::table.in_workspace(&ws).load_each::<Document>(ws).await? {
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
        ws.transactional().statement(|conn| each(self.query.start_checked(conn, workspace, joins))).await
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
        load_in(self.query, settings, ws).await
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
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let mut events = analytics_events::table.in_workspace(&ws).load_stream::<AnalyticsEvent>(ws).await?;
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
        ws.transactional()
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

pub(super) fn no_row() -> Error {
    Error::new(ErrorKind::NotFound, "the row does not exist in this workspace")
}
