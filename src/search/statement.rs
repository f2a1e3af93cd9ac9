//! Parts of the statements that search: candidates that one part selects and another reads, and settings of the
//! planner for one statement.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

use crate::tenancy::{Scoped, StatementSettings};

/// `WITH name (...) AS MATERIALIZED (...)` before a query.
///
/// The candidates are materialized. So PostgreSQL selects them once and in their own order, whatever plan it chooses
/// for the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct WithCte<C, Q> {
    name: &'static str,
    candidates: C,
    query: Q,
}

impl<Q, S> Scoped<Q, S> {
    /// Makes the rows of another scoped query readable for this one's SQL, under `name` and the names of its columns.
    pub(super) fn with_candidates<C, T>(
        self,
        name: &'static str,
        candidates: Scoped<C, T>,
    ) -> Scoped<WithCte<C, Q>, S> {
        self.with_fragment(name, candidates.into_query())
    }

    /// Adds candidates, like [`with_candidates`](Self::with_candidates), from SQL that restricts itself to the
    /// workspace.
    pub(super) fn with_fragment<C>(self, name: &'static str, candidates: C) -> Scoped<WithCte<C, Q>, S> {
        self.map(|query| WithCte { name, candidates, query })
    }
}

impl<C: QueryFragment<Pg>, Q: QueryFragment<Pg>> QueryFragment<Pg> for WithCte<C, Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        out.push_sql(self.name);
        out.push_sql(" AS MATERIALIZED (");
        self.candidates.walk_ast(out.reborrow())?;
        out.push_sql(") ");
        self.query.walk_ast(out)
    }
}

impl<C, Q: Query> Query for WithCte<C, Q> {
    type SqlType = Q::SqlType;
}

/// Prepared statements are cached by their text, because one type has several texts.
impl<C, Q> QueryId for WithCte<C, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl StatementSettings {
    /// Returns the settings that every search needs. A generic plan knows neither the number of requested candidates
    /// nor their workspace, so it can't choose the right index. JIT compilation of a plan that runs for milliseconds
    /// costs more than it saves.
    pub(super) fn searching() -> Self {
        Self::default().and("plan_cache_mode", "force_custom_plan").and("jit", "off")
    }
}
