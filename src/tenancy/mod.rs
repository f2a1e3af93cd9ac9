//! Queries that can't leave their workspace, on connections that enforce the same limit.
//!
//! # How do I query?
//!
//! ```no_run
//! use diesel::prelude::*;
//! use workspace_db::models::{Document, NewDocument};
//! use workspace_db::schema::documents;
//! use workspace_db::sql_types::DocumentStatus;
//! use workspace_db::tenancy::{Database, InWorkspace, WorkspaceScope};
//!
//! # async fn example(db: Database, scope: WorkspaceScope) -> workspace_db::Result<()> {
//! let mut ws = db.workspace(&scope).await?;
//! documents::table.in_workspace(&ws).insert(&NewDocument::new("Opening hours")).execute(&mut ws).await?;
//! let ready: Vec<Document> = documents::table
//!     .in_workspace(&ws)
//!     .filter(documents::status.eq(DocumentStatus::Ready))
//!     .order(documents::created_at.desc())
//!     .limit(50)
//!     .load(&mut ws)
//!     .await?;
//! # drop(ready);
//! # Ok(())
//! # }
//! ```
//!
//! | Diesel | this crate |
//! |---|---|
//! | `documents::table.filter(..)` | `documents::table.in_workspace(&ws).filter(..)` |
//! | `documents::table.find((workspace, id))` | `documents::table.in_workspace(&ws).find(id)` |
//! | `insert_into(documents::table).values(&new)` | `documents::table.in_workspace(&ws).insert(&new)` |
//! | `update(documents::table.filter(..)).set(..)` | `documents::table.in_workspace(&ws).filter(..).update().set(..)` |
//! | `delete(documents::table.filter(..))` | `documents::table.in_workspace(&ws).filter(..).delete()` |
//! | `.inner_join(datasources::table)` with `joinable!` | the same, with [`relations!`](crate::relations) |
//! | `.filter(exists(..))` on a related table | `.filter_exists(document_chunks::table.in_workspace(&ws).filter(..))`, `.filter_not_exists(..)` |
//! | `insert_into(documents::table).values(query).into_columns(..)` | `documents::table.in_workspace(&ws).insert_select((documents::title,), query)` |
//! | `.on_conflict(..).do_update().set(..).filter(..)` | the same |
//! | `UPDATE ... FROM` in raw SQL | `documents::table.in_workspace(&ws).update().from(datasources::table).set(documents::title.eq(joined(datasources::name)))` |
//! | `alias!` for two keys to one table or a key to the own table | the same, with the alias in [`relations!`](crate::relations) |
//! | `.single_value()`, `.union(..)`, `.union_all(..)`, `.intersect(..)`, `.except(..)` | the same, of two scoped queries |
//! | a page by `.order((documents::title, documents::id))` and `.offset(..)` | `.load_page_by(&mut ws, (ascending(documents::title), ascending(documents::id)), cursor, 50, key)` |
//! | `.or_filter(p)` | `.filter(a.or(p))`: the OR stays within its parentheses |
//! | `conn.transaction(..)` | `ws.transaction(async \|tx\| ..)` |
//! | raw SQL | `ws.under_row_security("why", async \|conn\| ..)` |
//!
//! Two independent barriers keep a query in its workspace. The first is the type system: a [`WorkspaceConnection`]
//! runs only [`Scoped`] queries, and no method of such a query can widen it. The second is PostgreSQL: row-level
//! security is forced on every table. It applies to a role that sees only the workspace that the transaction has set.

mod access;
mod compile_errors;
mod connection;
mod credential;
mod grant;
mod inspection;
mod macros;
mod published;
mod query;
mod registry;
mod scope;

pub use self::access::{Access, AccessLevel, Administer, MayWrite, Read, Write};
pub use self::compile_errors::{
    ChangesRows, ComesAfterSet, ComesBeforeSet, LeavesTheScope, LeavesTheWorkspace, RunsUnscopedQueries,
    TakesUnscopedSubqueries,
};
#[doc(hidden)]
pub use self::compile_errors::{MacroMarker, is_same_name, macro_marker};
#[cfg(feature = "transfer")]
pub(crate) use self::connection::BulkConnection;
pub use self::connection::{
    AsyncFunc, Database, Isolation, LoadsAs, PlatformExecutor, RawConnection, TransactionOptions, WorkspaceConnection,
};
pub(crate) use self::connection::{StatementSettings, load_each, load_readable};
pub use self::credential::Actor;
pub(crate) use self::credential::{Credential, not_a_superadmin};
pub use self::query::{
    AfterCursor, AfterKey, AfterPageKey, AndPredicate, Changes, ColumnTraits, ColumnsOf, ConflictAction,
    ConflictTarget, Cursor, CursorPage, CursorPageOf, Delete, DoNothing, DoUpdate, Excluded, Existence, FilteredSet,
    Group, Here, IdentifiedTable, InOrder, InWorkspace, InnerJoined, InnerQuery, InsertColumns, InsertSelect, Inserted,
    InsertsRows, Joined, JoinedTable, JoinsTo, KeyOf, KeyValues, Keyset, LeftJoined, Locked, MayBeNull, MayBeNullMark,
    NewRow, NewRows, NewestFirst, NoPredicate, OnConflict, OneTable, OptionalRow, OrderColumn, Page, PageKey,
    PageKeyValues, PageOf, PageOrder, PagePlace, Prepared, RelatedRows, RelatedTo, Returning, ReturnsNothing,
    ReturnsRows, ScalarSubquery, Scoped, ScopedExpression, ScopedStatement, ScopedUpdate, ScopedUpdateFrom,
    SelectableColumnsOf, Set, Settable, Subquery, Tables, TargetCondition, TenantSource, TenantTable, There, Update,
    UpdateFrom, UpdatedFrom, Upsert, VectorOperand, WhenRelated, WithRelated, WithWorkspace, Within, WritableTable,
    ascending, descending, excluded, joined, joined_alias,
};
pub(crate) use self::query::{FunctionCall, load_in};
#[doc(hidden)]
pub use self::query::{OfEmbedding, OfExpression};
pub use self::registry::TENANT_TABLES;
pub(crate) use self::scope::DatabaseToken;
pub use self::scope::{PlatformScope, ProvesWorkspace, WorkspaceScope};
