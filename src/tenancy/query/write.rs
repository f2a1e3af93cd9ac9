//! Inserts, upserts, updates and deletes, each in one workspace.

use std::marker::PhantomData;

use diesel::Insertable;
use diesel::expression::{NonAggregate, SelectableExpression};
use diesel::pg::Pg;
use diesel::query_builder::{InsertStatement, IntoUpdateTarget, QueryFragment, QueryId};
use diesel_async::AsyncConnectionCore as _;
use futures_util::FutureExt as _;

use super::expression::{Group, ScopedExpression};
use super::fragment::{
    Delete, DoNothing, FilteredSet, InsertsRows, OnConflict, Prepared, Returning, ReturnsRows, Set, TargetCondition,
    Update,
};
use super::rows::{Changes, ConflictTarget, NewRows};
use super::run::no_row;
use super::scoped::{OneTable, Scoped};
use super::table::{TenantTable, WritableTable};
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::tenancy::access::MayWrite;
use crate::tenancy::compile_errors::{ComesAfterSet, ComesBeforeSet};
use crate::tenancy::connection::{LoadsAs, Transactional as _, WorkspaceConnection, all};
use crate::tenancy::inspection;

/// Batch size whose multiples are kept prepared. If all sizes were kept, a connection would keep a statement for each.
const KEPT_BATCH: usize = 250;

/// Statement that changes rows of one workspace. It does nothing before it runs.
#[derive(Clone, Copy, Debug)]
#[must_use = "a statement does nothing before `execute`, `get_result` or the like"]
pub struct ScopedStatement<F, T> {
    /// Statement to run; `None` if there are no rows to insert.
    fragment: Option<F>,
    workspace: WorkspaceId,
    /// True if a connection keeps the statement prepared.
    is_kept: bool,
    table: PhantomData<T>,
}

/// Statement that [`Scoped::insert`] returns.
pub type Inserted<R, T> =
    ScopedStatement<InsertStatement<T, <<R as NewRows>::InWorkspace as Insertable<<R as NewRows>::Table>>::Values>, T>;

/// Update that still needs its [`set`](Self::set).
#[derive(Clone, Copy, Debug)]
#[must_use = "an update does nothing before `set` and `execute`"]
pub struct ScopedUpdate<W, T> {
    target: W,
    workspace: WorkspaceId,
    table: PhantomData<T>,
}

impl<Q, S> Scoped<Q, S> {
    /// Starts an update of the rows that match the filters. Call `set` next.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::id::DocumentId;
    /// use workspace_db::models::DocumentChanges;
    /// use workspace_db::schema::documents;
    /// use workspace_db::sql_types::DocumentStatus;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection, id: DocumentId) -> workspace_db::Result<()> {
    /// let archive = DocumentChanges { status: Some(DocumentStatus::Archived), ..Default::default() };
    /// documents::table.in_workspace(&ws).find(id).update().set(&archive).execute(ws).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update<T>(self) -> ScopedUpdate<Q::WhereClause, T>
    where
        S: OneTable<Table = T>,
        T: WritableTable,
        Q: IntoUpdateTarget<Table = T>,
    {
        let target = self.query.into_update_target().where_clause;
        ScopedUpdate { target, workspace: self.workspace, table: PhantomData }
    }

    /// Deletes the rows that match the filters, and all rows that refer to them by a cascading key.
    pub fn delete<T>(self) -> ScopedStatement<Delete<Q::WhereClause, T>, T>
    where
        S: OneTable<Table = T>,
        T: WritableTable,
        Q: IntoUpdateTarget<Table = T>,
    {
        let target = self.query.into_update_target().where_clause;
        ScopedStatement::new(self.workspace, Some(Delete { target, table: PhantomData }))
    }
}

impl<T: TenantTable> Scoped<T::InWorkspace, (T, ())> {
    /// Inserts one row (`&NewDocument`) or many (`Vec`, `&Vec`, slice). The scope supplies the workspace.
    ///
    /// All rows go in one statement. PostgreSQL accepts 65,535 values in one statement, about 5,000 rows of 13
    /// columns. An empty list runs no statement. A connection prepares a statement once if it inserts one row or a
    /// multiple of 250. It prepares other numbers of rows each time, because each number is another statement.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::id::DocumentId;
    /// use workspace_db::models::NewDocument;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, excluded};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let new = NewDocument::new("Opening hours");
    /// let id: DocumentId = documents::table
    ///     .in_workspace(&ws)
    ///     .insert(&new)
    ///     .on_conflict((documents::workspace_id, documents::id))
    ///     .do_update()
    ///     .set(documents::title.eq(excluded(documents::title)))
    ///     .returning(documents::id)
    ///     .get_result(ws)
    ///     .await?;
    /// assert_eq!(id, new.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert<R>(self, rows: R) -> Inserted<R, T>
    where
        R: NewRows<Table = T>,
        R::InWorkspace: Insertable<R::Table>,
        T: Default + WritableTable,
    {
        let count = rows.count();
        let insert = (count > 0).then(|| diesel::insert_into(T::default()).values(rows.in_workspace(self.workspace)));
        ScopedStatement {
            is_kept: count == 1 || count.is_multiple_of(KEPT_BATCH),
            ..ScopedStatement::new(self.workspace, insert)
        }
    }
}

