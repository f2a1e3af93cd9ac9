//! The one integration binary. Modules mirror `src/` and `crates/`.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends by panicking")]

mod adopt;
mod auth;
mod bootstrap;
mod catalog;
mod cli;
mod config;
mod conversations;
mod db;
mod disk;
mod docs;
mod doctor;
mod edge_cases;
mod embedded;
mod embeddings;
mod folder;
mod generate;
mod indexes;
mod ingest;
mod ingest_texts;
mod init;
mod jobs;
mod layers;
mod load;
mod migrations;
mod models;
mod reembed;
mod rings;
mod roles;
mod search;
mod sql_types;
mod static_embeddings;
mod studio;
mod tenancy;
mod transfer;

use std::io::Write as _;
use std::path::Path;

/// The root of the repository. Cargo runs this binary for crates/cli, since it needs the command line.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Says that a test could not do its work here. Not by `eprintln`, which the test harness keeps to itself.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Returns true for the long versions of the tests, as CI runs them: `WORKSPACE_DB_LONG_TESTS=1`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("WORKSPACE_DB_LONG_TESTS").is_some_and(|value| value == "1")
}

/// The value of a variable, or the default of the short or the long version of a test.
pub(crate) fn size(variable: &str, short: u64, long: u64) -> u64 {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(if is_long() { long } else { short })
}

/// The seed of random inputs: `WORKSPACE_DB_SEED`, printed so that a failed run can be repeated.
pub(crate) fn seed_of(otherwise: u64) -> u64 {
    let seed = size("WORKSPACE_DB_SEED", otherwise, otherwise);
    println!("WORKSPACE_DB_SEED={seed}");
    seed
}

/// Generates the same cases in each run, unless `WORKSPACE_DB_SEED` is set; a failure prints the smallest input.
pub(crate) fn generator(seed: u64, cases: u32) -> proptest::test_runner::TestRunner {
    proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(seed_of(seed)),
        ..Default::default()
    })
}

/// Asks until the condition is met; ten seconds are an eternity for what is asked here.
pub(crate) async fn until(conn: &mut diesel_async::AsyncPgConnection, condition: &str) {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        met: bool,
    }
    let asking = async {
        while !diesel_async::RunQueryDsl::get_result::<Row>(diesel::sql_query(condition), conn).await.unwrap().met {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), asking).await.expect("the condition was not met in 10 s");
}
