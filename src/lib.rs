//! The data layer of a multi-tenant AI workspace platform: PostgreSQL with pgvector, on Diesel.
//!
//! # Use it
//!
//! ```toml
//! [dependencies]
//! workspace-db = { path = "../workspace-db" }
//! diesel = { version = "~2.3.14", default-features = false, features = ["postgres_backend"] }
//! serde = { version = "1", features = ["derive"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//!
//! [dev-dependencies]
//! workspace-db-testing = { path = "../workspace-db/crates/testing" }
//! ```
//!
//! The crates are not published yet: the paths are those of a clone of the repository beside your crate. `workspace-db init`
//! adds these lines and a first table of your own. The crates whose types are in the public API are re-exported: [`diesel`],
//! [`diesel_async`], [`chrono`], [`uuid`], [`serde_json`], [`secrecy`] and [`tokio_postgres`].
//!
//! # Where to find things
//!
//! | you want to | look at |
//! |---|---|
//! | learn the crate step by step | [`guide`] |
//! | write a query | [`tenancy`]; [`schema`] for tables and columns, [`models`] for rows |
//! | read settings from the environment | [`config`] |
//! | run migrations, create logins | [`db::migrations`], [`db::roles`] |
//! | check if a database is ready for use | [`mod@doctor`], [`db::catalog`] |
//! | store or compare a vector | [`sql_types::Embedding`], [`sql_types::VectorExpressionMethods`] |
//! | embed texts | [`embeddings`] |
//! | authenticate administrators and services, create and publish workspaces | [`auth`] |
//! | run background jobs | [`jobs`] |
//! | delete rows after their retention period | [`retention`] |
//! | load documents that already have vectors | [`mod@load`] |
//! | search passages | [`mod@search`] |
//! | switch to another embedding model | [`mod@reembed`] |
//! | export, import, erase or move a workspace's rows | [`mod@transfer`] |
//! | keep searches fast, and measure what they miss | [`indexes`] |
//! | use typed ids | [`id`] |
//! | handle errors | [`Error`] and its predicates, [`mod@error`] |
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
//! # How to read the compile errors
//!
//! - `only a query that is scoped runs on a WorkspaceConnection`, or ``LoadConnection` is not implemented for
//!   `WorkspaceConnection``: `in_workspace(&ws)` is missing after the table.
//! - ``Within<..>: AppearsInFromClause<..>``: a column of a table that is not joined.
//! - ``dyn QueryFragment<Pg> + Send` cannot be shared between threads``: a boxed subquery; give it a scope instead.
//! - `multiple applicable items in scope` at `.load` or `.execute`: import `diesel_async::RunQueryDsl` by name, next to
//!   `diesel::prelude::*`; an `as _` import leaves both in scope.
//! - ``AsExpression<Vector>` is not implemented`` at a distance: the other side is not an [`sql_types::Embedding`].
//! - `expected ConversationId, found WorkspaceId`: an id of another table.
//!
//! # Features
//!
//! No feature is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `openai` | [`embeddings::OpenAiEmbeddings`], embeddings over HTTP, and [`reranking::RerankEndpoint`] |
//! | `transfer` | [`mod@transfer`], archives of workspaces |
//!
//! # Crates around this one
//!
//! They use the public API of this crate, as your program does.
//!
//! | crate | adds |
//! |---|---|
//! | `workspace-db-testing` | databases, seeds and the conformance suite for your tests |
//! | `workspace-db-embedded` | PostgreSQL with pgvector for a laptop, without an installation |
//! | `workspace-db-ingest` | files into documents and chunks |
//! | `workspace-db-studio` | the web inspector |
//! | `workspace-db-adopt` | the takeover of the TypeScript package's database |
//! | `workspace-db-cli` | the command line `workspace-db` |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExamples;
#[cfg(doctest)]
#[doc = include_str!("../docs/deploying/embedded.md")]
struct Deploying;

pub mod auth;
pub mod config;
pub mod conversations;
pub mod db;
pub mod doctor;
pub mod embeddings;
pub mod error;
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod id;
pub mod indexes;
pub mod jobs;
pub mod load;
#[cfg(feature = "openai")]
mod model_endpoint;
pub mod models;
pub mod noun;
pub mod reembed;
pub mod reranking;
pub mod retention;
/// The tables for Diesel, generated by `diesel print-schema` from a migrated database; the docs are its comments.
#[allow(clippy::wildcard_imports, reason = "made by `diesel print-schema`")]
pub mod schema;
pub mod search;
pub mod sql_types;
pub mod tenancy;
#[cfg(feature = "transfer")]
pub mod transfer;
mod unreadable;
mod words;

/// Crates whose types are in the public API. Use these re-exports, or the same versions.
pub use {bigdecimal, chrono, diesel, diesel_async, secrecy, serde_json, tokio_postgres, uuid};

pub use error::{Error, ErrorKind, Result};
pub use unreadable::{Readable, UnreadableRow};

/// Items that this crate's macros use in other crates.
#[doc(hidden)]
pub mod __private {
    pub use crate::sql_types::not_a_label;
    pub use diesel_derive_newtype::DieselNewType;
    pub use serde;
    pub use uuid::Uuid;
}
