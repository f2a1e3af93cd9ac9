//! Claims that go on from where the last one left off, and what they must not pass over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::Value;
use tokio::sync::Notify;
use workspace_db::Error;
use workspace_db::id::JobId;
use workspace_db::jobs::{Outcome, RunningJob, enqueue, enqueue_all, finish};

use super::{Fixture, Write};

/// Ten jobs of A, a minute after one another, of which the first three are claimed; returns where they were left.
async fn three_of_ten_are_claimed(fixture: &mut Fixture) -> String {
    let first = Utc::now() - TimeDelta::hours(1);
    let at = |n| Write::titled(n).at(first + TimeDelta::minutes(i64::from(n)));
    enqueue_all(&mut fixture.a().await, (0_u8..10).map(at)).await.unwrap();
    let mut claimed = fixture.claim(3).await;
    claimed.sort_by_key(|claimed| claimed.job.scheduled_at);
    after(fixture, claimed.last().unwrap().job.id).await
}

/// A claim in SQL, which goes on from cursors.
fn claim_from(cursors: &str, limit: usize, cap: &str) -> String {
    format!(
        "workspace_db_claim_jobs('default', 'a test', {limit}, '30 s', '00000000-0000-0000-0000-000000000000',
            ARRAY['write'], ARRAY[{cap}]::integer[], {cursors})"
    )
}

/// No lane: a look at everything.
const NOWHERE: &str = "'{}', '{}', '{}', '{}', '{}'";

/// The lane of a job, which has been claimed up to there.
async fn after(fixture: &mut Fixture, job: JobId) -> String {
    let row = fixture.row(job).await;
    let (workspace, kind, priority, at) = (row.workspace_id, row.job_type, row.priority, row.scheduled_at.unwrap());
    format!(
        "ARRAY['{workspace}']::uuid[], ARRAY['{kind}'], ARRAY[{priority}], ARRAY['{at}']::timestamptz[], ARRAY['{job}']::uuid[]"
    )
}

/// What such a claim gets.
async fn titles(fixture: &mut Fixture, from: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct TitleRow {
        #[diesel(sql_type = Text)]
        title: String,
    }
    let query = format!("SELECT payload ->> 'title' AS title FROM {from} ORDER BY scheduled_at");
    let rows: Vec<TitleRow> =
        diesel_async::RunQueryDsl::load(diesel::sql_query(query), &mut fixture.conn).await.unwrap();
    rows.into_iter().map(|row| row.title).collect()
}

#[tokio::test]
async fn a_claim_goes_on_from_where_it_was_left_and_the_next_look_finds_what_came_before() {
    let mut fixture = Fixture::new().await;
    let third = three_of_ten_are_claimed(&mut fixture).await;
    enqueue(&mut fixture.a().await, Write::titled("before").at(Utc::now() - TimeDelta::hours(2))).await.unwrap();
    assert_eq!(titles(&mut fixture, &claim_from(&third, 3, "NULL")).await, ["3", "4", "5"]);
    let next = fixture.claim(1).await;
    assert_eq!(next[0].arguments::<Write>().unwrap().title, "before");
}

#[tokio::test]
async fn a_claim_that_finds_nothing_where_it_goes_on_looks_everywhere() {
    let mut fixture = Fixture::new().await;
    let third = three_of_ten_are_claimed(&mut fixture).await;
    assert_eq!(fixture.claim(7).await.len(), 7);
    enqueue(&mut fixture.a().await, Write::titled("before").at(Utc::now() - TimeDelta::hours(2))).await.unwrap();
    enqueue(&mut fixture.b().await, Write::titled("of another")).await.unwrap();
    assert_eq!(titles(&mut fixture, &claim_from(&third, 3, "NULL")).await, ["before", "of another"]);
}

