//! Inserts, upserts, updates and deletes, each in one workspace.

use std::marker::PhantomData;

use diesel::expression::{AppearsOnTable, NonAggregate, SelectableExpression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AsChangeset, InsertStatement, IntoUpdateTarget, QueryFragment, QueryId};
use diesel::{Column, Insertable};
use diesel_async::AsyncConnectionCore as _;
use futures_util::FutureExt as _;

use super::connection::WorkspaceConnection;
use super::expression::{ScopedExpression, Settable, Within};
use super::fragment::{Delete, DoNothing, OnConflict, Returning, ReturnsRows, Set, TargetCondition, Update};
use super::query::{OneTable, Scoped};
use super::run::{LoadsAs, all, no_row};
use super::table::TenantTable;
use crate::error::Result;
use crate::id::WorkspaceId;

/// A `New...` of a workspace's table: a row without its workspace. [`tenant_rows!`](crate::tenant_rows) implements it.
pub trait NewRow: Sized {
    /// The table.
    type Table: TenantTable;
}

/// What can be inserted: one [`NewRow`] or many, owned or not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be inserted into a workspace",
    label = "not declared as a row to insert",
    note = "declare it beside the struct: `tenant_rows! {{ documents: NewDocument, DocumentChanges; }}`",
    note = "it must have no field `workspace_id`: the scope supplies it, for one row or a thousand"
)]
pub trait NewRows {
    /// The table.
    type Table: TenantTable;
    /// The rows, each with the workspace beside it.
    type InWorkspace;

    /// Puts the workspace beside each row, or is nothing where there is no row.
    #[doc(hidden)]
    fn in_workspace(self, workspace: WorkspaceId) -> Option<Self::InWorkspace>;
}

/// A row with its workspace.
pub type WithWorkspace<N> = (<<N as NewRow>::Table as TenantTable>::WorkspaceValue, N);

fn with_workspace<N: NewRow>(rows: impl Iterator<Item = N>, workspace: WorkspaceId) -> Option<Vec<WithWorkspace<N>>> {
    let rows: Vec<_> = rows.map(|row| (N::Table::workspace_value(workspace), row)).collect();
    (!rows.is_empty()).then_some(rows)
}

impl<N: NewRow> NewRows for Vec<N> {
    type Table = N::Table;
    type InWorkspace = Vec<WithWorkspace<N>>;

    fn in_workspace(self, workspace: WorkspaceId) -> Option<Self::InWorkspace> {
        with_workspace(self.into_iter(), workspace)
    }
}

impl<'a, N> NewRows for &'a [N]
where
    &'a N: NewRow,
{
    type Table = <&'a N as NewRow>::Table;
    type InWorkspace = Vec<WithWorkspace<&'a N>>;

    fn in_workspace(self, workspace: WorkspaceId) -> Option<Self::InWorkspace> {
        with_workspace(self.iter(), workspace)
    }
}

impl<'a, N> NewRows for &'a Vec<N>
where
    &'a N: NewRow,
{
    type Table = <&'a N as NewRow>::Table;
    type InWorkspace = Vec<WithWorkspace<&'a N>>;

    fn in_workspace(self, workspace: WorkspaceId) -> Option<Self::InWorkspace> {
        with_workspace(self.iter(), workspace)
    }
}

/// What a statement may set in `T`: an assignment, a tuple of them, or a declared `...Changes`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be set in a workspace's row",
    label = "not an assignment to a column of this table, and not declared as its changes",
    note = "declare a changeset beside its struct: `tenant_rows! {{ documents: NewDocument, DocumentChanges; }}`",
    note = "`workspace_id` can't be set: a row stays in its workspace"
)]
pub trait Changes<T: TenantTable>: AsChangeset<Target = T> {}

impl<T, V> Changes<T> for V
where
    T: TenantTable,
    V: AsChangeset<Target = T> + AppearsOnTable<Within<(T, ())>> + ValidGrouping<Settable<T>>,
{
}

/// The columns by which an upsert finds the row that is there: `workspace_id` first.
#[diagnostic::on_unimplemented(
    message = "an upsert's conflict target must begin with `workspace_id`",
    label = "this could meet a row of another workspace",
    note = "write `.on_conflict((documents::workspace_id, documents::id))`"
)]
pub trait ConflictTarget<T: TenantTable> {
    /// Their names.
    #[doc(hidden)]
    const COLUMNS: &'static [&'static str];
}

macro_rules! conflict_targets {
    ($($($column:ident),+;)+) => {$(
        impl<T, Workspace, $($column),+> ConflictTarget<T> for (Workspace, $($column),+)
        where
            T: TenantTable<WorkspaceColumn = Workspace>,
            Workspace: Column,
            $($column: Column<Table = T>),+
        {
            const COLUMNS: &'static [&'static str] = &[Workspace::NAME, $($column::NAME),+];
        }
    )+};
}

conflict_targets! {
    A;
    A, B;
    A, B, C;
}

