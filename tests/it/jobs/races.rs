//! Many at once: rescue against completion, and racers for one unique key.
//!
//! `WORKSPACE_DB_JOBS_RACES` is the number of rescues raced, `WORKSPACE_DB_JOBS_KEYS` that of keys raced for, each by a
//! hundred; `WORKSPACE_DB_SEED` repeats a run.

use std::time::Duration;

use workspace_db::jobs::{ClaimRequest, EnqueueResult, OnDuplicate, Outcome, claim, enqueue_all, finish, rescue};
use workspace_db::sql_types::{JobStatus, JobUniqueness};

use super::process::{Number, count, keep_ledger};
use super::{Fixture, Write, next};

/// Jobs of one round.
const ROUND: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rescue_and_completion_never_both_have_a_job() {
    let rounds = crate::size("WORKSPACE_DB_JOBS_RACES", 1_000, 4_000).div_ceil(ROUND);
    let seed = crate::seed_of(6);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut fixture = Fixture::new().await;
    keep_ledger(&fixture.database).await;
    let mut superuser = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let (mut completed, mut rescued) = (0, 0);
    for round in 0..rounds {
        let numbers = round * ROUND..(round + 1) * ROUND;
        enqueue_all(&mut fixture.a().await, numbers.map(Number::job)).await.unwrap();
        // Leases that run out while they are being ended: some before, some between, some after.
        let limit = usize::try_from(ROUND).unwrap();
        let claimed =
            claim(&fixture.db, &ClaimRequest { lease: Duration::from_secs(60), ..next(limit) }).await.unwrap();
        assert_eq!(claimed.len(), limit);
        fixture.sql("UPDATE jobs SET lease_expires_at = clock_timestamp() + random() * interval '60 ms' WHERE status = 'running'").await;
        let mut leases: Vec<_> = claimed.iter().map(workspace_db::jobs::ClaimedJob::lease).collect();
        random.shuffle(&mut leases);
        let finishers: Vec<_> = leases
            .chunks(limit / 8)
            .map(|mine| {
                let (db, mine) = (fixture.db.clone(), mine.to_vec());
                tokio::spawn(async move {
                    let mut done = 0;
                    for few in mine.chunks(5) {
                        let ended = finish(&db, few.iter().map(|lease| (*lease, Outcome::Done))).await.unwrap();
                        done += ended.iter().filter(|ended| ended.status == Some(JobStatus::Completed)).count();
                    }
                    done
                })
            })
            .collect();
        let rescuers: Vec<_> = (0..2)
            .map(|_| {
                let db = fixture.db.clone();
                tokio::spawn(async move {
                    let mut back = 0;
                    for _ in 0..12 {
                        back += rescue(&db, 100).await.unwrap().len();
                    }
                    back
                })
            })
            .collect();
        for finisher in finishers {
            completed += finisher.await.unwrap();
        }
        for rescuer in rescuers {
            rescued += rescuer.await.unwrap();
        }
        fixture.sql("UPDATE jobs SET lease_expires_at = clock_timestamp() WHERE status = 'running'").await;
        rescued += rescue(&fixture.db, limit).await.unwrap().len();
        // Out of the way of the next round.
        fixture.sql("UPDATE jobs SET queue = 'raced' WHERE queue = 'default'").await;
    }
    println!("{completed} completed, {rescued} rescued");
    assert_eq!(completed + rescued, usize::try_from(rounds * ROUND).unwrap(), "each job has one end");
    assert!(completed > 0 && rescued > 0, "one side won every race, so nothing was tried");
    for (what, expected) in [("completed", completed), ("queued", rescued)] {
        let rows = count(&mut superuser, &format!("SELECT count(*) FROM jobs WHERE status = '{what}'")).await;
        assert_eq!(usize::try_from(rows).unwrap(), expected, "{what}");
        let changes =
            format!("SELECT count(DISTINCT number) FROM ledger_changes WHERE was = 'running' AND now = '{what}'");
        assert_eq!(usize::try_from(count(&mut superuser, &changes).await).unwrap(), expected, "the ledger on {what}");
    }
    let back = "SELECT count(*) FROM ledger_changes WHERE was = 'completed'";
    assert_eq!(count(&mut superuser, back).await, 0, "something was resurrected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_racers_one_has_the_key() {
    const RACERS: u64 = 100;
    let keys = crate::size("WORKSPACE_DB_JOBS_KEYS", 50, 200);
    let seed = crate::seed_of(6);
    let mut fixture = Fixture::new().await;
    let racers: Vec<_> = (0..RACERS)
        .map(|racer| {
            let (db, scope) = (fixture.db.clone(), fixture.a.clone());
            tokio::spawn(async move {
                let mut order: Vec<u64> = (0..keys).collect();
                fastrand::Rng::with_seed(seed + racer).shuffle(&mut order);
                let mut inserted = 0;
                for some in order.chunks(250) {
                    // One at a time, since there are fewer connections than racers.
                    let mut ws = db.workspace(&scope).await.unwrap();
                    let job = |key: &u64| {
                        Write::titled(key).unique(key.to_string(), JobUniqueness::Unfinished, OnDuplicate::Keep)
                    };
                    let answers = enqueue_all(&mut ws, some.iter().map(job)).await.unwrap();
                    inserted += answers.iter().filter(|answer| matches!(answer, EnqueueResult::Inserted(_))).count();
                }
                inserted
            })
        })
        .collect();
    let mut inserted = 0;
    for racer in racers {
        inserted += racer.await.unwrap();
    }
    let rows = count(&mut fixture.conn, "SELECT count(*) FROM jobs").await;
    assert_eq!((u64::try_from(inserted).unwrap(), u64::try_from(rows).unwrap()), (keys, keys));
    let distinct = count(&mut fixture.conn, "SELECT count(DISTINCT payload ->> 'title') FROM jobs").await;
    assert_eq!(u64::try_from(distinct).unwrap(), keys);
}
