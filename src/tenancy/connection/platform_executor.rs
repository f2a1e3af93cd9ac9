//! Where an action of the platform runs: in a transaction of its own, or in the caller's.

use super::database::Database;
use super::raw::RawConnection;
use crate::error::Result;
use crate::tenancy::scope::DatabaseToken;

/// Place where an action of the platform runs.
///
/// | executor | transaction |
/// |---|---|
/// | `&Database` | a transaction of its own |
/// | `&mut RawConnection` of [`across_workspaces`](Database::across_workspaces) | the caller's, behind a savepoint |
///
/// In the caller's transaction, an action and the caller's own changes take effect together or not at all. A failed
/// action leaves the transaction as it was, and one that was cut short ends it. No other type implements the trait.
///
/// # Errors
///
/// On a connection of [`under_row_security`](crate::tenancy::WorkspaceConnection::under_row_security), each action
/// returns a mistake of the program, because that connection sees one workspace.
///
/// ```no_run
/// use diesel::prelude::*;
/// use diesel_async::RunQueryDsl;
/// use workspace_db::auth::create_workspace;
/// use workspace_db::models::{NewDatasource, NewWorkspace, NewWorkspaceSettings};
/// use workspace_db::schema::datasources;
/// use workspace_db::sql_types::DatasourceType;
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database, platform: &PlatformScope) -> workspace_db::Result<()> {
/// let new = NewWorkspace::new("acme".parse()?, "Acme".parse()?);
/// db.across_workspaces("a customer signs up", async |conn| {
///     let made = create_workspace(&mut *conn, platform, &new, &NewWorkspaceSettings::default(), None).await?;
///     let handbook = NewDatasource::new("Handbook", DatasourceType::File);
///     diesel::insert_into(datasources::table)
///         .values((datasources::workspace_id.eq(made.workspace.id), &handbook))
///         .execute(conn)
///         .await?;
///     Ok::<_, workspace_db::Error>(())
/// })
/// .await
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't run an action of the platform",
    label = "a `&Database` or a `&mut RawConnection` is expected",
    note = "in a transaction of its own: `create_workspace(&db, ..)`",
    note = "in yours: `db.across_workspaces(\"why\", async |conn| create_workspace(&mut *conn, ..).await)`"
)]
pub trait PlatformExecutor: private::Executor {}

impl PlatformExecutor for &Database {}
impl PlatformExecutor for &mut RawConnection {}

impl private::Executor for &Database {
    fn target<'e>(self) -> private::Target<'e>
    where
        Self: 'e,
    {
        private::Target::Database(self)
    }

    fn token(&self) -> Result<DatabaseToken> {
        Ok(DatabaseToken::from(*self))
    }
}

impl private::Executor for &mut RawConnection {
    fn target<'e>(self) -> private::Target<'e>
    where
        Self: 'e,
    {
        private::Target::Lent(self)
    }

    fn token(&self) -> Result<DatabaseToken> {
        self.database()
    }
}

pub(crate) mod private {
    use diesel_async::AsyncPgConnection;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use crate::error::Result;
    use crate::tenancy::connection::AsyncFunc;
    use crate::tenancy::connection::database::Database;
    use crate::tenancy::connection::raw::RawConnection;
    use crate::tenancy::scope::DatabaseToken;

    /// Place where an action runs.
    #[derive(Debug)]
    pub enum Target<'e> {
        /// The database, in a transaction of its own.
        Database(&'e Database),
        /// A lent connection, in the caller's transaction.
        Lent(&'e mut RawConnection),
    }

    /// The methods of an executor, which only this crate calls.
    pub trait Executor: Sized + Send {
        /// Returns the place where actions run.
        fn target<'e>(self) -> Target<'e>
        where
            Self: 'e;

        /// Returns the token of the database.
        ///
        /// # Errors
        ///
        /// A mistake of the program if the connection sees one workspace.
        fn token(&self) -> Result<DatabaseToken>;

        /// Runs an action in its transaction. The future has a box, because a caller's async closure is not known to be
        /// `Send` around the type of this one (rust-lang/rust#100013).
        fn run<'a, F, R>(self, work: F) -> BoxFuture<'a, Result<R>>
        where
            for<'c> F: AsyncFnOnce(&'c mut AsyncPgConnection) -> Result<R>
                + AsyncFunc<&'c mut AsyncPgConnection, Result<R>, Fut: Send>
                + Send
                + 'a,
            R: Send + 'a,
            Self: 'a,
        {
            match self.target() {
                Target::Database(db) => db.platform(work).boxed(),
                Target::Lent(conn) => conn.behind_savepoint(work).boxed(),
            }
        }
    }
}
