//! Filters by the existence of related rows, and scalar subqueries.

use std::marker::PhantomData;

use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{FilterDsl, LimitDsl};
use diesel::sql_types::{Bool, IntoNullable, SingleValue, SqlType};
use diesel::{QueryResult, dsl};

use super::expression::Group;
use super::relation::JoinsTo;
use super::scoped::Scoped;
use crate::id::WorkspaceId;
use crate::tenancy::inspection;

/// `EXISTS (...)` or `NOT EXISTS (...)`, which refers to rows of the outer query along a declared relation.
#[derive(Clone, Copy, Debug)]
pub struct RelatedRows<Q> {
    query: Q,
    workspace: WorkspaceId,
    joins: u32,
    word: &'static str,
}

/// The word changes the SQL text, so the type alone does not determine it.
impl<Q> QueryId for RelatedRows<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Expression for RelatedRows<Q> {
    type SqlType = Bool;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for RelatedRows<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account_for_subquery(self, self.workspace, self.joins)?;
        out.push_sql(self.word);
        out.push_sql(" (");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}

impl<Q, QS> AppearsOnTable<QS> for RelatedRows<Q> {}

impl<Q, GB> ValidGrouping<GB> for RelatedRows<Q> {
    type IsAggregate = is_aggregate::Never;
}

/// Filter by related rows of the table `R`, which the query `Related` selects.
pub type WithRelated<Q, S, R, Related, Place> =
    Scoped<dsl::Filter<Q, Group<RelatedRows<dsl::Filter<Related, <S as JoinsTo<R, Place>>::On>>>>, S>;

impl<Q, S> Scoped<Q, S> {
    /// Keeps the rows that have a related row in `related`, along a declared relation: `... AND EXISTS (...)`.
    ///
    /// `related` is a scoped query of one table with its own filters; its selection does not matter. Unlike a join, it
    /// repeats no row. If two tables of this query are related to that table, name the one as in
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
    pub fn filter_exists<R, Related, Place>(
        self,
        related: Scoped<Related, (R, ())>,
    ) -> WithRelated<Q, S, R, Related, Place>
    where
        S: JoinsTo<R, Place>,
        Related: FilterDsl<S::On>,
        Q: FilterDsl<Group<RelatedRows<dsl::Filter<Related, S::On>>>>,
    {
        self.filter_related("EXISTS", related)
    }

    /// Keeps the rows that have no related row in `related`, like [`filter_exists`](Self::filter_exists).
    pub fn filter_not_exists<R, Related, Place>(
        self,
        related: Scoped<Related, (R, ())>,
    ) -> WithRelated<Q, S, R, Related, Place>
    where
        S: JoinsTo<R, Place>,
        Related: FilterDsl<S::On>,
        Q: FilterDsl<Group<RelatedRows<dsl::Filter<Related, S::On>>>>,
    {
        self.filter_related("NOT EXISTS", related)
    }

    fn filter_related<R, Related, Place>(
        self,
        word: &'static str,
        related: Scoped<Related, (R, ())>,
    ) -> WithRelated<Q, S, R, Related, Place>
    where
        S: JoinsTo<R, Place>,
        Related: FilterDsl<S::On>,
        Q: FilterDsl<Group<RelatedRows<dsl::Filter<Related, S::On>>>>,
    {
        let Scoped { workspace, joins, query, .. } = related;
        let rows = RelatedRows { query: query.filter(S::on()), workspace, joins, word };
        self.map(|query| query.filter(Group(rows)))
    }

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
        let Self { query, workspace, joins, .. } = self;
        ScalarSubquery { query: query.limit(1), workspace, joins, sql_type: PhantomData }
    }
}

/// Value of the first row of a scoped query, or NULL. [`single_value`](Scoped::single_value) returns it.
#[derive(Clone, Copy, Debug)]
pub struct ScalarSubquery<Q, ST> {
    query: Q,
    workspace: WorkspaceId,
    joins: u32,
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
        inspection::account_for_subquery(self, self.workspace, self.joins)?;
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
