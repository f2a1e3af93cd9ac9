//! Killed anywhere, and run again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use workspace_db_testing::TestDatabase;

use super::round_trip::tables;
use super::{Fixture, RECEIPT_KEY, rows};
use crate::cli::Shell;

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn chunks(conn: &mut AsyncPgConnection) -> i64 {
    let query = diesel::sql_query("SELECT count(*) AS count FROM document_chunks");
    query.get_result::<Count>(conn).await.unwrap().count
}

/// A workspace whose chunks fill several files of an archive.
pub(super) async fn large() -> Fixture {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector)
         SELECT '{}', '{}', n, 'chunk ' || n, (SELECT array_agg(sin(i * n)::real) FROM generate_series(1, 1536) AS i)::vector
         FROM generate_series(1, 4500) AS n",
        fixture.a.workspace, fixture.a.document
    ))
    .await
    .unwrap();
    fixture
}

/// Waits until the condition is met, or the process has ended.
async fn until(child: &mut Child, mut is_met: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_met().await && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "neither in 60 s");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn start(shell: &Shell, arguments: &[&str]) -> Child {
    shell.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_killed() {
    let fixture = large().await;
    let exported = fixture.export("a.tar").await.unwrap();
    assert!(exported.tables.iter().any(|table| table.parts.len() > 3), "{exported:?}");
    let before = fixture.rows(fixture.a.workspace).await;
    fixture.erase().await.unwrap();
    let shell = Shell::for_database(&fixture.database);
    let path = fixture.path("a.tar");
    let import = ["workspace", "import", path.to_str().unwrap(), "--with-jobs"];
    let mut conn = fixture.database.connect().await.unwrap();
    let (mut kills, mut last) = (0, 1);
    // After each file, and before the first.
    loop {
        let mut child = start(&shell, &import);
        until(&mut child, async || chunks(&mut conn).await > last).await;
        if child.try_wait().unwrap().is_some() {
            break;
        }
        if kills == 3 && !crate::is_long() {
            assert!(child.wait().unwrap().success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // The server may still be at what it was told last.
        let idle = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND state <> 'idle' AND pid <> pg_backend_pid() AND query ~ 'workspace_db_transfer') AS met";
        crate::until(&mut conn, idle).await;
        last = chunks(&mut conn).await;
        assert!(fixture.db.published("a").await.is_err(), "half a workspace is out of use");
    }
    assert!(kills >= 3, "{kills}");
    let report = shell.fails(&import, 7);
    assert!(report.contains("already exists"), "{report}");
    assert_eq!(fixture.rows(fixture.a.workspace).await, super::imported(before));
    assert_eq!(tables(&fixture.export("again.tar").await.unwrap()), tables(&exported));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_archive_does_not_go_on_with_what_one_began() {
    let fixture = large().await;
    fixture.export("a.tar").await.unwrap();
    fixture.export("other.tar").await.unwrap();
    fixture.erase().await.unwrap();
    let shell = Shell::for_database(&fixture.database);
    let mut conn = fixture.database.connect().await.unwrap();
    let mut child = start(&shell, &["workspace", "import", fixture.path("a.tar").to_str().unwrap()]);
    until(&mut child, async || chunks(&mut conn).await > 1).await;
    // It holds the lock for as long as it lives, and does nothing meanwhile.
    let stop = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap();
    assert!(stop.success());
    let meanwhile = fixture.import("a.tar").await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(meanwhile.unwrap_err().to_string().contains("another import"));
    let error = fixture.import("other.tar").await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("already exists"), "{error}");
    let receipt = fixture.erase().await.unwrap();
    assert!(receipt.tables.values().all(|rows| rows.left == 0));
    fixture.import("other.tar").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_goes_on_where_it_was_killed_and_its_receipt_has_all() {
    let fixture = large().await;
    let before = fixture.rows(fixture.a.workspace).await;
    let mut conn = fixture.database.connect().await.unwrap();
    // So that several batches are needed.
    conn.batch_execute(&format!(
        "INSERT INTO analytics_events (workspace_id, event_type) SELECT '{}', 'x' FROM generate_series(1, 12000)",
        fixture.a.workspace
    ))
    .await
    .unwrap();
    let shell = Shell::for_database(&fixture.database).with("WORKSPACE_DB_RECEIPT_KEY", RECEIPT_KEY);
    let events = async |conn: &mut AsyncPgConnection| {
        let query = diesel::sql_query("SELECT count(*) AS count FROM analytics_events");
        query.get_result::<Count>(conn).await.unwrap().count
    };
    let erase = ["workspace", "erase", "a", "--receipt", "receipt.json"];
    for _ in 0..2 {
        let last = events(&mut conn).await;
        let mut child = start(&shell, &erase);
        until(&mut child, async || events(&mut conn).await < last).await;
        child.kill().unwrap();
        child.wait().unwrap();
        // What was opened for the receipt is not removed by who is killed.
        let _ = std::fs::remove_file(shell.path("receipt.json"));
    }
    let said = shell.run(&erase);
    assert_eq!(said.code, 0, "{}", said.err);
    let receipt = shell.json(&["workspace", "verify-receipt", "receipt.json", "--key", &super::key().public()]);
    assert_eq!(receipt["tables"]["analytics_events"]["before"], 12_001);
    assert_eq!(receipt["tables"]["document_chunks"]["before"], before["document_chunks"].count);
    assert!(fixture.rows(fixture.a.workspace).await.values().all(|rows| rows.count == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_goes_on_where_it_was_killed() {
    let (fixture, other) = (large().await, TestDatabase::new().await.unwrap());
    let mut before = fixture.rows(fixture.a.workspace).await;
    let shell = Shell::for_database(&fixture.database)
        .with("WORKSPACE_DB_RECEIPT_KEY", RECEIPT_KEY)
        .with("WORKSPACE_DB_MOVE_TO", other.url().unwrap().expose());
    let (mut source, mut target) = (fixture.database.connect().await.unwrap(), other.connect().await.unwrap());
    let id = fixture.a.workspace.to_string();
    let relocate = ["workspace", "move", &id, "--archive", "a.tar", "--receipt", "receipt.json"];
    let clean_up = || drop(std::fs::remove_file(shell.path("receipt.json")));
    // While it is exported, imported, and erased.
    let mut child = start(&shell, &relocate);
    until(&mut child, async || !super::partials(&shell.path("")).is_empty()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    clean_up();
    let mut child = start(&shell, &relocate);
    until(&mut child, async || chunks(&mut target).await > 0).await;
    child.kill().unwrap();
    child.wait().unwrap();
    clean_up();
    assert_eq!(chunks(&mut source).await, 4_502);
    let mut child = start(&shell, &relocate);
    until(&mut child, async || chunks(&mut source).await < 4_502).await;
    child.kill().unwrap();
    child.wait().unwrap();
    clean_up();
    let said = shell.run(&relocate);
    assert_eq!(said.code, 0, "{}", said.err);
    let mut after = rows(&mut target, fixture.a.workspace).await;
    assert_eq!(after.remove("workspaces").unwrap().count, before.remove("workspaces").unwrap().count);
    for table in ["feedback", "workspace_admins"] {
        assert_eq!(after[table].count, before[table].count);
    }
    // No token was brought, and nobody has joined there.
    assert_eq!(after.remove("workspace_admins").unwrap().count, before.remove("workspace_admins").unwrap().count);
    assert_eq!(after, super::imported(before));
    assert!(fixture.rows(fixture.a.workspace).await.values().all(|rows| rows.count == 0));
}
