//! Queries that are bound to one workspace, and the methods that extend them.

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

use super::dynamic_query_id::impl_dynamic_query_id;
use super::expression::{Group, ScopedExpression};
use super::relation::JoinsTo;
use super::table::{IdentifiedTable, TenantSource, TenantTable};
use crate::id::WorkspaceId;
use crate::tenancy::compile_errors::{ChangesRows, LeavesTheScope};

// Diesel hides these names, but its own `table!` macro writes them into every `schema.rs`.
use diesel::internal::table_macro::{Inner, LeftOuter};

/// Query on rows of one workspace. [`in_workspace`](crate::tenancy::InWorkspace::in_workspace) starts one.
///
/// `Q` is Diesel's query and `S` the list of its tables. The WHERE clause begins with `workspace_id = $1`, and AND
/// adds each later predicate as one group. There is no `or_filter`, no join except along a declared relation, and no
/// access to the inner query. So no method can widen the query. The other methods and their rules are Diesel's.
///
/// ```no_run
/// use diesel::prelude::*;
/// use workspace_db::models::Document;
/// use workspace_db::schema::{datasources, documents};
/// use workspace_db::sql_types::DocumentStatus;
/// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let newest: Vec<Document> = documents::table
///     .in_workspace(&ws)
///     .filter(documents::status.eq(DocumentStatus::Ready))
///     .order(documents::created_at.desc())
///     .limit(50)
///     .load(ws)
///     .await?;
/// let titles_and_sources: Vec<(String, Option<String>)> = documents::table
///     .in_workspace(&ws)
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
    /// Number of joined tables, without the first table.
    pub(super) joins: u32,
    tables: PhantomData<S>,
}

/// Table `R` with the condition of its relation to one of the tables `S`.
pub type JoinedTable<S, R, Place> = dsl::On<<R as TenantSource>::Checked, Condition<S, R, Place>>;
type Condition<S, R, Place> = <S as JoinsTo<<R as TenantSource>::Checked, Place>>::On;
/// Query with an inner join to the table `R`.
pub type InnerJoined<Q, S, R, Place> =
    Scoped<IfRelated<S, R, Place, dsl::InnerJoin<Q, JoinedTable<S, R, Place>>>, (<R as TenantSource>::Checked, S)>;
/// Query with a left join to the table `R`, whose columns are nullable.
pub type LeftJoined<Q, S, R, Place> =
    Scoped<IfRelated<S, R, Place, dsl::LeftJoin<Q, JoinedTable<S, R, Place>>>, (<R as TenantSource>::Checked, S)>;

/// `Q` itself. If there is no relation, the compiler does not know the type, and reports nothing about later methods.
type IfRelated<S, R, Place, Q> = <Condition<S, R, Place> as WhenRelated<Q>>::Query;

/// Condition of a join, which exists only if the tables are related.
pub trait WhenRelated<Q> {
    /// The query `Q`.
    type Query;
}

impl<On, Q> WhenRelated<Q> for On {
    type Query = Q;
}

impl<Q, S> Scoped<Q, S> {
    pub(super) fn new(query: Q, workspace: WorkspaceId) -> Self {
        Self { query, workspace, joins: 0, tables: PhantomData }
    }

    /// Changes the query. The change must keep its restriction to the workspace.
    pub(crate) fn map<R, T>(self, change: impl FnOnce(Q) -> R) -> Scoped<R, T> {
        Scoped { joins: self.joins, ..Scoped::new(change(self.query), self.workspace) }
    }

    /// Returns the query without its binding, as a part of this crate's own SQL of the same workspace.
    pub(crate) fn into_query(self) -> Q {
        self.query
    }

    fn join<R, T>(self, change: impl FnOnce(Q) -> R) -> Scoped<R, T> {
        let joins = self.joins + 1;
        Scoped { joins, ..self.map(change) }
    }

    /// Narrows the query: `... AND (predicate)`.
    #[doc(alias = "where")]
    pub fn filter<P>(self, predicate: P) -> Scoped<dsl::Filter<Q, Group<P::Checked>>, S>
    where
        P: ScopedExpression<S>,
        Q: FilterDsl<Group<P::Checked>>,
    {
        self.map(|query| query.filter(Group(predicate.checked())))
    }

