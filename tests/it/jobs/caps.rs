//! Caps hold over all claimers, and nobody waits for a slot that is free.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use workspace_db::Error;
use workspace_db::jobs::{ClaimRequest, NewJob, Outcome, claim, enqueue_all, finish, limit};
use workspace_db::schema::jobs;
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{Database, PlatformScope};
use workspace_db_testing::TestDatabase;

use super::process::{OneOfFour, Process, count, keep_ledger, reach};
use super::{Fixture, Write};

fn capped(limit: usize, cap: u32) -> ClaimRequest {
    ClaimRequest { kinds: vec![("write".to_owned(), Some(cap))], ..ClaimRequest::new("default", "a test", limit) }
}

#[tokio::test]
async fn a_cap_by_kind_holds_in_each_workspace() {
    let fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..10).map(|n| Write::titled(n).priority(n % 3))).await.unwrap();
    enqueue_all(&mut fixture.b().await, (0..10).map(Write::titled)).await.unwrap();
    let claimed = claim(&fixture.db, &capped(20, 4)).await.unwrap();
    let mut counts = BTreeMap::new();
    for claimed in &claimed {
        *counts.entry(claimed.job.workspace_id).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([(fixture.a.workspace(), 4), (fixture.b.workspace(), 4)]));
    assert_eq!(claim(&fixture.db, &capped(20, 4)).await.unwrap().len(), 0);
    finish(&fixture.db, [(claimed[0].lease(), Outcome::Done)]).await.unwrap();
    let next = claim(&fixture.db, &capped(20, 4)).await.unwrap();
    assert_eq!(next.iter().map(|next| next.job.workspace_id).collect::<Vec<_>>(), [claimed[0].job.workspace_id]);
}

#[tokio::test]
async fn a_cap_by_workspace_holds_over_all_kinds_and_does_not_hold_others_up() {
    let fixture = Fixture::new().await;
    let operator = PlatformScope::unchecked("a test");
    enqueue_all(&mut fixture.a().await, (0..100).map(Write::titled)).await.unwrap();
    limit(&fixture.db, &operator, "default", Some(3)).await.unwrap();
    assert_eq!(fixture.claim(20).await.len(), 3);
    enqueue_all(&mut fixture.b().await, (0..2).map(Write::titled)).await.unwrap();
    assert_eq!(fixture.claim(1).await.len(), 1, "a's full slots are passed over");
    limit(&fixture.db, &operator, "default", None).await.unwrap();
    assert_eq!(fixture.claim(200).await.len(), 98);
}

/// 64 claimers of four pools want all they can get of one workspace with a cap of four. Each time one has claimed, it
/// counts what runs by a query of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_claimers_no_five_ever_run_and_no_slot_is_lost() {
    const CAP: usize = 4;
    let jobs_in_all = usize::try_from(crate::size("WORKSPACE_DB_JOBS_CAP", 60, 600)).unwrap();
    let mut fixture = Fixture::new().await;
    // One that lives may be taken for dead again and again, so no number of attempts is enough to end a job.
    let jobs = (0..jobs_in_all).map(|n| Write::titled(n).max_attempts(1_000));
    enqueue_all(&mut fixture.a().await, jobs).await.unwrap();
    let mut databases = Vec::new();
    for _ in 0..4 {
        databases.push(fixture.database.open(16).await.unwrap());
    }
    let peak = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicUsize::new(0));
    let claimers: Vec<_> = (0..64)
        .map(|n| {
            let (db, peak, done) = (databases[n % 4].clone(), Arc::clone(&peak), Arc::clone(&done));
            tokio::spawn(async move {
                while done.load(Ordering::Acquire) < jobs_in_all {
                    let claimed = claim(&db, &capped(1 + n % 8, 4)).await.unwrap();
                    peak.fetch_max(running(&db).await, Ordering::AcqRel);
                    // Every eighth claimer dies with what it has.
                    if n % 8 == 7 && !claimed.is_empty() {
                        return;
                    }
                    let outcomes = claimed.iter().map(|claimed| (claimed.lease(), Outcome::Done));
                    // On a busy machine one that lives may be taken for dead too: then another ends its job.
                    let ended = finish(&db, outcomes).await.unwrap();
                    let ended = ended.iter().filter(|one| one.status.is_some()).count();
                    done.fetch_add(ended, Ordering::AcqRel);
                    if claimed.is_empty() && n % 8 == 0 {
                        // What the dead have left, as if their leases had run out.
                        let rescued = rescue_of_the_dead(&db).await;
                        assert!(rescued <= CAP);
                    }
                }
            })
        })
        .collect();
    let (mut seen, mut changed_at) = (0, Instant::now());
    for mut claimer in claimers {
        while tokio::time::timeout(Duration::from_secs(1), &mut claimer).await.map(Result::unwrap).is_err() {
            let now = done.load(Ordering::Acquire);
            if now > seen {
                (seen, changed_at) = (now, Instant::now());
            }
            assert!(
                changed_at.elapsed() < Duration::from_secs(30),
                "a slot was lost: {seen} of {jobs_in_all} jobs ended"
            );
        }
    }
    assert!(peak.load(Ordering::Acquire) <= CAP, "{peak:?} ran at once");
    assert!(peak.load(Ordering::Acquire) > 1, "nothing ran beside anything, so nothing was tried");
    fixture.until("SELECT count(*) = 0 AS met FROM jobs WHERE status <> 'completed'").await;
}

