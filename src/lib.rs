//! The data layer of a multi-tenant AI workspace platform: PostgreSQL with pgvector, on Diesel.
//!
//! # Where to find things
//!
//! | you want to | look at |
//! |---|---|
//! | write a query | [`tenancy`]; [`schema`] for tables and columns, [`models`] for rows |
//! | migrate, make logins | [`db::migrations`], [`db::roles`] |
//! | know whether a database is fit to be used | [`mod@doctor`], [`db::catalog`] |
//! | store or compare a vector | [`sql_types::Embedding`], [`sql_types::VectorExpressionMethods`] |
//! | make vectors of texts | [`embeddings`] |
//! | let administrators and services in, make and publish workspaces | [`auth`] |
//! | let go of what was kept long enough | [`retention`] |
//! | bring files into a workspace | [`mod@ingest`] |
//! | load documents that have vectors already | [`mod@load`] |
//! | find passages | [`mod@search`] |
//! | go over to another embedding model | [`mod@reembed`] |
//! | come from the TypeScript package | [`mod@adopt`] |
//! | take a workspace's rows out, in, away or elsewhere | [`mod@transfer`] |
//! | keep searches fast, and know what they miss | [`indexes`] |
//! | look at the data in a browser | [`studio`] |
//! | keep ids apart | [`id`] |
//! | have PostgreSQL without installing it | [`embedded`] |
//! | test your own queries | [`testing`] |
//! | know what went wrong | [`Error`] and its predicates |
//!
//! # A query
//!
//! ```no_run
//! use diesel::prelude::*;
//! use workspace_db::models::Document;
//! use workspace_db::schema::documents;
//! use workspace_db::sql_types::DocumentStatus;
//! use workspace_db::tenancy::{Database, InWorkspace};
//!
//! # async fn example(db: Database) -> workspace_db::Result<()> {
//! let scope = db.published("acme").await?;
//! let mut ws = db.workspace(&scope).await?;
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
//! # How to read the compile errors
//!
//! - `only a query that is scoped runs on a WorkspaceConnection`, or ``LoadConnection` is not implemented for
//!   `WorkspaceConnection``: `in_workspace(&scope)` is missing behind the table.
//! - ``Within<..>: AppearsInFromClause<..>``: a column of a table that is not joined.
//! - ``dyn QueryFragment<Pg> + Send` cannot be shared between threads``: a boxed subquery; give it a scope instead.
//! - `multiple applicable items in scope` at `.load` or `.execute`: import `diesel_async::RunQueryDsl` by name, next to
//!   `diesel::prelude::*`; an `as _` import leaves both in reach.
//! - ``AsExpression<Vector>` is not implemented`` at a distance: the other side is no [`sql_types::Embedding`].
//! - `expected ConversationId, found WorkspaceId`: an id of another table.
//!
//! # Features
//!
//! Everything that the binary needs is on by default. A library starts from `default-features = false` and adds
//! `embedded` (the server), `ingest` (files), `openai` (embeddings over HTTP), `transfer` (archives of workspaces),
//! `adopt` (the old package's database), `studio` (the web inspector) or `testing` (databases for tests).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExamples;
#[cfg(doctest)]
#[doc = include_str!("../docs/deploying/embedded.md")]
struct Deploying;

#[cfg(feature = "adopt")]
pub mod adopt;
pub mod auth;
pub mod config;
pub mod db;
pub mod doctor;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod embeddings;
pub mod error;
pub mod id;
pub mod indexes;
#[cfg(feature = "ingest")]
pub mod ingest;
pub mod jobs;
pub mod load;
pub mod models;
#[cfg(any(feature = "transfer", feature = "adopt"))]
#[cfg_attr(not(feature = "transfer"), expect(unreachable_pub, reason = "the command line needs it with transfer"))]
mod new_file;
pub mod reembed;
pub mod retention;
/// The tables as Diesel knows them, made by `diesel print-schema` from a migrated database; its docs are the comments.
#[allow(clippy::wildcard_imports, reason = "made by `diesel print-schema`")]
pub mod schema;
pub mod search;
pub mod sql_types;
#[cfg(feature = "studio")]
pub mod studio;
pub mod tenancy;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "transfer")]
pub mod transfer;
mod unreadable;
mod words;

pub use error::{Error, Result};
pub use unreadable::{Readable, UnreadableRow};

/// What this crate's macros write into other crates.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "transfer")]
    pub use crate::new_file::NewFile;
    pub use diesel_derive_newtype::DieselNewType;
    pub use serde;
    pub use uuid::Uuid;
}
