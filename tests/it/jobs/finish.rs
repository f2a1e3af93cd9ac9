//! How jobs end, and that only who has the lease ends them.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use rstest::rstest;
use serde_json::json;
use workspace_db::id::JobId;
use workspace_db::jobs::{
    Backoff, ClaimedJob, LeaseStatus, Outcome, cancel, enqueue, finish, heartbeat, rescue, retry,
};
use workspace_db::models::{Job, NewDocument};
use workspace_db::schema::documents;
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::InWorkspace as _;

use super::{Fixture, Write};

/// As if a lease had run out just now.
const EXPIRE: &str = "UPDATE jobs SET lease_expires_at = now() WHERE status = 'running'";

impl Fixture {
    /// A job that runs.
    async fn running(&mut self, job: workspace_db::jobs::NewJob<Write>) -> ClaimedJob {
        enqueue(&mut self.a().await, job).await.unwrap();
        self.claim(1).await.remove(0)
    }

    async fn end(&mut self, claimed: &ClaimedJob, outcome: Outcome) -> (Option<JobStatus>, Job) {
        let finished = finish(&self.db, [(claimed.lease(), outcome)]).await.unwrap();
        (finished[0].status, self.row(claimed.job.id).await)
    }
}

#[tokio::test]
async fn a_job_that_is_done_is_completed_with_its_result() {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x")).await;
    let (status, row) = fixture.end(&claimed, Outcome::DoneWith(json!({ "pages": 3 }))).await;
    assert_eq!((status, row.status), (Some(JobStatus::Completed), JobStatus::Completed));
    assert_eq!((row.result, row.errors), (Some(json!({ "pages": 3 })), json!([])));
    assert!(row.completed_at.is_some() && row.lease_expires_at.is_none() && row.leased_by.is_none());
    assert_eq!(fixture.end(&claimed, Outcome::Done).await.0, None, "it ends once");
}

#[tokio::test]
async fn a_failed_job_waits_and_then_is_dead_with_every_error() {
    let mut fixture = Fixture::new().await;
    let later = Some(Duration::from_secs(60));
    let fail = |text: &str, after| Outcome::Retry { error: text.to_owned(), after };
    let first = fixture.running(Write::titled("x").max_attempts(2)).await;
    let (status, row) = fixture.end(&first, fail("no network", later)).await;
    assert_eq!(status, Some(JobStatus::Queued));
    let wait = row.scheduled_at.unwrap() - row.failed_at.unwrap();
    assert_eq!(wait, TimeDelta::seconds(60));
    assert_eq!(fixture.claim(1).await.len(), 0);
    fixture.sql("UPDATE jobs SET scheduled_at = now()").await;
    let second = fixture.claim(1).await.remove(0);
    assert_eq!(second.job.attempts, 2);
    let (status, row) = fixture.end(&second, fail("nor\0now", later)).await;
    assert_eq!((status, row.last_error.as_deref()), (Some(JobStatus::Failed), Some("nor\u{fffd}now")));
    let errors = row.errors.as_array().unwrap();
    assert_eq!(
        errors.iter().map(|error| (&error["attempt"], &error["error"])).collect::<Vec<_>>(),
        [(&json!(1), &json!("no network")), (&json!(2), &json!("nor\u{fffd}now"))]
    );
}

#[rstest]
#[case::dead(Outcome::dead("useless"), JobStatus::Failed, 1)]
#[case::cancelled(Outcome::Cancel { reason: "not wanted".to_owned() }, JobStatus::Cancelled, 1)]
#[case::snoozed(Outcome::Snooze(Duration::from_secs(60)), JobStatus::Queued, 0)]
#[case::released(Outcome::Release, JobStatus::Queued, 0)]
#[case::unstorable(Outcome::DoneWith(json!("\0")), JobStatus::Failed, 1)]
#[case::too_large(Outcome::DoneWith(json!("x".repeat(300_000))), JobStatus::Failed, 1)]
#[tokio::test]
async fn every_outcome_has_its_state(#[case] outcome: Outcome, #[case] status: JobStatus, #[case] attempts: i32) {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x")).await;
    let (now, row) = fixture.end(&claimed, outcome).await;
    assert_eq!((now, row.status, row.attempts), (Some(status), status, attempts), "{row:?}");
}

#[tokio::test]
async fn an_error_is_kept_up_to_8_kib() {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x")).await;
    let (_, row) = fixture.end(&claimed, Outcome::dead("é".repeat(10_000))).await;
    assert_eq!(row.last_error.unwrap().len(), 8 * 1024);
}

