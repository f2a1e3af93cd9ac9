//! Filters by the existence of related rows, and scalar subqueries.

use std::marker::PhantomData;

use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, SqlLiteral, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{FilterDsl, LimitDsl, SelectDsl};
use diesel::sql_types::{Bool, Integer, IntoNullable, SingleValue, SqlType};
use diesel::{QueryResult, dsl};

use super::expression::Group;
use super::relation::JoinsTo;
use super::scoped::Scoped;
use super::subquery::InnerQuery;

/// `EXISTS (...)` or `NOT EXISTS (...)`, which refers to rows of the outer query along a declared relation.
#[derive(Clone, Copy, Debug)]
pub struct RelatedRows<Q, const EXIST: bool> {
    query: InnerQuery<Q>,
}

impl<Q: QueryId, const EXIST: bool> QueryId for RelatedRows<Q, EXIST> {
    type QueryId = RelatedRows<Q::QueryId, EXIST>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q, const EXIST: bool> Expression for RelatedRows<Q, EXIST> {
    type SqlType = Bool;
}

impl<Q: QueryFragment<Pg>, const EXIST: bool> QueryFragment<Pg> for RelatedRows<Q, EXIST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(if EXIST { "EXISTS (" } else { "NOT EXISTS (" });
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

impl<Q, const EXIST: bool, QS> AppearsOnTable<QS> for RelatedRows<Q, EXIST> {}

impl<Q, const EXIST: bool, GB> ValidGrouping<GB> for RelatedRows<Q, EXIST> {
    type IsAggregate = is_aggregate::Never;
}

/// Query of related rows with the condition of the relation. It selects a constant: an aggregate without groups has a row
/// even if no row is related.
pub type Existence<Related, On> = dsl::Filter<dsl::Select<Related, SqlLiteral<Integer>>, On>;

/// Filter by related rows of the table `R`, which the query `Related` selects.
pub type WithRelated<Q, S, R, Related, Place, const EXIST: bool> =
    Scoped<dsl::Filter<Q, Group<RelatedRows<Existence<Related, <S as JoinsTo<R, Place>>::On>, EXIST>>>, S>;

macro_rules! filters {
    ($($(#[$doc:meta])* $method:ident: $exist:literal;)+) => {
        impl<Q, S> Scoped<Q, S> {
            $(
                $(#[$doc])*
                pub fn $method<R, Related, Place>(
                    self,
                    related: Scoped<Related, (R, ())>,
                ) -> WithRelated<Q, S, R, Related, Place, $exist>
                where
                    S: JoinsTo<R, Place>,
                    Related: SelectDsl<SqlLiteral<Integer>>,
                    dsl::Select<Related, SqlLiteral<Integer>>: FilterDsl<S::On>,
                    Q: FilterDsl<Group<RelatedRows<Existence<Related, S::On>, $exist>>>,
                {
                    let query = related.into_inner(|query| query.select(dsl::sql("1")).filter(S::on()));
                    self.map(|outer| outer.filter(Group(RelatedRows { query })))
                }
            )+
        }
    };
}

filters! {
    /// Keeps the rows that have a related row in `related`, along a declared relation: `... AND EXISTS (...)`.
    ///
    /// `related` is a scoped query of one table with its own filters, and not boxed; its selection does not matter. Unlike a
    /// join, it repeats no row. If two tables of this query are related to that table, name the one as in
    /// [`inner_join`](Self::inner_join).
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::{document_chunks, documents};
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let long = document_chunks::table.in_workspace(&ws).filter(document_chunks::token_count.gt(400));
    /// let documents: Vec<Document> = documents::table.in_workspace(&ws).filter_exists(long).load(ws).await?;
    /// # drop(documents);
    /// # Ok(())
    /// # }
    /// ```
    filter_exists: true;
    /// Keeps the rows that have no related row in `related`, like [`filter_exists`](Self::filter_exists).
    filter_not_exists: false;
}

impl<Q, S> Scoped<Q, S> {
    /// Turns the query into an expression: the value of its first row, or NULL if it has none.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::models::Document;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let newest = documents::table.in_workspace(&ws).select(diesel::dsl::max(documents::created_at));
    /// let documents: Vec<Document> = documents::table
    ///     .in_workspace(&ws)
    ///     .filter(documents::created_at.nullable().eq(newest.single_value()))
    ///     .load(ws)
    ///     .await?;
    /// # drop(documents);
    /// # Ok(())
    /// # }
    /// ```
    pub fn single_value<ST>(self) -> ScalarSubquery<dsl::Limit<Q>, ST::Nullable>
    where
        Q: LimitDsl,
        dsl::Limit<Q>: Query<SqlType = ST>,
        ST: IntoNullable,
    {
        ScalarSubquery { query: self.into_inner(|query| query.limit(1)), sql_type: PhantomData }
    }
}

/// Value of the first row of a scoped query, or NULL. [`single_value`](Scoped::single_value) returns it.
#[derive(Clone, Copy, Debug)]
pub struct ScalarSubquery<Q, ST> {
    query: InnerQuery<Q>,
    sql_type: PhantomData<ST>,
}

impl<Q: QueryId, ST: 'static> QueryId for ScalarSubquery<Q, ST> {
    type QueryId = ScalarSubquery<Q::QueryId, ST>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q, ST: SqlType + SingleValue + TypedExpressionType> Expression for ScalarSubquery<Q, ST> {
    type SqlType = ST;
}

impl<Q: QueryFragment<Pg>, ST> QueryFragment<Pg> for ScalarSubquery<Q, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("(");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

impl<Q, ST, QS> AppearsOnTable<QS> for ScalarSubquery<Q, ST> where Self: Expression {}
impl<Q, ST, QS> SelectableExpression<QS> for ScalarSubquery<Q, ST> where Self: Expression {}

impl<Q, ST, GB> ValidGrouping<GB> for ScalarSubquery<Q, ST> {
    type IsAggregate = is_aggregate::Never;
}
