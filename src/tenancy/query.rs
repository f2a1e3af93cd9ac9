//! A query that is bound to one workspace, and what may be added to it.

use std::marker::PhantomData;

use diesel::dsl;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::JoinWithImplicitOnClause;
use diesel::query_dsl::methods::{
    BoxedDsl, DistinctDsl, DistinctOnDsl, FilterDsl, GroupByDsl, HavingDsl, LimitDsl, OffsetDsl, OrderDsl, SelectDsl,
    ThenOrderDsl,
};
use diesel::sql_types::BoolOrNullableBool;
use diesel::{Expression, JoinOnDsl as _, QueryResult};

use super::access::Read;
use super::expression::{Group, ScopedExpression};
use super::relation::JoinsTo;
use super::scope::WorkspaceScope;
use super::table::{IdentifiedTable, TenantTable};
use crate::id::WorkspaceId;

// Hidden names of Diesel's: its own `table!` macro writes them into every `schema.rs`.
use diesel::internal::table_macro::{Inner, LeftOuter};

/// A query on rows of one workspace. [`in_workspace`](super::InWorkspace::in_workspace) begins one.
///
/// `Q` is Diesel's query, `S` the list of its tables. `workspace_id = $1` stands first in its WHERE clause, and each
/// later predicate is joined by AND as one group. There is no `or_filter`, no join but along a declared relation, and no
/// way to the query inside: what could widen it can't be said. Otherwise the methods are Diesel's, and so are their
/// rules.
///
/// ```no_run
/// use diesel::prelude::*;
/// use workspace_db::models::Document;
/// use workspace_db::schema::{datasources, documents};
/// use workspace_db::sql_types::DocumentStatus;
/// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};
///
/// # async fn example(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let newest: Vec<Document> = documents::table
///     .in_workspace(scope)
///     .filter(documents::status.eq(DocumentStatus::Ready))
///     .order(documents::created_at.desc())
///     .limit(50)
///     .load(ws)
///     .await?;
/// let titles_and_sources: Vec<(String, Option<String>)> = documents::table
///     .in_workspace(scope)
///     .left_join(datasources::table)
///     .select((documents::title, datasources::name.nullable()))
///     .load(ws)
///     .await?;
/// # drop((newest, titles_and_sources));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a query does nothing before `load`, `first`, `execute` or the like"]
pub struct Scoped<Q, S> {
    pub(super) query: Q,
    pub(super) workspace: WorkspaceId,
    /// Tables beside the first.
    pub(super) joins: u32,
    tables: PhantomData<S>,
}

/// The table `R` beside those of a query.
pub type InnerJoined<Q, S, R, Place> = Scoped<dsl::InnerJoin<Q, dsl::On<R, <S as JoinsTo<R, Place>>::On>>, (R, S)>;
/// The table `R` beside those of a query, its columns nullable.
pub type LeftJoined<Q, S, R, Place> = Scoped<dsl::LeftJoin<Q, dsl::On<R, <S as JoinsTo<R, Place>>::On>>, (R, S)>;

impl<Q, S> Scoped<Q, S> {
    pub(super) fn new(query: Q, workspace: WorkspaceId) -> Self {
        Self { query, workspace, joins: 0, tables: PhantomData }
    }

    pub(super) fn map<R, T>(self, change: impl FnOnce(Q) -> R) -> Scoped<R, T> {
        Scoped { joins: self.joins, ..Scoped::new(change(self.query), self.workspace) }
    }

    fn join<R, T>(self, change: impl FnOnce(Q) -> R) -> Scoped<R, T> {
        let joins = self.joins + 1;
        Scoped { joins, ..self.map(change) }
    }

    /// Narrows the query: `... AND (predicate)`.
    #[doc(alias = "where")]
    pub fn filter<P>(self, predicate: P) -> Scoped<dsl::Filter<Q, Group<P>>, S>
    where
        P: ScopedExpression<S>,
        Q: FilterDsl<Group<P>>,
    {
        self.map(|query| query.filter(Group(predicate)))
    }

