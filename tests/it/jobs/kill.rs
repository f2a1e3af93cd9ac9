//! Workers are killed, backends terminated, the server crashes: nothing is lost, nothing runs twice under a valid lease,
//! nothing is started more often than it may.
//!
//! `WORKSPACE_DB_JOBS_KILL` is the number of jobs, `WORKSPACE_DB_SEED` repeats a run.

use std::time::Duration;

use workspace_db::db;
use workspace_db::jobs::enqueue_all;
use workspace_db_testing::TestDatabase;

use super::Fixture;
use super::process::{Number, Process, count, keep_ledger, reach};

const LEASE: Duration = Duration::from_secs(2);
const PROCESSES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_however_workers_and_server_die() {
    let jobs = crate::size("WORKSPACE_DB_JOBS_KILL", 500, 2_000);
    let seed = crate::seed_of(6);
    let mut random = fastrand::Rng::with_seed(seed);
    let database = TestDatabase::alone().await.unwrap();
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    // A crash of this server keeps what was committed, as a production's does.
    let keeps = "ALTER ROLE ALL SET synchronous_commit = on";
    diesel_async::RunQueryDsl::execute(diesel::sql_query(keeps), &mut superuser).await.unwrap();
    drop(superuser);
    let fixture = Fixture::on(database).await;
    keep_ledger(&fixture.database).await;
    for (scope, remainder) in [(&fixture.a, 0), (&fixture.b, 1)] {
        let mut ws = fixture.db.workspace(scope).await.unwrap();
        enqueue_all(&mut ws, (0..jobs).filter(|number| number % 2 == remainder).map(Number::job)).await.unwrap();
    }
    fixture.database.crash_server().await.unwrap();

    let mut born = 0;
    let mut bear = |database: &TestDatabase| {
        born += 1;
        Process::start(database, &format!("worker-{born}"), LEASE, None)
    };
    let mut workers: Vec<Process> = (0..PROCESSES).map(|_| bear(&fixture.database)).collect();
    let (mut killed, mut terminated, mut crashed) = (0, 0, 0);
    // Something dies each time that another part of the jobs has ended.
    let parts = (jobs / 1_000).max(30);
    for part in 1..parts {
        reach(&fixture, &mut workers, &mut bear, jobs * part / parts).await;
        match random.u8(0..10) {
            0..5 => {
                workers.swap_remove(random.usize(0..PROCESSES)).kill();
                workers.push(bear(&fixture.database));
                killed += 1;
            }
            5..8 => {
                let some = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'worker%' AND random() < 0.3";
                let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
                terminated += count(&mut superuser, some).await;
            }
            _ => {
                fixture.database.crash_server().await.unwrap();
                crashed += 1;
            }
        }
    }
    reach(&fixture, &mut workers, &mut bear, jobs).await;
    drop(workers);

    let mut conn = fixture.database.connect().await.unwrap();
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let rows = count(&mut conn, "SELECT count(*) FROM jobs WHERE status = 'completed'").await;
    assert_eq!(u64::try_from(rows).unwrap(), jobs, "every job has ended well");
    let written = "SELECT count(*) FROM (
        SELECT j.payload ->> 'how' AS how, count(d.id) AS times FROM jobs j
        LEFT JOIN documents d ON d.workspace_id = j.workspace_id AND d.title = j.payload ->> 'number'
        GROUP BY j.workspace_id, j.id) AS job WHERE";
    let together = format!("{written} how = 'Together' AND times <> 1");
    assert_eq!(count(&mut conn, &together).await, 0, "work that is committed with its end is done once");
    let apart = format!("{written} times = 0");
    assert_eq!(count(&mut conn, &apart).await, 0, "work that is not is done at least once");
    let past =
        "SELECT count(*) FROM (SELECT number FROM ledger_leases GROUP BY number HAVING count(*) > max(most)) AS past";
    assert_eq!(count(&mut superuser, past).await, 0, "nothing was started more often than it may");
    let back = "SELECT count(*) FROM ledger_changes WHERE was IN ('completed', 'failed', 'cancelled')";
    assert_eq!(count(&mut superuser, back).await, 0, "nothing came back from its end");
    let leases = count(&mut superuser, "SELECT count(*) FROM ledger_leases").await;
    let again = "SELECT count(*) FROM ledger_changes WHERE was = 'running' AND now = 'queued'";
    let rescued = count(&mut superuser, again).await;
    println!(
        "{jobs} jobs, {leases} leases, {rescued} given back; {killed} workers killed, {terminated} backends terminated, {crashed} crashes"
    );
    assert!(killed > 0 && terminated > 0 && crashed > 0 && u64::try_from(leases).unwrap() > jobs);
}
