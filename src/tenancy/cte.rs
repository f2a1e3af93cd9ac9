//! Parts of the statements that search: candidates that one part selects and another reads, and settings of the
//! planner for one statement.

use std::fmt::{Display, Write as _};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

use super::query::Scoped;

/// `WITH name (...) AS MATERIALIZED (...)` before a query.
///
/// The candidates are materialized. So PostgreSQL selects them once and in their own order, whatever plan it chooses
/// for the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithCte<C, Q> {
    name: &'static str,
    candidates: C,
    query: Q,
}

impl<Q, S> Scoped<Q, S> {
    /// Makes the rows of another scoped query readable for this one's SQL, under `name` and the names of its columns.
    pub(crate) fn with_candidates<C, T>(
        self,
        name: &'static str,
        candidates: Scoped<C, T>,
    ) -> Scoped<WithCte<C, Q>, S> {
        self.with_fragment(name, candidates.query)
    }

    /// Adds candidates, like [`with_candidates`](Self::with_candidates), from SQL that restricts itself to the
    /// workspace.
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

/// Prepared statements are cached by their text, because one type has several texts.
impl<C, Q> QueryId for WithCte<C, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Settings of the server for one statement. They are sent with the `BEGIN` of its transaction. If a transaction is
/// already open, they are sent with the statement and reset afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatementSettings {
    pub(super) set: String,
    pub(super) reset: String,
}

impl StatementSettings {
    /// Returns the settings that every search needs. A generic plan knows neither the number of requested candidates
    /// nor their workspace, so it can't choose the right index. JIT compilation of a plan that runs for milliseconds
    /// costs more than it saves.
    pub(crate) fn searching() -> Self {
        Self::default().and("plan_cache_mode", "force_custom_plan").and("jit", "off")
    }

    /// Adds one setting. Neither name nor value may come from outside.
    pub(crate) fn and(mut self, name: &'static str, value: impl Display) -> Self {
        // Writing to a string can't fail.
        let _ = write!(self.set, "; SET LOCAL {name} = {value}");
        let _ = write!(self.reset, "; SET LOCAL {name} TO DEFAULT");
        self
    }
}