/// A statement that changes rows of one workspace. Nothing happens before it is run.
#[derive(Clone, Copy, Debug)]
#[must_use = "a statement does nothing before `execute`, `get_result` or the like"]
pub struct Statement<F, T> {
    /// Nothing to do where there are no rows to insert.
    fragment: Option<F>,
    workspace: WorkspaceId,
    table: PhantomData<T>,
}

/// An update that has yet to be told what to [`set`](Self::set).
#[derive(Clone, Copy, Debug)]
#[must_use = "an update does nothing before `set` and `execute`"]
pub struct ScopedUpdate<W, T> {
    target: W,
    workspace: WorkspaceId,
    table: PhantomData<T>,
}

impl<Q, S> Scoped<Q, S> {
    /// Changes the rows that the filters leave. `set` comes next.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::id::DocumentId;
    /// use workspace_db::models::DocumentChanges;
    /// use workspace_db::schema::documents;
    /// use workspace_db::sql_types::DocumentStatus;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
    ///
    /// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection, id: DocumentId) -> workspace_db::Result<()> {
    /// let archive = DocumentChanges { status: Some(DocumentStatus::Archived), ..Default::default() };
    /// documents::table.in_workspace(scope).find(id).update().set(&archive).execute(ws).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update<T>(self) -> ScopedUpdate<Q::WhereClause, T>
    where
        S: OneTable<Table = T>,
        Q: IntoUpdateTarget<Table = T>,
    {
        let target = self.query.into_update_target().where_clause;
        ScopedUpdate { target, workspace: self.workspace, table: PhantomData }
    }

    /// Deletes the rows that the filters leave, and all that refers to them by a cascading key.
    pub fn delete<T>(self) -> Statement<Delete<Q::WhereClause, T>, T>
    where
        S: OneTable<Table = T>,
        Q: IntoUpdateTarget<Table = T>,
    {
        let target = self.query.into_update_target().where_clause;
        Statement::new(self.workspace, Some(Delete { target, table: PhantomData }))
    }
}

impl<T: TenantTable> Scoped<T::InWorkspace, (T, ())> {
    /// Inserts one row (`&NewDocument`) or many (`Vec`, `&Vec`, slice); the scope supplies the workspace.
    ///
    /// All rows go in one statement, and PostgreSQL takes 65,535 values in one: some 5,000 rows of 13 columns. An empty
    /// list is no statement at all.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::id::DocumentId;
    /// use workspace_db::models::NewDocument;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope, excluded};
    ///
    /// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let new = NewDocument::new("Opening hours");
    /// let id: DocumentId = documents::table
    ///     .in_workspace(scope)
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
    pub fn insert<R>(self, rows: R) -> Statement<InsertStatement<T, <R::InWorkspace as Insertable<T>>::Values>, T>
    where
        R: NewRows<Table = T>,
        R::InWorkspace: Insertable<T>,
        T: Default,
    {
        let rows = rows.in_workspace(self.workspace);
        Statement::new(self.workspace, rows.map(|rows| diesel::insert_into(T::default()).values(rows)))
    }
}

impl<W, T: TenantTable> ScopedUpdate<W, T> {
    /// What changes: `documents::title.eq("x")`, a tuple of such, or a declared `...Changes`.
    pub fn set<V>(self, changes: V) -> Statement<Update<W, V::Changeset, T>, T>
    where
        V: Changes<T>,
    {
        let set = Set(changes.as_changeset());
        Statement::new(self.workspace, Some(Update { target: self.target, set, table: PhantomData }))
    }
}

impl<F, T> Statement<F, T> {
    fn new(workspace: WorkspaceId, fragment: Option<F>) -> Self {
        Self { fragment, workspace, table: PhantomData }
    }

    fn map<G>(self, change: impl FnOnce(F) -> G) -> Statement<G, T> {
        Statement::new(self.workspace, self.fragment.map(change))
    }

    /// What comes back of each row. Without it, `get_result` and `load` bring all columns.
    pub fn returning<E>(self, expression: E) -> Statement<Returning<F, E>, T>
    where
        T: TenantTable,
        E: ScopedExpression<(T, ())> + SelectableExpression<T> + NonAggregate,
    {
        self.map(|statement| Returning { statement, expression })
    }

    /// Runs it; returns the number of rows that it inserted, changed or deleted in this workspace.
    ///
    /// A row of another workspace is none, so its id gives 0, as an unknown one does.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](crate::Error::is_conflict) where a unique key is taken, [`is_not_found`](crate::Error::is_not_found) where a row
    /// that is referred to is not in this workspace; [`is_invalid_input`](crate::Error::is_invalid_input) where a CHECK refuses
    /// a value or `ws` is of another workspace; [`is_unreachable`](crate::Error::is_unreachable),
    /// [`is_database_failure`](crate::Error::is_database_failure).
    pub async fn execute(self, ws: &mut WorkspaceConnection) -> Result<usize>
    where
        F: QueryFragment<Pg> + QueryId + Send,
    {
        ws.check(self.workspace)?;
        let Some(fragment) = self.fragment else { return Ok(0) };
        ws.session.statement(|mut conn| conn.execute_returning_count(fragment).boxed()).await
    }
}

