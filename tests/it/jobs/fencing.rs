//! A worker that was stopped past its lease and goes on: whatever it does is refused. The same with the fence taken out, so
//! that it is known to be the fence.

use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;
use workspace_db::db;
use workspace_db::jobs::{RunningJob, enqueue_all};

use super::Fixture;
use super::process::{Gate, How, Number, Process, count, keep_ledger, number};
use crate::folder::Folder;

const LEASE: Duration = Duration::from_secs(1);
const JOBS: u64 = 15;

/// What the zombie has done once another worker had its jobs.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    documents: i64,
    changes: i64,
}

/// Has a worker process stop in the middle of fifteen jobs, of which a third each end in a transaction, by themselves, and by
/// failing; lets another worker finish them all; and has the first go on.
async fn wake_the_dead(prepare: &str) -> Damage {
    let mut fixture = Fixture::new().await;
    keep_ledger(&fixture.database).await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute(prepare).await.unwrap();
    let jobs = (0..JOBS).map(|n| match n % 3 {
        0 => Number::new(n).done(How::Together),
        1 => Number::new(n).done(How::Apart),
        _ => Number::new(n).done(How::Dead),
    });
    enqueue_all(&mut fixture.a().await, jobs).await.unwrap();
    let folder = Folder::new();
    let gate = Gate(folder.path().to_owned());
    let zombie = Process::start(&fixture.database, "zombie", LEASE, Some(gate.clone()));
    wait("every handler has begun", || u64::try_from(gate.started_count()).unwrap() == JOBS).await;
    zombie.signal("-STOP");

    let heir =
        fixture.worker().lease(LEASE).handle(async |job: RunningJob<Number>| number(job, " by the heir", None).await);
    let heir = tokio::spawn(heir.run(std::future::pending()));
    fixture.until("SELECT count(*) = 15 AS met FROM jobs WHERE status IN ('completed', 'failed')").await;
    heir.abort();
    let changes = "SELECT count(*) FROM ledger_changes WHERE application = 'zombie'";
    let before = count(&mut superuser, changes).await;
    gate.open();
    zombie.signal("-CONT");
    wait("every handler of the zombie has ended", || u64::try_from(gate.endings().len()).unwrap() == JOBS).await;
    // Its last words are written, and heartbeats are tried, within a lease.
    let seen = Instant::now();
    wait("the zombie has said what it had to", || seen.elapsed() > LEASE).await;
    drop(zombie);
    let documents = count(&mut superuser, "SELECT count(*) FROM documents WHERE title LIKE '% by zombie'").await;
    let heirs = count(&mut superuser, "SELECT count(*) FROM documents WHERE title LIKE '% by the heir'").await;
    assert_eq!(heirs, 15, "the heir has done everything");
    Damage { documents, changes: count(&mut superuser, changes).await - before }
}

async fn wait(what: &str, condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), met).await.is_ok(), "not in 20 s: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_past_its_lease_changes_nothing() {
    assert_eq!(wake_the_dead("").await, Damage { documents: 0, changes: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_of_transactions_its_work_would_be_committed() {
    let unfenced =
        "CREATE OR REPLACE FUNCTION workspace_db_hold_lease(of_workspace uuid, job uuid, lease uuid) RETURNS void
        LANGUAGE plpgsql AS 'BEGIN END'";
    let damage = wake_the_dead(unfenced).await;
    assert!(damage.documents > 0, "{damage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_it_would_end_what_others_have() {
    // Completing by id alone, as most queues do.
    let by_id = "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('workspace_db_finish_jobs'::regproc),
        'AND jobs.lease_token = done.lease AND jobs.lease_expires_at > moment', ''); END $$";
    // What ends a job in its own transaction would be committed with an end that is another's.
    let damage = wake_the_dead(by_id).await;
    assert!(damage.documents > 0, "{damage:?}");
}
