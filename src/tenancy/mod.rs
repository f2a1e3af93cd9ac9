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
//! documents::table.in_workspace(&scope).insert(&NewDocument::new("Opening hours")).execute(&mut ws).await?;
//! let ready: Vec<Document> = documents::table
//!     .in_workspace(&scope)
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
//! | `documents::table.filter(..)` | `documents::table.in_workspace(&scope).filter(..)` |
//! | `documents::table.find((workspace, id))` | `documents::table.in_workspace(&scope).find(id)` |
//! | `insert_into(documents::table).values(&new)` | `documents::table.in_workspace(&scope).insert(&new)` |
//! | `update(documents::table.filter(..)).set(..)` | `documents::table.in_workspace(&scope).filter(..).update().set(..)` |
//! | `delete(documents::table.filter(..))` | `documents::table.in_workspace(&scope).filter(..).delete()` |
//! | `.inner_join(datasources::table)` with `joinable!` | the same, with [`relations!`](crate::relations) |
//! | `.or_filter(p)` | `.filter(a.or(p))`: the OR stays within its parentheses |
//! | `conn.transaction(..)` | `ws.transaction(async \|tx\| ..)` |
//! | raw SQL | `ws.under_row_security("why", async \|conn\| ..)` |
//!
//! Two independent barriers keep a query in its workspace. The first is the type system: a [`WorkspaceConnection`]
//! runs only [`Scoped`] queries, and no method of such a query can widen it. The second is PostgreSQL: row-level
//! security is forced on every table. It applies to a role that sees only the workspace that the transaction has set.

mod access;
mod async_func;
mod bulk;
mod call;
mod connection;
mod connection_errors;
mod connection_quota;
mod cte;
mod database;
mod expression;
mod fragment;
mod grant;
mod inspection;
mod macro_marker;
mod notify;
mod page;
mod query;
mod raw;
mod raw_transaction;
mod registry;
mod relation;
mod rows;
mod run;
mod scope;
mod session;
mod sql_lexer;
mod subquery;
mod table;
mod write;

pub use self::access::{Access, AccessLevel, Administer, MayWrite, Read, Write};
pub use self::async_func::AsyncFunc;
#[cfg(feature = "transfer")]
pub(crate) use self::bulk::BulkConnection;
pub(crate) use self::call::FunctionCall;
pub use self::connection::{RunsUnscopedQueries, WorkspaceConnection};
pub(crate) use self::cte::StatementSettings;
pub use self::database::Database;
pub use self::expression::{
    Excluded, Group, LeavesTheWorkspace, ScopedExpression, Settable, Tables, TakesUnscopedSubqueries, Within, excluded,
};
pub use self::fragment::{
    ConflictAction, Delete, DoNothing, OnConflict, Prepared, Returning, ReturnsNothing, ReturnsRows, Set,
    TargetCondition, Update,
};
pub use self::grant::Actor;
pub(crate) use self::grant::{Credential, admin_may_enter, lease_is_over, token_is_valid};
#[doc(hidden)]
pub use self::macro_marker::{MacroMarker, is_same_name, macro_marker};
pub use self::page::{Before, Keyset, Page, PageKey, PageOf};
pub use self::query::{InnerJoined, LeavesTheScope, LeftJoined, Locked, OneTable, Scoped};
pub use self::raw::RawConnection;
pub use self::registry::TENANT_TABLES;
pub use self::relation::{Here, JoinsTo, RelatedTo, There};
pub use self::rows::{Changes, ConflictTarget, NewRow, NewRows, WithWorkspace};
pub use self::run::{LoadsAs, OptionalRow};
pub(crate) use self::run::{load_each, load_readable};
pub(crate) use self::scope::DatabaseToken;
pub use self::scope::{PlatformScope, ProvesWorkspace, WorkspaceScope};
pub use self::subquery::Subquery;
pub use self::table::{IdentifiedTable, InWorkspace, TenantTable, WritableTable};
pub use self::write::{DoUpdate, ScopedStatement, ScopedUpdate, Upsert};
