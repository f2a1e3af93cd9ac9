//! The data layer of a multi-tenant AI workspace platform: PostgreSQL with pgvector, on Diesel.
//!
//! # Where to find things
//!
//! | you want to | look at |
//! |---|---|
//! | connect, pool, migrate | [`db`], [`db::migrations`] |
//! | write a query | [`schema`] for tables and columns, [`models`] for rows |
//! | store or compare a vector | [`sql_types::Embedding`], [`sql_types::VectorExpressionMethods`] |
//! | make vectors of texts | [`embeddings`] |
//! | bring files into a workspace | [`mod@ingest`] |
//! | find passages | [`mod@search`] |
//! | keep ids apart | [`id`] |
//! | have PostgreSQL without installing it | [`embedded`] |
//! | test your own queries | [`testing`] |
//! | know what went wrong | [`Error`] and its predicates |
//!
//! # A typed query
//!
//! ```no_run
//! use diesel::prelude::*;
//! use diesel_async::RunQueryDsl;
//! use workspace_db::db;
//! use workspace_db::models::{Document, Workspace};
//! use workspace_db::schema::documents;
//! use workspace_db::sql_types::DocumentStatus;
//!
//! # async fn example() -> workspace_db::Result<()> {
//! let pool = db::pool(&"postgres://app@localhost/platform".parse()?, 8)?;
//! let mut conn = pool.get().await?;
//! let acme = Workspace::find_by_slug(&mut conn, "acme").await?;
//! let ready: Vec<Document> = Document::query()
//!     .filter(documents::workspace_id.eq(acme.id))
//!     .filter(documents::status.eq(DocumentStatus::Ready))
//!     .order(documents::created_at.desc())
//!     .limit(50)
//!     .load(&mut conn)
//!     .await?;
//! # drop(ready);
//! # Ok(())
//! # }
//! ```
//!
//! # How to read the compile errors
//!
//! - `multiple applicable items in scope` at `.load` or `.execute`: import `diesel_async::RunQueryDsl` by name, next to
//!   `diesel::prelude::*`; an `as _` import leaves both in reach.
//! - ``AsExpression<Vector>` is not implemented`` at a distance: the other side is no [`sql_types::Embedding`].
//! - `expected ConversationId, found WorkspaceId`: an id of another table.
//!
//! # Features
//!
//! Everything that the binary needs is on by default. A library starts from `default-features = false` and adds
//! `embedded` (the server), `ingest` (files), `openai` (embeddings over HTTP) or `testing` (databases for tests).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExamples;

pub mod config;
pub mod db;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod embeddings;
pub mod error;
pub mod id;
#[cfg(feature = "ingest")]
pub mod ingest;
pub mod models;
/// The tables as Diesel knows them, made by `diesel print-schema` from a migrated database; its docs are the comments.
#[allow(clippy::wildcard_imports, reason = "made by `diesel print-schema`")]
pub mod schema;
pub mod search;
pub mod sql_types;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, Result};
