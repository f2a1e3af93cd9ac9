//! UNION, INTERSECT and EXCEPT of two scoped queries.

use diesel::dsl;
use diesel::query_builder::{AsQuery, Query};
use diesel::query_dsl::CombineDsl;

use super::scoped::Scoped;
use super::subquery::InnerQuery;

macro_rules! combinations {
    ($($(#[$doc:meta])* $method:ident: $result:ident;)+) => {
        impl<Q, S> Scoped<Q, S> {
            $(
                $(#[$doc])*
                pub fn $method<R, T>(self, other: Scoped<R, T>) -> Scoped<dsl::$result<Q, InnerQuery<R>>, ()>
                where
                    Q: CombineDsl,
                    InnerQuery<R>: AsQuery<SqlType = <Q::Query as Query>::SqlType>,
                {
                    let other = other.into_inner(|query| query);
                    self.map(|first| first.$method(other))
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