/// Four worker processes that could each run sixteen, of which one is killed again and again.
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_neither_break_a_cap_nor_keep_a_slot() {
    const LEASE: Duration = Duration::from_secs(1);
    let jobs = crate::size("WORKSPACE_DB_JOBS_CAP", 150, 600);
    let seed = crate::seed_of(6);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut fixture = Fixture::new().await;
    keep_ledger(&fixture.database).await;
    enqueue_in_both(&fixture, 0..jobs).await;
    let mut enqueued = jobs;
    let mut born = 0;
    let mut bear = |database: &TestDatabase| {
        born += 1;
        Process::start(database, &format!("worker-{born}"), LEASE, None)
    };
    let mut workers: Vec<Process> = (0..4).map(|_| bear(&fixture.database)).collect();
    let parts = (jobs / 100).max(6);
    for part in 1..parts {
        reach(&fixture, &mut workers, &mut bear, jobs * part / parts).await;
        let killed = async {
            loop {
                let one = &mut workers[random.usize(0..4)];
                if one.kill_at_work(&mut fixture.conn).await {
                    *one = bear(&fixture.database);
                    break;
                }
                // On a fast machine, all jobs can end before one worker is caught at work.
                if count(&mut fixture.conn, "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')").await
                    == 0
                {
                    enqueue_in_both(&fixture, enqueued..enqueued + 50).await;
                    enqueued += 50;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), killed).await.expect("nobody has a job in hand");
    }
    reach(&fixture, &mut workers, &mut bear, jobs).await;
    drop(workers);
    let mut superuser = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    // Each lease begins and ends; numbers tell the workspaces apart.
    let max_running = "SELECT max(running)::bigint AS count FROM (
        SELECT sum(change) OVER (PARTITION BY number % 2 ORDER BY at, change) AS running FROM (
            SELECT number, lower(during) AS at, 1 AS change FROM ledger_leases
            UNION ALL SELECT number, upper(during), -1 FROM ledger_leases) AS changes) AS counts";
    assert_eq!(count(&mut superuser, max_running).await, 4, "so many ran at once");
    let rescued = "SELECT count(*) FROM ledger_changes WHERE was = 'running' AND now = 'queued'";
    let rescued = count(&mut superuser, rescued).await;
    println!("{jobs} jobs, {rescued} given back by the dead");
    assert!(rescued > 0, "nobody died with a job in hand, so nothing was tried");
}

/// Enqueues the even numbers in one workspace and the odd ones in the other.
async fn enqueue_in_both(fixture: &Fixture, numbers: Range<u64>) {
    for (scope, remainder) in [(&fixture.a, 0), (&fixture.b, 1)] {
        let mut ws = fixture.db.workspace(scope).await.unwrap();
        let of_scope = numbers.clone().filter(|number| number % 2 == remainder);
        enqueue_all(&mut ws, of_scope.map(|number| NewJob::new(OneOfFour { number }))).await.unwrap();
    }
}

async fn running(db: &Database) -> usize {
    let count: i64 = db
        .across_workspaces("a test counts what runs", async |conn| {
            let running = jobs::table.filter(jobs::status.eq(JobStatus::Running)).count();
            Ok::<_, Error>(diesel_async::RunQueryDsl::get_result(running, conn).await?)
        })
        .await
        .unwrap();
    usize::try_from(count).unwrap()
}

/// Only those whose claimer has gone: the others are too young to be taken for dead.
async fn rescue_of_the_dead(db: &Database) -> usize {
    db.across_workspaces("a test lets the leases of the dead run out", async |conn| {
        // Those that are being ended are not waited for, which in another order would be a deadlock.
        let dead =
            "UPDATE jobs SET lease_expires_at = now() WHERE (workspace_id, id) IN (SELECT workspace_id, id FROM jobs
            WHERE status = 'running' AND heartbeat_at < now() - interval '2 s' FOR UPDATE SKIP LOCKED)";
        diesel_async::RunQueryDsl::execute(diesel::sql_query(dead), conn).await?;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    workspace_db::jobs::rescue(db, 100).await.unwrap().len()
}
