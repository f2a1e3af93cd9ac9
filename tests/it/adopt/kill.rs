//! Killed anywhere, and from a shell.

use std::process::Stdio;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;

use super::{Fixture, SECRET_KEY, count};
use crate::cli::Shell;

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_goes_on_where_it_was_killed() {
    let fixture = Fixture::with_every_fault().await;
    fixture
        .there()
        .await
        .batch_execute(
            "INSERT INTO messages (workspace_id, conversation_id, role, content) SELECT w(2), w(2), 'user', 'm' || n FROM generate_series(1, 30000) AS n;
             INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector) SELECT w(2), w(4), n, 'c', v(n) FROM generate_series(10, 7000) AS n",
        )
        .await
        .unwrap();
    let shell = Shell::for_database(&fixture.new)
        .with("WORKSPACE_DB_ADOPT_FROM", fixture.old.url().unwrap().expose())
        .with("WORKSPACE_DB_SECRET_KEY", SECRET_KEY);
    let mut here = fixture.here().await;
    let (mut kills, mut last) = (0, 0);
    for table in ["document_chunks", "document_chunks", "document_chunks", "messages", "messages", "messages"] {
        let mut child = shell.command(&["adopt"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while count(&mut here, table).await <= last && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "nothing was copied within 60 s");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        last = count(&mut here, table).await;
    }
    assert!(kills >= 4, "{kills}");
    let said = shell.run(&["adopt", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let chunks = report["compared"].as_array().unwrap().iter().find(|one| one["table"] == "document_chunks").unwrap();
    assert_eq!((chunks["same"].as_u64(), chunks["set_aside"].as_u64()), (Some(6_993), Some(4)));

    let plan = shell.succeed(&["adopt", "--plan"]);
    assert!(plan.contains("set aside    1 jobs: no workspace"), "{plan}");
    assert!(shell.fails(&["adopt", "--finish", "aside.jsonl"], 7).contains("--switch"));
    let switched = shell.succeed(&["adopt", "--switch"]);
    assert!(switched.contains("writers were blocked for"), "{switched}");
    assert!(shell.succeed(&["adopt", "--finish", "aside.jsonl"]).contains("aside.jsonl"));
    assert!(shell.path("aside.jsonl").exists());
}