    /// Selects the result: columns, expressions, aggregates, or `Model::as_select()`.
    pub fn select<E>(self, selection: E) -> Scoped<dsl::Select<Q, E::Checked>, S>
    where
        E: ScopedExpression<S>,
        Q: SelectDsl<E::Checked>,
    {
        self.map(|query| query.select(selection.checked()))
    }

    /// Selects the number of rows.
    pub fn count(self) -> Scoped<dsl::Select<Q, dsl::CountStar>, S>
    where
        Q: SelectDsl<dsl::CountStar>,
    {
        self.map(|query| query.select(dsl::count_star()))
    }

    /// Sets the order and replaces an earlier one.
    pub fn order<E>(self, order: E) -> Scoped<dsl::Order<Q, E::Checked>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: OrderDsl<E::Checked>,
    {
        self.map(|query| query.order(order.checked()))
    }

    /// Sets the order, like [`order`](Self::order).
    pub fn order_by<E>(self, order: E) -> Scoped<dsl::Order<Q, E::Checked>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: OrderDsl<E::Checked>,
    {
        self.order(order)
    }

    /// Adds an expression to the order.
    pub fn then_order_by<E>(self, order: E) -> Scoped<dsl::ThenOrderBy<Q, E::Checked>, S>
    where
        E: ScopedExpression<S>,
        Q: ThenOrderDsl<E::Checked>,
    {
        self.map(|query| query.then_order_by(order.checked()))
    }

    /// Limits the result to `rows` rows.
    pub fn limit(self, rows: i64) -> Scoped<dsl::Limit<Q>, S>
    where
        Q: LimitDsl,
    {
        self.map(|query| query.limit(rows))
    }

    /// Skips `rows` rows. For pages, use [`load_page`](Self::load_page), which does not slow down on later pages.
    pub fn offset(self, rows: i64) -> Scoped<dsl::Offset<Q>, S>
    where
        Q: OffsetDsl,
    {
        self.map(|query| query.offset(rows))
    }

    /// Removes duplicate rows.
    pub fn distinct(self) -> Scoped<dsl::Distinct<Q>, S>
    where
        Q: DistinctDsl,
    {
        self.map(DistinctDsl::distinct)
    }

    /// Keeps one row for each value of the expression: the first in order.
    pub fn distinct_on<E>(self, expression: E) -> Scoped<dsl::DistinctOn<Q, E::Checked>, S>
    where
        E: ScopedExpression<S>,
        Q: DistinctOnDsl<E::Checked>,
    {
        self.map(|query| query.distinct_on(expression.checked()))
    }

    /// Groups rows for aggregates. Diesel requires it before `select`.
    pub fn group_by<E>(self, expression: E) -> Scoped<dsl::GroupBy<Q, E::Checked>, S>
    where
        E: ScopedExpression<S> + Expression,
        Q: GroupByDsl<E::Checked>,
    {
        self.map(|query| query.group_by(expression.checked()))
    }

    /// Filters the groups.
    pub fn having<P>(self, predicate: P) -> Scoped<dsl::Having<Q, Group<P::Checked>>, S>
    where
        P: ScopedExpression<S> + Expression,
        P::SqlType: BoolOrNullableBool,
        Q: HavingDsl<Group<P::Checked>>,
    {
        self.map(|query| query.having(Group(predicate.checked())))
    }

    /// Joins a tenant table or an alias of one along the declared relation, and keeps only rows with a match.
    ///
    /// The condition is always `ON a.workspace_id = b.workspace_id AND a.foreign_key = b.id`. If two tables of the
    /// query are related to `right`, the compiler can't infer which one you mean. Then name it:
    /// `.inner_join::<_, Here>(right)` means the table that was joined last, `There<Here>` the one before.
    ///
    /// ```
    /// # fn example(scope: &workspace_db::tenancy::WorkspaceScope) {
    /// use workspace_db::schema::{analytics_events, conversations, messages};
    /// use workspace_db::tenancy::{Here, InWorkspace};
    ///
    /// let of_messages = analytics_events::table.in_workspace(scope).inner_join(messages::table);
    /// // Events and messages both refer to conversations.
    /// let joined = of_messages.inner_join::<_, Here>(conversations::table);
    /// # drop(joined);
    /// # }
    /// ```
    pub fn inner_join<R, Place>(self, right: R) -> InnerJoined<Q, S, R, Place>
    where
        R: TenantSource,
        S: JoinsTo<R::Checked, Place>,
        Q: JoinWithImplicitOnClause<JoinedTable<S, R, Place>, Inner>,
    {
        const { R::IS_OF_TENANTS };
        self.join(|query| query.join_with_implicit_on_clause(right.checked().on(S::on()), Inner))
    }

