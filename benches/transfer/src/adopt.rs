//! The adoption of an old platform against `INSERT ... SELECT` of the same rows, from tables beside the new ones.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use workspace_db::config::DatabaseUrl;
use workspace_db_adopt::Adoption;
use workspace_db_testing::TestDatabase;

use crate::{ROUNDS, Side, peak_kb};

const PLATFORM: &str = include_str!("../../../tests/it/adopt/platform.sql");

/// A workspace with that many chunks, 50 a document.
fn rows(chunks: usize) -> String {
    format!(
        "INSERT INTO workspaces (id, slug, name) VALUES ('00000000-0000-4000-8000-000000000001', 'a', 'A');
         INSERT INTO documents (workspace_id, title) SELECT '00000000-0000-4000-8000-000000000001', 'd' || n
             FROM generate_series(1, {}) AS n;
         INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector)
             SELECT workspace_id, id, n, repeat('word' || n || ' ', 150),
                 (SELECT array_agg(sin(i * (n + ascii(right(d.title, 1))))::real) FROM generate_series(1, 1536) AS i)::vector
             FROM documents AS d, generate_series(1, 50) AS n;
         ANALYZE",
        chunks / 50
    )
}

const INSERT: &str = "
INSERT INTO public.workspaces (id, slug, name, description, default_language, is_active, is_published, confidence_threshold, created_at, updated_at)
    SELECT id, slug, name, description, default_language::text, is_active, is_published, confidence_threshold, created_at, updated_at FROM old.workspaces;
INSERT INTO public.documents (id, workspace_id, datasource_id, external_id, title, slug, summary, content_hash, metadata, status, is_published, created_at, updated_at)
    SELECT id, workspace_id, datasource_id, external_id, title, slug, summary, content_hash, metadata, status::document_status, is_published, created_at, updated_at
    FROM old.documents;
INSERT INTO public.document_chunks (id, workspace_id, document_id, chunk_index, content, token_count, embedding_model, vector, created_at)
    SELECT id, workspace_id, document_id, chunk_index, content, token_count, embedding_model, vector, created_at FROM old.document_chunks";

fn psql(database: &TestDatabase, url: &DatabaseUrl, sql: &str) {
    let status = Command::new(database.install().program("psql"))
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--command", sql, url.expose()])
        .status();
    assert!(status.expect("psql runs").success(), "{sql}");
}

pub(crate) async fn compare() {
    let chunks: usize = env::var("CHUNKS").map_or(20_000, |chunks| chunks.parse().expect("a number"));
    let old = TestDatabase::unmigrated().await.expect("a database");
    let url = old.url().expect("a URL");
    psql(&old, &url, &format!("{PLATFORM}; {}", rows(chunks)));
    let beside = TestDatabase::new().await.expect("a database");
    let superuser = beside.superuser_url().expect("a URL");
    psql(
        &beside,
        &superuser,
        &format!("CREATE SCHEMA old; SET search_path = old, public; {PLATFORM}; {}", rows(chunks)),
    );
    let [mut adoptions, mut inserts] = [const { None }; 2].map(|_: Option<()>| Side::default());
    let rounds = if env::var_os("MEMORY").is_some() { 1 } else { ROUNDS };
    for round in 0..rounds {
        eprintln!("round {round}");
        psql(&beside, &superuser, "TRUNCATE public.workspaces CASCADE; CHECKPOINT");
        let began = Instant::now();
        psql(&beside, &superuser, INSERT);
        inserts.seconds.push(began.elapsed().as_secs_f64());
        let new = TestDatabase::new().await.expect("a database");
        adoptions.child("adopt", &new.url().expect("a URL"), url.expose(), Path::new("-"));
    }
    println!("{chunks} chunks\n\n| | time | speed | peak memory |\n|---|---|---|---|");
    adoptions.row("adopt, with its comparison", Some(&inserts));
    inserts.row("INSERT ... SELECT", None);
}

/// One adoption in a process of its own.
pub(crate) async fn child(into: &str, from: &str) {
    let adoption = Adoption::new(&from.parse().expect("a URL"), &into.parse().expect("a URL"), None);
    let began = Instant::now();
    let report = adoption.run(&|_| ()).await.expect("adopted");
    assert!(report.compared.is_some(), "nobody writes there");
    println!("{} {}", began.elapsed().as_secs_f64(), peak_kb());
}
