//! `UPDATE ... FROM` a related table.

use std::marker::PhantomData;

use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AsChangeset, AstPass, QueryFragment, QueryId};
use diesel::query_source::{AliasSource, AliasedField, QuerySource};
use diesel::{Column, QueryResult};

use super::dynamic_query_id::impl_dynamic_query_id;
use super::expression::{Group, ScopedExpression};
use super::fragment::{ReturnsNothing, Set};
use super::relation::RelatedTo;
use super::rows::Changes;
use super::table::{TenantSource, TenantTable};
use super::write::{ScopedStatement, ScopedUpdate};
use crate::id::WorkspaceId;
use crate::tenancy::inspection::{self, ReadKeywords};

/// Update with values of the related table `R`, which still needs its [`set`](Self::set).
#[derive(Clone, Copy, Debug)]
#[must_use = "an update does nothing before `set` and `execute`"]
pub struct ScopedUpdateFrom<W, R, T, On, P> {
    target: W,
    workspace: WorkspaceId,
    related: R,
    on: On,
    predicate: P,
    table: PhantomData<T>,
}

/// Statement that [`ScopedUpdateFrom::set`] returns.
pub type UpdatedFrom<W, R, T, On, P, V> =
    ScopedStatement<UpdateFrom<W, <V as AsChangeset>::Changeset, <R as QuerySource>::FromClause, T, On, P>, T>;

/// `UPDATE table SET ... FROM related WHERE workspace_id = $1 AND ...`
#[derive(Clone, Copy, Debug)]
pub struct UpdateFrom<W, V, F, T, On, P> {
    target: W,
    set: Set<V>,
    related: F,
    on: On,
    predicate: P,
    table: PhantomData<T>,
}

/// No further predicate.
#[derive(Clone, Copy, Debug)]
pub struct NoPredicate;

/// Predicate after another one: `AND (...)`.
#[derive(Clone, Copy, Debug)]
pub struct AndPredicate<P, E>(P, Group<E>);

impl<W, T: TenantTable> ScopedUpdate<W, T> {
    /// Adds a related table, or an alias of one, whose columns the update may read: `UPDATE ... FROM related`.
    ///
    /// The condition is that of the relation: the same workspace, and the foreign key. A row without a related row does not
    /// change. If several rows are related, PostgreSQL takes one of them. [`joined`] refers to a column of the related table
    /// in [`set`](ScopedUpdateFrom::set).
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::schema::{datasources, documents};
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, joined};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let renamed = documents::table
    ///     .in_workspace(&ws)
    ///     .update()
    ///     .from(datasources::table)
    ///     .filter(documents::title.eq(""))
    ///     .set(documents::title.eq(joined(datasources::name)))
    ///     .execute(ws)
    ///     .await?;
    /// # drop(renamed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from<R>(self, related: R) -> ScopedUpdateFrom<W, R, T, T::On, NoPredicate>
    where
        R: TenantSource,
        T: RelatedTo<R>,
    {
        const { (R::IS_OF_TENANTS, <T as RelatedTo<R>>::DECLARED) };
        let (target, workspace) = self.into_target();
        ScopedUpdateFrom { target, workspace, related, on: T::on(), predicate: NoPredicate, table: PhantomData }
    }
}

impl<W, R: TenantSource, T: TenantTable, On, P> ScopedUpdateFrom<W, R, T, On, P> {
    /// Narrows the update by columns of both tables: `... AND (predicate)`.
    pub fn filter<E>(self, predicate: E) -> ScopedUpdateFrom<W, R, T, On, AndPredicate<P, E>>
    where
        E: ScopedExpression<(R, (T, ()))>,
    {
        let Self { target, workspace, related, on, predicate: earlier, table } = self;
        let predicate = AndPredicate(earlier, Group(predicate));
        ScopedUpdateFrom { target, workspace, related, on, predicate, table }
    }

    /// Sets the changes: assignments whose values may contain [`joined`] columns of the related table.
    pub fn set<V>(self, changes: V) -> UpdatedFrom<W, R, T, On, P, V>
    where
        V: Changes<T>,
        V::Changeset: QueryFragment<Pg>,
    {
        let Self { target, workspace, related, on, predicate, table } = self;
        let related = related.from_clause();
        let set = Set::new(changes.as_changeset());
        ScopedStatement::new(workspace, Some(UpdateFrom { target, set, related, on, predicate, table }))
    }
}

impl<W, V, F, T, On, P> QueryFragment<Pg> for UpdateFrom<W, V, F, T, On, P>
where
    W: QueryFragment<Pg>,
    V: QueryFragment<Pg>,
    F: QueryFragment<Pg>,
    T: TenantTable,
    On: QueryFragment<Pg>,
    P: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account(ReadKeywords { froms: 1, ..ReadKeywords::default() });
        out.push_sql("UPDATE ");
        out.push_identifier(T::NAME)?;
        out.push_sql(" SET ");
        self.set.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.related.walk_ast(out.reborrow())?;
        self.target.walk_ast(out.reborrow())?;
        out.push_sql(" AND (");
        self.on.walk_ast(out.reborrow())?;
        out.push_sql(")");
        self.predicate.walk_ast(out)
    }
}

impl QueryFragment<Pg> for NoPredicate {
    fn walk_ast<'b>(&'b self, _: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        Ok(())
    }
}

impl<P: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for AndPredicate<P, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" AND ");
        self.1.walk_ast(out)
    }
}

impl_dynamic_query_id!(UpdateFrom<W, V, F, T, On, P>);

impl<W, V, F, T: TenantTable, On, P> ReturnsNothing for UpdateFrom<W, V, F, T, On, P> {
    type Table = T;
}

/// Returns the value of a column in the related row of an [`UPDATE ... FROM`](ScopedUpdate::from).
///
/// A statement whose FROM clause lacks the table is rejected by PostgreSQL.
///
/// ```
/// use diesel::prelude::*;
/// use workspace_db::schema::{datasources, documents};
/// use workspace_db::tenancy::joined;
///
/// let set = documents::title.eq(joined(datasources::name));
/// # drop(set);
/// ```
pub fn joined<C: Column>(column: C) -> Joined<C> {
    Joined(column)
}

/// Returns the value of a column of an alias, like [`joined`].
pub fn joined_alias<S, C>(column: AliasedField<S, C>) -> Joined<AliasedField<S, C>>
where
    S: AliasSource,
    C: Column<Table = S::Target>,
{
    Joined(column)
}

/// Expression that [`joined`] returns.
#[derive(Clone, Copy, Debug, QueryId)]
pub struct Joined<C>(C);

impl<C: Expression> Expression for Joined<C> {
    type SqlType = C::SqlType;
}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Joined<C> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<C: Expression, QS> AppearsOnTable<QS> for Joined<C> {}

impl<C, GB> ValidGrouping<GB> for Joined<C> {
    type IsAggregate = is_aggregate::Never;
}
