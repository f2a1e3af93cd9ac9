//! Expressions that a scoped query accepts: those over its own tables, without an unscoped subquery.

use std::marker::PhantomData;

use diesel::expression::{
    AppearsOnTable, Expression, IsContainedInGroupBy, SelectableExpression, ValidGrouping, is_aggregate,
    is_contained_in_group_by,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::query_source::{AppearsInFromClause, Never, Once, Plus, QuerySource};
use diesel::{Column, QueryResult};

use super::table::TenantTable;
use crate::tenancy::compile_errors::{LeavesTheWorkspace, TakesUnscopedSubqueries};
use crate::tenancy::inspection;

/// The tables of a scoped query, as the list `S`. An expression must fit them before the query accepts it.
///
/// Columns of these tables appear here. Diesel's own subqueries do not: they require a `QuerySource`, which this type
/// never is. So an unscoped `exists(...)` or `eq_any(...)` does not compile, at any depth.
#[derive(Clone, Copy, Debug)]
pub struct Within<S>(PhantomData<S>);

impl<T, S: Tables<T, Count = Once>> AppearsInFromClause<T> for Within<S> {
    type Count = Once;
}

/// Number of times that `T` is among the tables.
pub trait Tables<T> {
    /// Never, once, or more often.
    type Count;
}

impl<T> Tables<T> for () {
    type Count = Never;
}

impl<T, Head, Tail> Tables<T> for (Head, Tail)
where
    Head: AppearsInFromClause<T>,
    Tail: Tables<T>,
    Head::Count: Plus<Tail::Count>,
{
    type Count = <Head::Count as Plus<Tail::Count>>::Output;
}

// Diesel's subqueries require the surrounding query to be a `QuerySource`. No type meets this condition: see
// `compile_errors`.
impl<S> QuerySource for Within<S>
where
    Self: TakesUnscopedSubqueries,
{
    type FromClause = ();
    type DefaultSelection = <Self as TakesUnscopedSubqueries>::Nothing;

    fn from_clause(&self) {}

    fn default_selection(&self) -> Self::DefaultSelection {
        self.nothing()
    }
}

/// Expression that a scoped query on the tables `S` accepts. Every expression that qualifies implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't stand in this scoped query",
    label = "not over the query's own tables, or with a subquery that is not scoped",
    note = "a subquery on a workspace's table must be scoped too: \
            `documents::id.eq_any(document_chunks::table.in_workspace(&ws).select(document_chunks::document_id))`",
    note = "a column of another table needs a join first: `.inner_join(documents::table)`"
)]
pub trait ScopedExpression<S>: AppearsOnTable<Within<S>> + Sized {
    /// Always `Self`. Bounds use it so that one mistake causes one compile error.
    type Checked: Expression;

    /// Returns the expression itself.
    #[doc(hidden)]
    fn checked(self) -> Self::Checked;
}

// `Sync`, because Diesel's boxed query is not `Sync`: it would hide an unscoped subquery.
impl<S, E: AppearsOnTable<Within<S>> + Sync> ScopedExpression<S> for E {
    type Checked = E;

    fn checked(self) -> E {
        self
    }
}

/// Expression in parentheses, so that no operator in it binds to the text before it: `workspace_id = $1 AND (a OR b)`.
#[derive(Clone, Copy, Debug, QueryId, ValidGrouping)]
pub struct Group<E>(pub(super) E);

impl<E: Expression> Expression for Group<E> {
    type SqlType = E::SqlType;
}

impl<E: QueryFragment<Pg>> QueryFragment<Pg> for Group<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::check_enclosed(&self.0)?;
        out.push_sql("(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

// `Scoped` checks an expression before it makes a group. A second check here would report each mistake twice.
impl<E: Expression, QS> AppearsOnTable<QS> for Group<E> {}
impl<E: Expression, QS> SelectableExpression<QS> for Group<E> {}

/// Columns of `T` that a statement may set: all except its `workspace_id`.
///
/// Diesel's `table!` states for any two columns if grouping by one determines the other. Only `workspace_id`
/// determines `workspace_id`, which distinguishes it from the other columns.
#[derive(Debug)]
pub struct Settable<T>(PhantomData<T>);

impl<T, C> IsContainedInGroupBy<C> for Settable<T>
where
    T: TenantTable,
    C: Column<Table = T>,
    T::WorkspaceColumn: IsContainedInGroupBy<C>,
    <T::WorkspaceColumn as IsContainedInGroupBy<C>>::Output: LeavesTheWorkspace,
{
    type Output = is_contained_in_group_by::Yes;
}

/// Returns the value in the row that an upsert proposes for insertion: `excluded.title`.
///
/// It replaces [`diesel::upsert::excluded`] in a scoped upsert.
///
/// ```
/// use diesel::prelude::*;
/// use workspace_db::schema::documents;
/// use workspace_db::tenancy::excluded;
///
/// let set = documents::title.eq(excluded(documents::title));
/// # drop(set);
/// ```
pub fn excluded<C: Column>(column: C) -> Excluded<C> {
    Excluded(column)
}

/// Expression that [`excluded`] returns.
#[derive(Clone, Copy, Debug, QueryId)]
pub struct Excluded<C>(C);

impl<C: Expression> Expression for Excluded<C> {
    type SqlType = C::SqlType;
}

impl<C: Column> QueryFragment<Pg> for Excluded<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("excluded.");
        out.push_identifier(C::NAME)
    }
}

impl<C: Column, QS> AppearsOnTable<QS> for Excluded<C> {}

impl<C, GB> ValidGrouping<GB> for Excluded<C> {
    type IsAggregate = is_aggregate::Never;
}