    /// Chooses what comes back: columns, expressions, aggregates, or `Model::as_select()`.
    pub fn select<E>(self, selection: E) -> Scoped<dsl::Select<Q, E>, S>
    where
        E: ScopedExpression<S>,
        Q: SelectDsl<E>,
    {
        self.map(|query| query.select(selection))
    }

    /// The number of rows.
    pub fn count(self) -> Scoped<dsl::Select<Q, dsl::CountStar>, S>
    where
        Q: SelectDsl<dsl::CountStar>,
    {
        self.map(|query| query.select(dsl::count_star()))
    }

    /// Sets the order, in place of an earlier one.
    pub fn order<E>(self, order: E) -> Scoped<dsl::Order<Q, E>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: OrderDsl<E>,
    {
        self.map(|query| query.order(order))
    }

    /// As [`order`](Self::order).
    pub fn order_by<E>(self, order: E) -> Scoped<dsl::Order<Q, E>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: OrderDsl<E>,
    {
        self.order(order)
    }

    /// Adds to the order.
    pub fn then_order_by<E>(self, order: E) -> Scoped<dsl::ThenOrderBy<Q, E>, S>
    where
        E: ScopedExpression<S>,
        Q: ThenOrderDsl<E>,
    {
        self.map(|query| query.then_order_by(order))
    }

    /// At most so many rows.
    pub fn limit(self, rows: i64) -> Scoped<dsl::Limit<Q>, S>
    where
        Q: LimitDsl,
    {
        self.map(|query| query.limit(rows))
    }

    /// Passes over so many rows. For pages, [`load_page`](Self::load_page) does not slow down towards the end.
    pub fn offset(self, rows: i64) -> Scoped<dsl::Offset<Q>, S>
    where
        Q: OffsetDsl,
    {
        self.map(|query| query.offset(rows))
    }

    /// Equal rows once.
    pub fn distinct(self) -> Scoped<dsl::Distinct<Q>, S>
    where
        Q: DistinctDsl,
    {
        self.map(DistinctDsl::distinct)
    }

    /// One row for each value of the expression, the first in order.
    pub fn distinct_on<E>(self, expression: E) -> Scoped<dsl::DistinctOn<Q, E>, S>
    where
        E: ScopedExpression<S>,
        Q: DistinctOnDsl<E>,
    {
        self.map(|query| query.distinct_on(expression))
    }

    /// Groups for aggregates. Diesel wants it before `select`.
    pub fn group_by<E>(self, expression: E) -> Scoped<dsl::GroupBy<Q, E>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: GroupByDsl<E>,
    {
        self.map(|query| query.group_by(expression))
    }

    /// Narrows the groups.
    pub fn having<P>(self, predicate: P) -> Scoped<dsl::Having<Q, Group<P>>, S>
    where
        P: ScopedExpression<S> + Expression,
        P::SqlType: BoolOrNullableBool,
        Q: HavingDsl<Group<P>>,
    {
        self.map(|query| query.having(Group(predicate)))
    }

    /// Joins a table of the workspace along the declared relation, rows with a match alone.
    ///
    /// Always `ON a.workspace_id = b.workspace_id AND a.foreign_key = b.id`. Where two tables of the query are related to
    /// the one that joins, it must be clear which is meant: begin with the other.
    pub fn inner_join<R, Place>(self, right: R) -> InnerJoined<Q, S, R, Place>
    where
        R: TenantTable,
        S: JoinsTo<R, Place>,
        Q: JoinWithImplicitOnClause<dsl::On<R, S::On>, Inner>,
    {
        self.join(|query| query.join_with_implicit_on_clause(right.on(S::on()), Inner))
    }