#[rstest::rstest]
#[case::is_paused("INSERT INTO job_queues (name, paused_at) VALUES ('default', now())", "NULL")]
#[case::is_capped("INSERT INTO job_queues (name, max_running_per_workspace) VALUES ('default', 3)", "NULL")]
#[case::has_a_kind_that_is_capped("SELECT 1", "3")]
#[case::is_of_an_archived_workspace("UPDATE workspaces SET is_active = false", "NULL")]
#[tokio::test]
async fn a_claim_does_not_go_on_where_the_queue(#[case] change: &str, #[case] cap: &str) {
    let mut fixture = Fixture::new().await;
    let third = three_of_ten_are_claimed(&mut fixture).await;
    fixture.sql(change).await;
    assert_eq!(titles(&mut fixture, &claim_from(&third, 3, cap)).await, Vec::<String>::new());
    // One of the three makes room for one.
    fixture.sql("UPDATE job_queues SET paused_at = NULL").await;
    fixture.sql("UPDATE workspaces SET is_active = true").await;
    fixture.sql("UPDATE jobs SET lease_expires_at = now() WHERE payload ->> 'title' = '0'").await;
    workspace_db::jobs::rescue(&fixture.db, 10).await.unwrap();
    assert_eq!(titles(&mut fixture, &claim_from(&third, 1, cap)).await, ["3"]);
}

/// With a snapshot held open nothing that has been claimed can leave the index.
#[tokio::test]
async fn a_claim_that_goes_on_does_not_go_over_what_has_been_claimed() {
    let mut fixture = Fixture::new().await;
    let mut holder = fixture.database.connect().await.unwrap();
    holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs").await.unwrap();
    enqueue_all(&mut fixture.a().await, (0..5_000).map(Write::titled)).await.unwrap();
    let mut last = None;
    for _ in 0..9 {
        let claimed = fixture.claim(500).await;
        finish(&fixture.db, claimed.iter().map(|claimed| (claimed.lease(), Outcome::Done))).await.unwrap();
        last = claimed.iter().map(|claimed| (claimed.job.scheduled_at, claimed.job.id)).max();
    }
    let left_at = after(&mut fixture, last.unwrap().1).await;
    let on = pages(&mut fixture, &claim_from(&left_at, 1, "NULL")).await;
    let all = pages(&mut fixture, &claim_from(NOWHERE, 1, "NULL")).await;
    assert!(on * 2 < all, "{on} pages going on, {all} looking everywhere");
}

/// How many pages a claim goes to.
async fn pages(fixture: &mut Fixture, from: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = diesel::sql_types::Json, column_name = "QUERY PLAN")]
        plan: Value,
    }
    let query = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM {from}");
    // The first claim of a connection also reads the catalog.
    let mut seen = 0;
    for _ in 0..2 {
        let plan: Plan =
            diesel_async::RunQueryDsl::get_result(diesel::sql_query(&query), &mut fixture.conn).await.unwrap();
        let top = &plan.plan[0]["Plan"];
        seen = top["Shared Hit Blocks"].as_i64().unwrap() + top["Shared Read Blocks"].as_i64().unwrap();
    }
    seen
}

#[tokio::test]
async fn a_worker_with_a_backlog_has_eyes_for_who_comes_meanwhile() {
    const BACKLOG: usize = 10_000;
    let fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..BACKLOG).map(Write::titled)).await.unwrap();
    let (done, place, some_are) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let worker = {
        let (done, place, some_are) = (Arc::clone(&done), Arc::clone(&place), Arc::clone(&some_are));
        fixture.worker().handle(move |job: RunningJob<Write>| {
            let nth = done.fetch_add(1, Ordering::SeqCst) + 1;
            if job.arguments.title == "of another" {
                place.store(nth, Ordering::SeqCst);
            }
            if nth == BACKLOG / 4 {
                some_are.notify_one();
            }
            std::future::ready(Ok::<_, Error>(Outcome::Done))
        })
    };
    let other = async {
        tokio::time::timeout(Duration::from_secs(60), some_are.notified()).await.expect("nothing is done");
        enqueue(&mut fixture.b().await, Write::titled("of another")).await.unwrap();
    };
    let (drained, ()) = tokio::join!(worker.drain(), other);
    drained.unwrap();
    let place = place.load(Ordering::SeqCst);
    assert!(place > 0 && place < BACKLOG, "it was the {place}th of {BACKLOG} others");
}