#[test]
fn a_delay_is_capped_and_never_overflows() {
    let backoff = Backoff { base: Duration::from_secs(10), cap: Duration::from_secs(3600) };
    assert_eq!(backoff.max_delay(0), Duration::from_secs(10));
    assert_eq!(backoff.max_delay(9), Duration::from_secs(2560));
    for attempt in [10, 33, u32::MAX] {
        assert_eq!(backoff.max_delay(attempt), Duration::from_secs(3600));
    }
    let endless = Backoff { base: Duration::MAX, cap: Duration::MAX };
    assert_eq!(endless.max_delay(2), Duration::MAX);
}

#[tokio::test]
async fn who_has_lost_the_lease_can_neither_end_nor_extend_a_job() {
    let mut fixture = Fixture::new().await;
    let stale = fixture.running(Write::titled("x")).await;
    fixture.sql(EXPIRE).await;
    // Over by the clock, though nobody has rescued it yet.
    assert_eq!(fixture.end(&stale, Outcome::Done).await.0, None);
    assert_eq!(
        heartbeat(&fixture.db, &[stale.lease()], Duration::from_secs(9)).await.unwrap(),
        [(stale.lease(), LeaseStatus::Lost)]
    );
    let rescued = rescue(&fixture.db, 10).await.unwrap();
    assert_eq!(
        rescued.iter().map(|job| (job.job, job.status)).collect::<Vec<_>>(),
        [(stale.job.id, JobStatus::Queued)]
    );
    let fresh = fixture.claim(1).await.remove(0);
    assert_ne!(fresh.lease(), stale.lease());
    for outcome in [Outcome::Done, Outcome::retry("late"), Outcome::dead("late"), Outcome::Snooze(Duration::ZERO)] {
        let (status, row) = fixture.end(&stale, outcome).await;
        assert_eq!((status, row.status, row.attempts), (None, JobStatus::Running, 2));
    }
    let pulses = heartbeat(&fixture.db, &[stale.lease(), fresh.lease()], Duration::from_secs(90)).await.unwrap();
    assert_eq!(pulses, [(stale.lease(), LeaseStatus::Lost), (fresh.lease(), LeaseStatus::Held)]);
    assert_eq!(fixture.end(&fresh, Outcome::Done).await.0, Some(JobStatus::Completed));
    let errors = fixture.row(fresh.job.id).await.errors;
    assert!(errors[0]["error"].as_str().unwrap().contains("ran out"), "{errors}");
}

#[tokio::test]
async fn a_job_whose_last_attempt_is_lost_is_dead() {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x").max_attempts(1)).await;
    fixture.sql(EXPIRE).await;
    assert_eq!(rescue(&fixture.db, 10).await.unwrap()[0].status, JobStatus::Failed);
    let row = fixture.row(claimed.job.id).await;
    assert!(row.last_error.unwrap().contains("attempt 1, ran out"));
}

#[tokio::test]
async fn nothing_that_a_lost_job_did_is_committed() {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x")).await;
    let mut ws = fixture.db.workspace(claimed.scope()).await.unwrap();
    let insert = |title: &str| documents::table.in_workspace(&fixture.a).insert(NewDocument::new(title));
    insert("while it holds").execute(&mut ws).await.unwrap();
    ws.transaction(async |tx| insert("and in a transaction").execute(tx).await).await.unwrap();
    // A transaction that is open when the lease ends.
    let mut other = fixture.database.connect().await.unwrap();
    let late = ws
        .transaction(async |tx| {
            insert("begun in time").execute(tx).await?;
            diesel_async::RunQueryDsl::execute(diesel::sql_query(EXPIRE), &mut other).await?;
            Ok::<_, workspace_db::Error>(())
        })
        .await;
    assert!(late.as_ref().unwrap_err().is_lease_lost(), "{late:?}");
    // A statement of its own, raw SQL, and a connection that is asked for anew.
    let statement = insert("a statement").execute(&mut ws).await;
    assert!(statement.as_ref().unwrap_err().is_lease_lost(), "{statement:?}");
    let raw = ws
        .under_row_security("a test", async |conn| {
            let new = (documents::workspace_id.eq(fixture.a.workspace()), NewDocument::new("raw"));
            Ok::<_, workspace_db::Error>(
                diesel_async::RunQueryDsl::execute(diesel::insert_into(documents::table).values(new), conn).await?,
            )
        })
        .await;
    assert!(raw.as_ref().unwrap_err().is_lease_lost(), "{raw:?}");
    let read: Vec<workspace_db::models::Document> =
        documents::table.in_workspace(&fixture.a).load(&mut fixture.a().await).await.unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(fixture.titles().await, ["and in a transaction", "while it holds"]);
}

