//! Queries that are bound to one workspace, and the statements that change its rows.
//!
//! From the bottom up: `table`, `relation` and `rows` state what a tenant table is, what joins it and what may be
//! written to it. `operand` states the operands of a distance to a column. `expression` states what may stand in a query. `scoped` is the query with its methods, and
//! `in_workspace` begins it. `related` and `combined` join it with another scoped query. `run`, `page` and `cursor` send it; `write` sends the statements whose SQL is in `fragment`,
//! `insert_select` and `update_from`. `call` calls this crate's own functions in the database.

mod call;
mod combined;
mod cursor;
mod dynamic_query_id;
mod expression;
mod fragment;
mod in_workspace;
mod insert_select;
mod operand;
mod page;
mod page_order;
mod related;
mod relation;
mod rows;
mod run;
mod scoped;
mod subquery;
mod table;
mod update_from;
mod write;

pub(crate) use self::call::{FunctionCall, load_in};
pub use self::cursor::{AfterKey, Cursor, CursorPage, CursorPageOf};
pub use self::expression::{Excluded, Group, ScopedExpression, Settable, Tables, Within, excluded};
pub use self::fragment::{
    ConflictAction, Delete, DoNothing, FilteredSet, InsertsRows, OnConflict, Prepared, Returning, ReturnsNothing,
    ReturnsRows, Set, TargetCondition, Update,
};
pub use self::in_workspace::InWorkspace;
pub use self::insert_select::{InsertColumns, InsertSelect};
pub use self::operand::VectorOperand;
#[doc(hidden)]
pub use self::operand::{OfEmbedding, OfExpression};
pub use self::page::{AfterPageKey, Keyset, NewestFirst, Page, PageKey, PageKeyValues, PageOf};
pub use self::page_order::{
    AfterCursor, ColumnTraits, ColumnsOf, InOrder, KeyOf, KeyValues, MayBeNull, MayBeNullMark, OrderColumn, PageOrder,
    PagePlace, SelectableColumnsOf, ascending, descending,
};
pub use self::related::{Existence, RelatedRows, ScalarSubquery, WithRelated};
pub use self::relation::{Here, JoinsTo, RelatedTo, There};
pub use self::rows::{Changes, ConflictTarget, NewRow, NewRows, WithWorkspace};
pub use self::run::OptionalRow;
pub use self::scoped::{InnerJoined, JoinedTable, LeftJoined, Locked, OneTable, Scoped, WhenRelated};
pub use self::subquery::{InnerQuery, Subquery};
pub use self::table::{IdentifiedTable, TenantSource, TenantTable, WritableTable};
pub use self::update_from::{
    AndPredicate, Joined, NoPredicate, ScopedUpdateFrom, UpdateFrom, UpdatedFrom, joined, joined_alias,
};
pub use self::write::{DoUpdate, Inserted, ScopedStatement, ScopedUpdate, Upsert};