impl<T: TenantTable, V> Statement<InsertStatement<T, V>, T> {
    /// What to do where a row with the same key is there; the target says which key, `workspace_id` first.
    ///
    /// `do_update().set(...)` or `do_nothing()` comes next.
    pub fn on_conflict<C: ConflictTarget<T>>(self, _target: C) -> Upsert<InsertStatement<T, V>, (), T> {
        Upsert { insert: self, columns: C::COLUMNS, condition: () }
    }

    /// Leaves a row as it is where one with the same key, any key, is there; every key here has the workspace in it.
    pub fn on_conflict_do_nothing(self) -> Statement<OnConflict<InsertStatement<T, V>, (), DoNothing>, T> {
        Upsert { insert: self, columns: &[], condition: () }.do_nothing()
    }
}

/// An insert that has yet to be told what to do where the row is there.
#[derive(Clone, Copy, Debug)]
#[must_use = "an upsert does nothing before `do_update` or `do_nothing`, and `execute`"]
pub struct Upsert<I, P, T> {
    insert: Statement<I, T>,
    columns: &'static [&'static str],
    condition: P,
}

/// An upsert that has yet to be told what to [`set`](Self::set).
#[derive(Clone, Copy, Debug)]
#[must_use = "an upsert does nothing before `set` and `execute`"]
pub struct DoUpdate<I, P, T>(Upsert<I, P, T>);

impl<I, P, T: TenantTable> Upsert<I, P, T> {
    /// The predicate of a partial unique index, which is part of its target.
    pub fn filter_target<E>(self, predicate: E) -> Upsert<I, TargetCondition<E>, T>
    where
        E: ScopedExpression<(T, ())>,
    {
        Upsert { insert: self.insert, columns: self.columns, condition: TargetCondition(predicate) }
    }

    /// Leaves the row that is there.
    pub fn do_nothing(self) -> Statement<OnConflict<I, P, DoNothing>, T> {
        self.then(DoNothing)
    }

    /// Changes the row that is there.
    pub fn do_update(self) -> DoUpdate<I, P, T> {
        DoUpdate(self)
    }

    fn then<A>(self, action: A) -> Statement<OnConflict<I, P, A>, T> {
        let Self { insert, columns, condition } = self;
        insert.map(|insert| OnConflict { insert, columns, condition, action })
    }
}

impl<I, P, T: TenantTable> DoUpdate<I, P, T> {
    /// What changes in the row that is there; [`excluded`](super::excluded) is what the new one would have brought.
    pub fn set<V: Changes<T>>(self, changes: V) -> Statement<OnConflict<I, P, Set<V::Changeset>>, T> {
        self.0.then(Set(changes.as_changeset()))
    }
}

impl<F, T> Statement<F, T> {
    /// Runs it; returns what is `RETURNING` of every row.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn load<U>(self, ws: &mut WorkspaceConnection) -> Result<Vec<U>>
    where
        F: ReturnsRows,
        F::Query: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        ws.check(self.workspace)?;
        let Some(fragment) = self.fragment else { return Ok(Vec::new()) };
        ws.session.statement(|conn| all(fragment.returning_rows().start(conn))).await
    }

    /// As [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn get_results<U>(self, ws: &mut WorkspaceConnection) -> Result<Vec<U>>
    where
        F: ReturnsRows,
        F::Query: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        self.load(ws).await
    }

    /// Runs it; returns what is `RETURNING` of the first row.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](crate::Error::is_not_found) where no row was changed; as [`execute`](Self::execute).
    pub async fn get_result<U>(self, ws: &mut WorkspaceConnection) -> Result<U>
    where
        F: ReturnsRows,
        F::Query: LoadsAs<U> + Send,
        F: Send,
        U: Send + 'static,
    {
        self.load(ws).await?.into_iter().next().ok_or_else(no_row)
    }
}

/// Declares the rows to insert and the changesets of workspaces' tables.
///
/// `documents: NewDocument, DocumentChanges;` names a struct that derives `Insertable` and one that derives
/// `AsChangeset`, neither with a field `workspace_id`.
#[macro_export]
macro_rules! tenant_rows {
    ($($table:ident: $new:ident, $changes:ident;)+) => {$(
        $crate::tenant_rows!(@new $table, $new, );
        $crate::tenant_rows!(@new $table, &'a $new, 'a);

        impl $crate::tenancy::Changes<$table::table> for $changes {}
        impl $crate::tenancy::Changes<$table::table> for &$changes {}
    )+};
    (@new $table:ident, $new:ty, $($lifetime:lifetime)?) => {
        impl<$($lifetime)?> $crate::tenancy::NewRow for $new {
            type Table = $table::table;
        }

        impl<$($lifetime)?> $crate::tenancy::NewRows for $new {
            type Table = $table::table;
            type InWorkspace = $crate::tenancy::WithWorkspace<Self>;

            fn in_workspace(self, workspace: $crate::id::WorkspaceId) -> ::core::option::Option<Self::InWorkspace> {
                Some((<$table::table as $crate::tenancy::TenantTable>::workspace_value(workspace), self))
            }
        }
    };
}
