//! What search needs beneath its queries: candidates that one part of a statement picks and another reads, and settings
//! of the planner that hold for one statement.

use std::fmt::{Display, Write as _};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

use super::query::Scoped;

/// `WITH name (...) AS MATERIALIZED (...)` before a query.
///
/// Materialized, so that the candidates are picked once and by their own order, whatever the planner makes of the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithCte<C, Q> {
    name: &'static str,
    candidates: C,
    query: Q,
}

impl<Q, S> Scoped<Q, S> {
    /// Puts the rows of another scoped query in reach of this one's SQL, under that name and those of its columns.
    pub(crate) fn with_candidates<C, T>(
        self,
        name: &'static str,
        candidates: Scoped<C, T>,
    ) -> Scoped<WithCte<C, Q>, S> {
        self.with_fragment(name, candidates.query)
    }

    /// As [`with_candidates`](Self::with_candidates), with SQL that keeps to the workspace by itself.
    pub(crate) fn with_fragment<C>(self, name: &'static str, candidates: C) -> Scoped<WithCte<C, Q>, S> {
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

/// Known by its text: the same type has several.
impl<C, Q> QueryId for WithCte<C, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Settings of the server for one statement. They travel with the `BEGIN` of its transaction, or with the statement
/// itself where a transaction is open, and are then put back.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementSettings {
    pub(super) set: String,
    pub(super) reset: String,
}

impl StatementSettings {
    /// What every search needs. A generic plan knows neither how many candidates are asked for nor of which workspace
    /// they are, so it can't tell which index has them; and compiling a plan that runs for milliseconds costs more.
    pub(crate) fn searching() -> Self {
        Self::default().and("plan_cache_mode", "force_custom_plan").and("jit", "off")
    }

    /// The same with one more. Neither name nor value may come from outside.
    pub(crate) fn and(mut self, name: &'static str, value: impl Display) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.set, "; SET LOCAL {name} = {value}");
        let _ = write!(self.reset, "; SET LOCAL {name} TO DEFAULT");
        self
    }
}