#[tokio::test]
async fn a_scope_of_an_ended_job_opens_nothing() {
    let mut fixture = Fixture::new().await;
    let claimed = fixture.running(Write::titled("x")).await;
    let mut kept = fixture.db.workspace(claimed.scope()).await.unwrap();
    fixture.end(&claimed, Outcome::Done).await;
    let refused = documents::table.in_workspace(&fixture.a).insert(NewDocument::new("late")).execute(&mut kept).await;
    assert!(refused.as_ref().unwrap_err().is_lease_lost(), "{refused:?}");
    // Trusted for a second, then asked again.
    let until_refused = async {
        loop {
            match fixture.db.workspace(claimed.scope()).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(10), until_refused).await.unwrap();
    assert!(refused.is_lease_lost(), "{refused}");
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked_to_stop() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let waiting = enqueue(&mut ws, Write::titled("x")).await.unwrap().id();
    assert_eq!(cancel(&mut ws, waiting).await.unwrap(), JobStatus::Cancelled);
    assert_eq!(fixture.claim(1).await.len(), 0);
    let claimed = fixture.running(Write::titled("y")).await;
    assert_eq!(cancel(&mut ws, claimed.job.id).await.unwrap(), JobStatus::Running);
    let pulses = heartbeat(&fixture.db, &[claimed.lease()], Duration::from_secs(9)).await.unwrap();
    assert_eq!(pulses, [(claimed.lease(), LeaseStatus::CancelRequested)]);
    // A handler that fails meanwhile is not started again.
    assert_eq!(fixture.end(&claimed, Outcome::retry("stopped")).await.0, Some(JobStatus::Cancelled));
    assert_eq!(cancel(&mut ws, claimed.job.id).await.unwrap(), JobStatus::Cancelled);
    for none in [cancel(&mut fixture.b().await, waiting).await, cancel(&mut ws, JobId::generate()).await] {
        assert!(none.as_ref().unwrap_err().is_not_found(), "{none:?}");
    }
}

#[tokio::test]
async fn a_dead_job_can_be_started_once_more() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let claimed = fixture.running(Write::titled("x").max_attempts(1)).await;
    let id = claimed.job.id;
    let running = retry(&mut ws, id).await.unwrap_err();
    assert!(running.is_conflict() && running.to_string().contains("is running"), "{running}");
    fixture.end(&claimed, Outcome::retry("no")).await;
    let elsewhere = retry(&mut fixture.b().await, id).await.unwrap_err();
    assert!(elsewhere.is_not_found(), "{elsewhere}");
    retry(&mut ws, id).await.unwrap();
    let again = fixture.claim(1).await.remove(0);
    assert_eq!((again.job.attempts, again.job.max_attempts), (2, 2));
    fixture.end(&again, Outcome::Done).await;
    assert!(retry(&mut ws, id).await.unwrap_err().is_conflict(), "what is done is done");
}

#[tokio::test]
async fn a_job_that_is_finishing_does_not_keep_the_heartbeats_of_others_waiting() {
    let mut fixture = Fixture::new().await;
    let one = fixture.running(Write::titled("x")).await;
    let other = fixture.running(Write::titled("y")).await;
    let db = fixture.db.clone();
    let mut conn = fixture.database.connect().await.unwrap();
    let pulses = diesel_async::AsyncConnection::transaction(&mut conn, async |tx| {
        let lock = "SELECT 1 FROM jobs WHERE payload ->> 'title' = 'x' FOR UPDATE";
        diesel_async::RunQueryDsl::execute(diesel::sql_query(lock), tx).await?;
        heartbeat(&db, &[one.lease(), other.lease()], Duration::from_secs(9)).await
    })
    .await
    .unwrap();
    assert_eq!(pulses, [(one.lease(), LeaseStatus::Busy), (other.lease(), LeaseStatus::Held)]);
}

/// The server's clock goes forward: leases end early and are rescued. It goes back: leases of the dead would seem to last.
#[tokio::test]
async fn a_clock_that_jumps_costs_a_run_and_never_a_job() {
    let mut fixture = Fixture::new().await;
    let before = fixture.running(Write::titled("x")).await;
    fixture.sql("UPDATE jobs SET lease_expires_at = lease_expires_at - interval '1 hour', heartbeat_at = heartbeat_at - interval '1 hour'").await;
    assert_eq!(fixture.end(&before, Outcome::Done).await.0, None);
    assert_eq!(rescue(&fixture.db, 10).await.unwrap().len(), 1);
    fixture.claim(1).await;
    assert_eq!(rescue(&fixture.db, 10).await.unwrap().len(), 0);
    fixture.sql("UPDATE jobs SET lease_expires_at = lease_expires_at + interval '1 hour', heartbeat_at = heartbeat_at + interval '1 hour'").await;
    assert_eq!(rescue(&fixture.db, 10).await.unwrap().len(), 1);
    assert!(Utc::now() - fixture.row(before.job.id).await.scheduled_at.unwrap() < TimeDelta::minutes(1));
}
