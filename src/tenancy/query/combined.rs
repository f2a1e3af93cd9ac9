//! UNION, INTERSECT and EXCEPT of two scoped queries.

use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId, SelectQuery};
use diesel::query_dsl::CombineDsl;
use diesel::{QueryResult, dsl};

use super::scoped::Scoped;
use crate::id::WorkspaceId;
use crate::tenancy::inspection;

/// Second query of a combination, which must be of the same workspace as the first.
#[derive(Clone, Copy, Debug)]
pub struct CombinedWith<Q> {
    query: Q,
    workspace: WorkspaceId,
    joins: u32,
}

impl<Q: QueryId> QueryId for CombinedWith<Q> {
    type QueryId = CombinedWith<Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q: Query> Query for CombinedWith<Q> {
    type SqlType = Q::SqlType;
}

// Diesel's LIMIT of a combination requires it.
impl<Q: SelectQuery> SelectQuery for CombinedWith<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for CombinedWith<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        inspection::account_for_subquery(self, self.workspace, self.joins)?;
        self.query.walk_ast(out)
    }
}

macro_rules! combinations {
    ($($(#[$doc:meta])* $method:ident: $result:ident;)+) => {
        impl<Q, S> Scoped<Q, S> {
            $(
                $(#[$doc])*
                pub fn $method<R, T>(self, other: Scoped<R, T>) -> Scoped<dsl::$result<Q, CombinedWith<R>>, ()>
                where
                    Q: CombineDsl,
                    CombinedWith<R>: AsQuery<SqlType = <Q::Query as Query>::SqlType>,
                {
                    let Scoped { query, workspace, joins, .. } = other;
                    self.map(|first| first.$method(CombinedWith { query, workspace, joins }))
                }
            )+
        }
    };
}

combinations! {
    /// Returns the rows of both queries, each once. Both are of the same workspace, and select the same types.
    ///
    /// ```no_run
    /// use diesel::prelude::*;
    /// use workspace_db::schema::{conversations, documents};
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    /// let titles: Vec<Option<String>> = documents::table
    ///     .in_workspace(&ws)
    ///     .select(documents::title.nullable())
    ///     .union(conversations::table.in_workspace(&ws).select(conversations::title))
    ///     .load(ws)
    ///     .await?;
    /// # drop(titles);
    /// # Ok(())
    /// # }
    /// ```
    union: Union;
    /// Returns the rows of both queries, also those that are equal, like [`union`](Self::union).
    union_all: UnionAll;
    /// Returns the rows that both queries have, each once, like [`union`](Self::union).
    intersect: Intersect;
    /// Returns the rows that only the first query has, each once, like [`union`](Self::union).
    except: Except;
}
