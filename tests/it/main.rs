//! The one integration binary. Modules mirror `src/`.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends by panicking")]

mod bootstrap;
mod catalog;
mod cli;
mod db;
mod embedded;
mod embeddings;
mod folder;
mod ingest;
mod layers;
mod migrations;
mod models;
mod roles;
mod search;
mod sql_types;
mod tenancy;

use std::io::Write as _;

/// Says that a test could not do its work here. Not by `eprintln`, which the test harness keeps to itself.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