impl<W, T> ScopedUpdate<W, T> {
    /// Returns the WHERE clause and the workspace.
    pub(super) fn into_target(self) -> (W, WorkspaceId) {
        (self.target, self.workspace)
    }
}

impl<W, T: TenantTable> ScopedUpdate<W, T> {
    /// Sets the changes: `documents::title.eq("x")`, a tuple of such assignments, or a declared `...Changes`.
    pub fn set<V>(self, changes: V) -> ScopedStatement<Update<W, V::Changeset, T>, T>
    where
        V: Changes<T>,
        V::Changeset: QueryFragment<Pg>,
    {
        let set = Set::new(changes.as_changeset());
        ScopedStatement::new(self.workspace, Some(Update { target: self.target, set, table: PhantomData }))
    }
}

impl<W, V, T> ScopedStatement<Update<W, V, T>, T> {
    /// Does not compile: the rows of an update are filtered before it.
    #[doc(hidden)]
    pub fn filter<P: ComesBeforeSet>(self, predicate: P) -> P::Output {
        predicate.output()
    }
}

impl<W, T> ScopedStatement<Delete<W, T>, T> {
    /// Does not compile: the rows of a delete are filtered before it.
    #[doc(hidden)]
    pub fn filter<P: ComesBeforeSet>(self, predicate: P) -> P::Output {
        predicate.output()
    }
}

impl<W, T> ScopedUpdate<W, T> {
    /// Does not compile: the rows of an update are filtered before it.
    #[doc(hidden)]
    pub fn filter<P: ComesBeforeSet>(self, predicate: P) -> P::Output {
        predicate.output()
    }
}

impl<I, P, T> DoUpdate<I, P, T> {
    /// Does not compile: the rows that an upsert changes are filtered after its `set`.
    #[doc(hidden)]
    pub fn filter<E: ComesAfterSet>(self, predicate: E) -> E::Output {
        predicate.output()
    }
}

impl<I, P, T> Upsert<I, P, T> {
    /// Does not compile: the rows that an upsert changes are filtered after its `set`.
    #[doc(hidden)]
    pub fn filter<E: ComesAfterSet>(self, predicate: E) -> E::Output {
        predicate.output()
    }
}

impl<F, T> ScopedStatement<F, T> {
    pub(super) fn new(workspace: WorkspaceId, fragment: Option<F>) -> Self {
        Self { fragment, workspace, is_kept: true, table: PhantomData }
    }

    fn map<G>(self, change: impl FnOnce(F) -> G) -> ScopedStatement<G, T> {
        let is_kept = self.is_kept;
        ScopedStatement { is_kept, ..ScopedStatement::new(self.workspace, self.fragment.map(change)) }
    }

    /// Sets the expressions that each row returns. Without it, `get_result` and `load` return all columns.
    pub fn returning<E>(self, expression: E) -> ScopedStatement<Returning<F, E>, T>
    where
        T: TenantTable,
        E: ScopedExpression<(T, ())> + SelectableExpression<T> + NonAggregate,
    {
        self.map(|statement| Returning { statement, expression })
    }

    /// Runs the statement and returns the number of rows that it inserted, changed or deleted in this workspace.
    ///
    /// A row of another workspace does not match, so its id returns 0, like an unknown id.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](crate::Error::is_conflict) if a unique key is taken;
    /// [`is_not_found`](crate::Error::is_not_found) if a referenced row is not in this workspace;
    /// [`is_invalid_input`](crate::Error::is_invalid_input) if a CHECK rejects a value or `ws` is of another
    /// workspace; [`is_unreachable`](crate::Error::is_unreachable),
    /// [`is_database_failure`](crate::Error::is_database_failure).
    pub async fn execute(self, ws: &mut WorkspaceConnection<impl MayWrite>) -> Result<usize>
    where
        F: QueryFragment<Pg> + QueryId + Send,
    {
        ws.check(self.workspace)?;
        let Some(statement) = self.fragment else { return Ok(0) };
        let fragment = Prepared { statement, is_kept: self.is_kept };
        let workspace = self.workspace;
        inspection::check(&fragment, workspace, None)?;
        ws.transactional()
            .statement(|mut conn| inspection::within(workspace, || conn.execute_returning_count(fragment).boxed()))
            .await
    }
}

impl<F: InsertsRows, T: TenantTable> ScopedStatement<F, T> {
    /// Sets the action for a row whose key already exists. The target names the key, beginning with `workspace_id`.
    ///
    /// Call `do_update().set(...)` or `do_nothing()` next.
    pub fn on_conflict<C: ConflictTarget<T>>(self, _target: C) -> Upsert<F, (), T> {
        Upsert { insert: self, columns: C::COLUMNS, condition: () }
    }

