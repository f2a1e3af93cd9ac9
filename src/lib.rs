//! x
#![allow(missing_docs)]
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
#[allow(clippy::wildcard_imports, reason = "made by `diesel print-schema`")]
pub mod schema;
pub mod search;
pub mod sql_types;
#[cfg(feature = "testing")]
pub mod testing;
pub use error::{Error, Result};
