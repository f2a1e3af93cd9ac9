//! Scoped queries within another query.

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::expression::array_comparison::{AsInExpression, InExpression};
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId, SelectQuery};
use diesel::sql_types::SqlType;

use super::scoped::Scoped;
use crate::id::WorkspaceId;
use crate::tenancy::inspection;

/// Scoped query within another one, which must be of the same workspace.
#[derive(Clone, Copy, Debug)]
pub struct InnerQuery<Q> {
    query: Q,
    workspace: WorkspaceId,
    joins: u32,
}

/// The fields other than `query` do not change the SQL text.
impl<Q: QueryId> QueryId for InnerQuery<Q> {
    type QueryId = InnerQuery<Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q: Query> Query for InnerQuery<Q> {
    type SqlType = Q::SqlType;
}

// Diesel's LIMIT of a combination requires it.
impl<Q: SelectQuery> SelectQuery for InnerQuery<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for InnerQuery<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account_for_subquery(self, self.workspace, self.joins)?;
        self.query.walk_ast(out)
    }
}

impl<Q, S> Scoped<Q, S> {
    /// Returns the query as a part of another one, after a change that keeps its restriction to the workspace.
    pub(super) fn into_inner<R>(self, change: impl FnOnce(Q) -> R) -> InnerQuery<R> {
        let Self { query, workspace, joins, .. } = self;
        InnerQuery { query: change(query), workspace, joins }
    }
}

/// Scoped query in an expression: `documents::id.eq_any(document_chunks::table.in_workspace(&ws).select(..))`.
///
/// Diesel's own subqueries do not compile here, since they may read every workspace.
#[derive(Clone, Copy, Debug)]
pub struct Subquery<Q, ST> {
    query: InnerQuery<Q>,
    sql_type: PhantomData<ST>,
}

impl<Q: QueryId, ST: 'static> QueryId for Subquery<Q, ST> {
    type QueryId = Subquery<Q::QueryId, ST>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q, S, ST> AsInExpression<ST> for Scoped<Q, S>
where
    Q: Query<SqlType = ST>,
    ST: SqlType + TypedExpressionType,
{
    type InExpression = Subquery<Q, ST>;

    fn as_in_expression(self) -> Self::InExpression {
        Subquery { query: self.into_inner(|query| query), sql_type: PhantomData }
    }
}

impl<Q, ST: SqlType> InExpression for Subquery<Q, ST> {
    type SqlType = ST;

    fn is_empty(&self) -> bool {
        false
    }

    fn is_array(&self) -> bool {
        false
    }
}

impl<Q, ST: SqlType + TypedExpressionType> Expression for Subquery<Q, ST> {
    type SqlType = ST;
}

impl<Q: QueryFragment<Pg>, ST> QueryFragment<Pg> for Subquery<Q, ST> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out)
    }
}

impl<Q, ST, QS> AppearsOnTable<QS> for Subquery<Q, ST> where Self: Expression {}
impl<Q, ST, QS> SelectableExpression<QS> for Subquery<Q, ST> where Self: Expression {}

impl<Q, ST, GB> ValidGrouping<GB> for Subquery<Q, ST> {
    type IsAggregate = is_aggregate::Never;
}
