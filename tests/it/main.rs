//! The one integration binary. Modules mirror `src/`.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends by panicking")]

mod adopt;
mod auth;
mod bootstrap;
mod catalog;
mod cli;
mod db;
mod disk;
mod doctor;
mod embedded;
mod embeddings;
mod folder;
mod generate;
mod indexes;
mod ingest;
mod jobs;
mod layers;
mod load;
mod migrations;
mod models;
mod odd;
mod reembed;
mod roles;
mod search;
mod sql_types;
mod studio;
mod tenancy;
mod transfer;

use std::io::Write as _;

/// Says that a test could not do its work here. Not by `eprintln`, which the test harness keeps to itself.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
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
