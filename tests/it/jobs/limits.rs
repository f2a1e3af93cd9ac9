//! Limits that are the same on every way of a value into the table.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use serde_json::json;
use workspace_db::config::Environment;
use workspace_db::db::migrations::{Migrator, RevertCount};
use workspace_db::jobs::{self, Outcome, RunningJob, enqueue};
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{PlatformScope, WorkspaceScope};
use workspace_db::transfer::{ImportOptions, export, import};

use super::{Fixture, Write};
use crate::folder::Folder;

/// Arguments whose text has that many bytes, and compresses to a hundredth.
fn payload(bytes: usize) -> String {
    let frame = json!({ "title": "" }).to_string().len() + 1;
    format!("jsonb_build_object('title', repeat('a', {}))", bytes - frame)
}

#[tokio::test]
async fn arguments_are_measured_as_text_on_every_way() {
    let mut fixture = Fixture::new().await;
    let workspace = fixture.a.workspace();
    let insert = |table: &str, values: &str| format!("INSERT INTO {table} (workspace_id, {values}");
    for (bytes, is_accepted) in [(1_048_576, true), (1_048_577, false)] {
        let payload = payload(bytes);
        let jobs = insert("jobs", &format!("job_type, payload) VALUES ('{workspace}', 'write', {payload})"));
        let schedules = insert(
            "job_schedules",
            &format!(
                "name, cron, job_type, payload) VALUES ('{workspace}', 's{bytes}', '* * * * *', 'write', {payload})"
            ),
        );
        // From a table, the value arrives compressed.
        let stored = format!(
            "CREATE TEMPORARY TABLE stored AS SELECT {payload} AS p; INSERT INTO jobs (workspace_id, job_type, payload)
            SELECT '{workspace}', 'write', p FROM stored; DROP TABLE stored"
        );
        for statement in [jobs, schedules, stored] {
            let mut conn = fixture.database.connect().await.unwrap();
            let done = conn.batch_execute(&format!("BEGIN; {statement}; COMMIT")).await;
            assert_eq!(done.is_ok(), is_accepted, "{bytes}: {statement}: {done:?}");
        }
    }
    let text = "a".repeat(1_048_577);
    assert!(enqueue(&mut fixture.a().await, Write::titled(text)).await.unwrap_err().is_invalid_input());
    // And back from an archive.
    let (folder, platform) = (Folder::new(), PlatformScope::unchecked("a test"));
    let file = folder.path().join("a.tar");
    export(&fixture.db, &WorkspaceScope::unchecked_administer(workspace, "a test"), &file, &|_| ()).await.unwrap();
    let count = "SELECT 1 FROM jobs WHERE octet_length(payload::text) = 1048576";
    assert_eq!(fixture.sql(count).await, 2);
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute("DELETE FROM workspaces WHERE slug = 'a'").await.unwrap();
    let options = ImportOptions { restores: true, ..ImportOptions::default() };
    import(&fixture.db, &platform, &file, options, &|_| ()).await.unwrap();
    assert_eq!(fixture.sql(count).await, 2);
}

/// Arguments that the old limit accepted: the migration loses none of them, and they stop no queue.
#[tokio::test(flavor = "multi_thread")]
async fn longer_arguments_of_before_fail_and_stop_nobody() {
    let mut fixture = Fixture::new().await;
    let url = fixture.database.url().unwrap();
    let migrator = Migrator::new(&url, Environment::Production);
    let all: Vec<String> = migrator.migrations().map(|one| one.name().to_owned()).collect();
    let from = all.iter().position(|name| name.ends_with("limit_job_arguments_by_text")).unwrap();
    migrator.revert(RevertCount::Last((all.len() - from).try_into().unwrap())).await.unwrap();
    let workspace = fixture.a.workspace();
    let payload = payload(2_000_000);
    let rows = format!(
        "CREATE TEMPORARY TABLE stored AS SELECT {payload} AS p;
         INSERT INTO jobs (workspace_id, job_type, payload) SELECT '{workspace}', 'write', p FROM stored;
         INSERT INTO jobs (workspace_id, job_type, payload, status, attempts, started_at, lease_token, lease_expires_at, heartbeat_at, leased_by)
            SELECT '{workspace}', 'write', p, 'running', 1, now(), gen_random_uuid(), now(), now(), 'somebody' FROM stored;
         INSERT INTO jobs (workspace_id, job_type, payload, status, completed_at) SELECT '{workspace}', 'write', p, 'completed', now() FROM stored;
         INSERT INTO job_schedules (workspace_id, name, cron, job_type, payload, next_at)
            SELECT '{workspace}', 'long', '* * * * *', 'write', p, now() FROM stored"
    );
    fixture.database.connect().await.unwrap().batch_execute(&rows).await.unwrap();
    migrator.run(|_| ()).await.unwrap();
    assert_eq!(fixture.sql("SELECT 1 FROM jobs WHERE status = 'failed' AND last_error LIKE '%1,048,576%'").await, 2);
    assert_eq!(fixture.sql("SELECT 1 FROM jobs WHERE octet_length(payload::text) > 1900000").await, 3);
    assert_eq!(fixture.sql("SELECT 1 FROM job_schedules WHERE next_at IS NULL").await, 1);
    enqueue(&mut fixture.a().await, Write::titled("next")).await.unwrap();
    fixture.worker().handle(super::write).drain().await.unwrap();
    assert_eq!(fixture.sql("SELECT 1 FROM documents WHERE title = 'next'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_waited_for_and_counted_when_it_has_ended() {
    let fixture = Fixture::new().await;
    let job = enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap().id();
    let soon = Duration::from_millis(50);
    assert_eq!(jobs::wait(&fixture.db, &fixture.a, job, soon).await.unwrap(), None);
    // The job of another workspace is nobody's.
    assert!(jobs::wait(&fixture.db, &fixture.b, job, soon).await.unwrap_err().is_not_found());
    let twice = async |job: RunningJob<Write>| {
        if job.row().attempts == 1 {
            return Ok(Outcome::Retry { error: "not yet".to_owned(), after: None });
        }
        Ok::<_, workspace_db::Error>(Outcome::DoneWith(json!({ "pages": 3 })))
    };
    let worker = fixture.worker().handle(twice);
    let (ended, drained) =
        tokio::join!(jobs::wait(&fixture.db, &fixture.a, job, Duration::from_secs(30)), worker.drain());
    drained.unwrap();
    let ended = ended.unwrap().unwrap();
    assert_eq!((ended.status, ended.result), (JobStatus::Completed, Some(json!({ "pages": 3 }))));
    let totals = jobs::totals(&fixture.db, &PlatformScope::unchecked("a test")).await.unwrap();
    assert_eq!(totals.iter().map(|one| (one.completed, one.cancelled, one.retried)).collect::<Vec<_>>(), [(1, 0, 1)]);
}