    /// As [`inner_join`](Self::inner_join), keeping the rows that have no match; the columns of `right` are nullable.
    pub fn left_join<R, Place>(self, right: R) -> LeftJoined<Q, S, R, Place>
    where
        R: TenantTable,
        S: JoinsTo<R, Place>,
        Q: JoinWithImplicitOnClause<dsl::On<R, S::On>, LeftOuter>,
    {
        self.join(|query| query.join_with_implicit_on_clause(right.on(S::on()), LeftOuter))
    }

    /// Finds the row of that id: its own table's id, and of this workspace.
    ///
    /// [`first`](Self::first) answers `is_not_found` where there is none here, whatever another workspace has.
    pub fn find<T>(self, id: T::Id) -> Scoped<dsl::Filter<Q, T::HasId>, S>
    where
        S: OneTable<Table = T>,
        T: IdentifiedTable,
        Q: FilterDsl<T::HasId>,
    {
        self.map(|query| query.filter(T::has_id(id)))
    }

    /// Erases the query's type, for filters that are added under a condition.
    pub fn into_boxed<'a>(self) -> Scoped<dsl::IntoBoxed<'a, Q, Pg>, S>
    where
        Q: BoxedDsl<'a, Pg>,
    {
        self.map(BoxedDsl::internal_into_boxed)
    }

    /// Locks the rows until the transaction ends, against all who would change, delete or lock them. Comes last.
    pub fn for_update(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR UPDATE")
    }

    /// As [`for_update`](Self::for_update), but foreign keys may go on pointing to the rows.
    pub fn for_no_key_update(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR NO KEY UPDATE")
    }

    /// Locks the rows against change; others may read and share them. Comes last.
    pub fn for_share(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR SHARE")
    }

    /// Locks the rows against deletion and change of their key. Comes last.
    pub fn for_key_share(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR KEY SHARE")
    }

    fn locked(self, strength: &'static str) -> Scoped<Locked<Q>, S> {
        self.map(|query| Locked { query, strength, others: "" })
    }

    /// Is not there: an OR beside the workspace's own predicate would let every workspace in.
    #[doc(hidden)]
    pub fn or_filter<P: LeavesTheScope>(self, _predicate: P) -> Self {
        self
    }

    /// The scope that it was begun with, for further queries that belong to it.
    pub(crate) fn scope(&self) -> WorkspaceScope<Read> {
        WorkspaceScope::derived(self.workspace)
    }

    /// The SQL, with placeholders for the values.
    #[must_use]
    pub fn to_sql(&self) -> String
    where
        Q: QueryFragment<Pg>,
    {
        let text = diesel::debug_query::<Pg, _>(&self.query).to_string();
        text.split(" -- binds:").next().unwrap_or_default().to_owned()
    }
}

impl<Q, S> Scoped<Locked<Q>, S> {
    /// Passes over rows that others have locked, as a queue does.
    pub fn skip_locked(self) -> Self {
        self.map(|locked| Locked { others: " SKIP LOCKED", ..locked })
    }

    /// Fails where another has locked a row, instead of waiting.
    pub fn no_wait(self) -> Self {
        self.map(|locked| Locked { others: " NOWAIT", ..locked })
    }
}

/// Holds for no predicate; it is here for its message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`or_filter` would let every workspace into this query",
    label = "an OR beside `workspace_id = $1`",
    note = "write `.filter(a.or(b))`, which stays within its parentheses"
)]
pub trait LeavesTheScope {}

/// The list of one table, from which `find`, `update`, `delete` and `insert` start.
pub trait OneTable {
    /// The table.
    type Table: TenantTable;
}

impl<T: TenantTable> OneTable for (T, ()) {
    type Table = T;
}

/// A query that locks what it reads.
#[derive(Clone, Copy, Debug)]
pub struct Locked<Q> {
    query: Q,
    strength: &'static str,
    others: &'static str,
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Locked<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(self.strength);
        out.push_sql(self.others);
        Ok(())
    }
}

impl<Q: Query> Query for Locked<Q> {
    type SqlType = Q::SqlType;
}

/// Not by type: the same type has several texts, and Diesel keeps prepared statements by the one or the other.
impl<Q> QueryId for Locked<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