    /// Joins like [`inner_join`](Self::inner_join) and keeps the rows without a match. The columns of `right` are
    /// nullable.
    pub fn left_join<R, Place>(self, right: R) -> LeftJoined<Q, S, R, Place>
    where
        R: TenantSource,
        S: JoinsTo<R::Checked, Place>,
        Q: JoinWithImplicitOnClause<JoinedTable<S, R, Place>, LeftOuter>,
    {
        const { R::IS_OF_TENANTS };
        self.join(|query| query.join_with_implicit_on_clause(right.checked().on(S::on()), LeftOuter))
    }

    /// Finds the row of this workspace with this id. The type of the id must be that of the query's table.
    ///
    /// [`first`](Self::first) returns an `is_not_found` error if this workspace has no such row, whatever others have.
    pub fn find<T>(self, id: T::Id) -> Scoped<dsl::Filter<Q, T::HasId>, S>
    where
        S: OneTable<Table = T>,
        T: IdentifiedTable,
        Q: FilterDsl<T::HasId>,
    {
        self.map(|query| query.filter(T::has_id(id)))
    }

    /// Erases the query's type, so that filters can be added conditionally.
    pub fn into_boxed<'a>(self) -> Scoped<dsl::IntoBoxed<'a, Q, Pg>, S>
    where
        Q: BoxedDsl<'a, Pg>,
    {
        self.map(BoxedDsl::internal_into_boxed)
    }

    /// Locks the rows until the transaction ends. No other transaction can change, delete or lock them. Call it last.
    pub fn for_update(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR UPDATE")
    }

    /// Locks like [`for_update`](Self::for_update), but foreign keys may still refer to the rows.
    pub fn for_no_key_update(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR NO KEY UPDATE")
    }

    /// Locks the rows against changes. Other transactions may read them and lock them with `for_share`. Call it last.
    pub fn for_share(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR SHARE")
    }

    /// Locks the rows against deletion and changes of their key. Call it last.
    pub fn for_key_share(self) -> Scoped<Locked<Q>, S> {
        self.locked(" FOR KEY SHARE")
    }

    fn locked(self, strength: &'static str) -> Scoped<Locked<Q>, S> {
        self.map(|query| Locked { query, strength, others: "" })
    }

    /// Does not compile: a query changes no rows.
    #[doc(hidden)]
    pub fn execute<C: ChangesRows>(self, connection: C) -> C::Output {
        connection.output()
    }

    /// Does not compile: an OR next to the predicate on `workspace_id` would match rows of every workspace.
    #[doc(hidden)]
    pub fn or_filter<P: LeavesTheScope>(self, predicate: P) -> P::Output {
        predicate.output()
    }

    /// Returns the workspace of the query.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Returns the SQL, with placeholders for the values.
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
    /// Skips rows that other transactions have locked, as a queue does.
    pub fn skip_locked(self) -> Self {
        self.map(|locked| Locked { others: " SKIP LOCKED", ..locked })
    }

    /// Returns an error if another transaction has locked a row, instead of waiting.
    pub fn no_wait(self) -> Self {
        self.map(|locked| Locked { others: " NOWAIT", ..locked })
    }
}

/// Table list with exactly one table, which `find`, `update`, `delete` and `insert` require.
pub trait OneTable {
    /// The table.
    type Table: TenantTable;
}

impl<T: TenantTable> OneTable for (T, ()) {
    type Table = T;
}

/// Query that locks the rows that it reads.
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

// `first` limits the query after the lock, and SQL has the limit before it.
impl<Q: LimitDsl> LimitDsl for Locked<Q> {
    type Output = Locked<Q::Output>;

    fn limit(self, rows: i64) -> Self::Output {
        let Self { query, strength, others } = self;
        Locked { query: query.limit(rows), strength, others }
    }
}

impl<Q: Query> Query for Locked<Q> {
    type SqlType = Q::SqlType;
}

impl_dynamic_query_id!(Locked<Q>);