    /// Keeps an existing row with the same key, whichever key it is. Every key here includes the workspace.
    pub fn on_conflict_do_nothing(self) -> ScopedStatement<OnConflict<F, (), DoNothing>, T> {
        Upsert { insert: self, columns: &[], condition: () }.do_nothing()
    }
}

/// Insert that still needs an action for rows that already exist.
#[derive(Clone, Copy, Debug)]
#[must_use = "an upsert does nothing before `do_update` or `do_nothing`, and `execute`"]
pub struct Upsert<I, P, T> {
    insert: ScopedStatement<I, T>,
    columns: &'static [&'static str],
    condition: P,
}

/// Upsert that still needs its [`set`](Self::set).
#[derive(Clone, Copy, Debug)]
#[must_use = "an upsert does nothing before `set` and `execute`"]
pub struct DoUpdate<I, P, T>(Upsert<I, P, T>);

impl<I, P, T: TenantTable> Upsert<I, P, T> {
    /// Adds the predicate of a partial unique index to the conflict target.
    pub fn filter_target<E>(self, predicate: E) -> Upsert<I, TargetCondition<E>, T>
    where
        E: ScopedExpression<(T, ())>,
    {
        Upsert { insert: self.insert, columns: self.columns, condition: TargetCondition(predicate) }
    }

    /// Keeps the existing row.
    pub fn do_nothing(self) -> ScopedStatement<OnConflict<I, P, DoNothing>, T> {
        self.then(DoNothing)
    }

    /// Changes the existing row. Call `set` next.
    pub fn do_update(self) -> DoUpdate<I, P, T> {
        DoUpdate(self)
    }

    fn then<A>(self, action: A) -> ScopedStatement<OnConflict<I, P, A>, T> {
        let Self { insert, columns, condition } = self;
        insert.map(|insert| OnConflict { insert, columns, condition, action })
    }
}

impl<I, P, T: TenantTable> DoUpdate<I, P, T> {
    /// Sets the changes to the existing row. [`excluded`](crate::tenancy::excluded) refers to the row proposed for
    /// insertion.
    pub fn set<V>(self, changes: V) -> ScopedStatement<OnConflict<I, P, Set<V::Changeset>>, T>
    where
        V: Changes<T>,
        V::Changeset: QueryFragment<Pg>,
    {
        self.0.then(Set::new(changes.as_changeset()))
    }
}

impl<I, P, V, T: TenantTable> ScopedStatement<OnConflict<I, P, Set<V>>, T> {
    /// Changes only the existing rows that match: `ON CONFLICT ... DO UPDATE SET ... WHERE (predicate)`.
    ///
    /// A row that does not match stays as it is, and is neither counted nor returned.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::NewDocument;
    /// use workspace_db::schema::documents;
    /// use workspace_db::sql_types::DocumentStatus;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, excluded};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let changed = documents::table
    ///     .in_workspace(&ws)
    ///     .insert(&NewDocument::new("Opening hours"))
    ///     .on_conflict((documents::workspace_id, documents::id))
    ///     .do_update()
    ///     .set(documents::title.eq(excluded(documents::title)))
    ///     .filter(documents::status.ne(DocumentStatus::Archived))
    ///     .execute(ws)
    ///     .await?;
    /// # drop(changed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn filter<E>(self, predicate: E) -> ScopedStatement<OnConflict<I, P, FilteredSet<V, E>>, T>
    where
        E: ScopedExpression<(T, ())>,
    {
        self.map(|upsert| {
            let OnConflict { insert, columns, condition, action: set } = upsert;
            OnConflict { insert, columns, condition, action: FilteredSet { set, predicate: Group(predicate) } }
        })
    }
}

impl<F, T> ScopedStatement<F, T> {
    /// Runs the statement and returns its `RETURNING` columns for every row.
    ///
    /// # Errors
    ///
    /// Same as [`execute`](Self::execute).
    pub async fn load<U>(self, ws: &mut WorkspaceConnection<impl MayWrite>) -> Result<Vec<U>>
    where
        F: ReturnsRows,
        Prepared<F::Query>: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        let Some(statement) = self.fragment else { return Ok(Vec::new()) };
        let fragment = Prepared { statement: statement.returning_rows(), is_kept: self.is_kept };
        let workspace = self.workspace;
        ws.transactional().statement(|conn| all(fragment.start_checked(conn, workspace, None))).await
    }

    /// Runs the statement, like [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// Same as [`execute`](Self::execute).
    pub async fn get_results<U>(self, ws: &mut WorkspaceConnection<impl MayWrite>) -> Result<Vec<U>>
    where
        F: ReturnsRows,
        Prepared<F::Query>: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        self.load(ws).await
    }

    /// Runs the statement and returns its `RETURNING` columns for the first row.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](crate::Error::is_not_found) if no row was changed; otherwise same as
    /// [`execute`](Self::execute).
    pub async fn get_result<U>(self, ws: &mut WorkspaceConnection<impl MayWrite>) -> Result<U>
    where
        F: ReturnsRows,
        Prepared<F::Query>: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        self.load(ws).await?.into_iter().next().ok_or_else(no_row)
    }
}
