//! What is enqueued waits, with the transaction that it was enqueued in, and once where it is to be unique.

use chrono::{TimeDelta, Utc};
use rstest::rstest;
use serde::{Deserialize, Serialize};
use workspace_db::Error;
use workspace_db::jobs::{
    EnqueueResult, JobKind, MAX_ARGUMENT_BYTES, NewJob, OnDuplicate, Outcome, claim, enqueue, enqueue_all, finish,
};
use workspace_db::sql_types::{JobStatus, JobUniqueness};
use workspace_db::tenancy::WorkspaceConnection;

use super::{Fixture, Write, next};

#[tokio::test]
async fn a_job_is_what_its_kind_says_and_what_was_asked_for() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let plain = enqueue(&mut ws, Write::titled("x")).await.unwrap();
    let due = Utc::now() + TimeDelta::hours(1);
    let special = enqueue(&mut ws, Write::titled("y").at(due).priority(1).max_attempts(9)).await.unwrap();
    let plain = fixture.row(plain.id()).await;
    assert_eq!((plain.job_type.as_str(), plain.queue.as_str(), plain.status), ("write", "default", JobStatus::Queued));
    assert_eq!((plain.priority, plain.attempts, plain.max_attempts), (5, 0, 3));
    assert_eq!((plain.payload, plain.workspace_id), (serde_json::json!({ "title": "x" }), fixture.a.workspace()));
    let special = fixture.row(special.id()).await;
    assert_eq!((special.priority, special.max_attempts), (1, 9));
    assert_eq!(special.scheduled_at.unwrap().timestamp_micros(), due.timestamp_micros());
}

#[tokio::test]
async fn a_job_goes_with_its_transaction() {
    let fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let undone: Result<(), Error> = ws
        .transaction(async |tx| {
            enqueue(tx, Write::titled("undone")).await?;
            Err(enqueue(tx, Write::titled("too many").max_attempts(1_001)).await.unwrap_err())
        })
        .await;
    assert!(undone.unwrap_err().is_invalid_input());
    assert_eq!(fixture.claim(10).await.len(), 0);
    ws.transaction(async |tx| enqueue_all(tx, (0..3).map(Write::titled)).await).await.unwrap();
    assert_eq!(fixture.claim(10).await.len(), 3);
}

#[tokio::test]
async fn many_are_answered_in_their_order() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let unique = |n: u32| match n % 3 {
        0 => Write::titled(n),
        1 => Write::titled(n).unique(n.to_string(), JobUniqueness::Unfinished, OnDuplicate::Keep),
        _ => Write::titled(n).unique(n.to_string(), JobUniqueness::Kept, OnDuplicate::Replace),
    };
    let answers = enqueue_all(&mut ws, (0..2_500).map(unique)).await.unwrap();
    assert_eq!(answers.len(), 2_500);
    for n in [0, 1, 2, 999, 1_000, 2_499] {
        let row = fixture.row(answers[n].id()).await;
        assert_eq!(row.payload["title"], n.to_string());
    }
    assert_eq!(enqueue_all(&mut ws, Vec::<NewJob<Write>>::new()).await.unwrap(), []);
}

#[tokio::test]
async fn a_held_key_keeps_replaces_or_refuses() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let unique = |title, answer| Write::titled(title).unique("key", JobUniqueness::Unfinished, answer);
    let first = enqueue(&mut ws, unique("first", OnDuplicate::Keep)).await.unwrap();
    let id = first.id();
    assert_eq!(first, EnqueueResult::Inserted(id));
    assert_eq!(enqueue(&mut ws, unique("second", OnDuplicate::Keep)).await.unwrap(), EnqueueResult::Kept(id));
    assert_eq!(fixture.row(id).await.payload["title"], "first");
    let third = unique("third", OnDuplicate::Replace).priority(1);
    assert_eq!(enqueue(&mut ws, third).await.unwrap(), EnqueueResult::Replaced(id));
    let row = fixture.row(id).await;
    assert_eq!((row.payload["title"].as_str(), row.priority), (Some("third"), 1));
    let refused = enqueue(&mut ws, unique("fourth", OnDuplicate::Refuse)).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    // Started, it is not replaced any more; and the key of one workspace is none in another.
    assert_eq!(fixture.claim(1).await.len(), 1);
    assert_eq!(enqueue(&mut ws, unique("fifth", OnDuplicate::Replace)).await.unwrap(), EnqueueResult::Kept(id));
    let elsewhere = enqueue(&mut fixture.b().await, unique("sixth", OnDuplicate::Refuse)).await.unwrap();
    assert_ne!(elsewhere.id(), id);
    assert_eq!(fixture.row(elsewhere.id()).await.workspace_id, fixture.b.workspace());
}

/// Whether a key is taken while its job waits, runs, has completed and has failed.
#[rstest]
#[case::queued(JobUniqueness::Queued, [true, false, false, false])]
#[case::unfinished(JobUniqueness::Unfinished, [true, true, false, false])]
#[case::succeeded(JobUniqueness::Succeeded, [true, true, true, false])]
#[case::kept(JobUniqueness::Kept, [true, true, true, true])]
#[tokio::test]
async fn a_key_is_taken_for_as_long_as_was_asked(#[case] until: JobUniqueness, #[case] taken: [bool; 4]) {
    let fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    for (end, taken_then) in [(Outcome::Done, taken[2]), (Outcome::dead("no"), taken[3])] {
        let key = end.clone();
        let job = || Write::titled("x").unique(format!("{key:?}"), until, OnDuplicate::Keep);
        let is_taken =
            async |ws: &mut WorkspaceConnection| matches!(enqueue(ws, job()).await.unwrap(), EnqueueResult::Kept(_));
        assert!(!is_taken(&mut ws).await);
        assert_eq!(is_taken(&mut ws).await, taken[0]);
        let claimed = fixture.claim(1).await.remove(0);
        assert_eq!(is_taken(&mut ws).await, taken[1], "{until} while it runs");
        // What was enqueued beside it is out of the way.
        for beside in fixture.claim(1).await {
            finish(&fixture.db, [(beside.lease(), Outcome::dead("beside"))]).await.unwrap();
        }
        finish(&fixture.db, [(claimed.lease(), end.clone())]).await.unwrap();
        assert_eq!(is_taken(&mut ws).await, taken_then, "{until} after {end:?}");
        for beside in fixture.claim(1).await {
            finish(&fixture.db, [(beside.lease(), Outcome::dead("beside"))]).await.unwrap();
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Large {
    text: String,
}
impl JobKind for Large {
    const NAME: &'static str = "large";
}

#[tokio::test]
async fn arguments_that_cannot_be_stored_are_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let max_text = MAX_ARGUMENT_BYTES - r#"{"text":""}"#.len();
    enqueue(&mut ws, NewJob::new(Large { text: "x".repeat(max_text) })).await.unwrap();
    let larger = enqueue(&mut ws, NewJob::new(Large { text: "x".repeat(max_text + 1) })).await.unwrap_err();
    assert!(larger.is_invalid_input() && larger.to_string().contains("262145 bytes"), "{larger}");
    let nul = enqueue(&mut ws, Write::titled("\0")).await.unwrap_err();
    assert!(nul.is_invalid_input() && nul.field() == Some("payload"), "{nul}");
    let twins = ["same", "same"].map(|key| Write::titled("x").unique(key, JobUniqueness::Kept, OnDuplicate::Keep));
    let twins = enqueue_all(&mut ws, twins).await.unwrap_err();
    assert!(twins.is_invalid_input() && twins.to_string().contains("\"same\""), "{twins}");
    for wrong in [
        Write::titled("x").priority(-1),
        Write::titled("x").max_attempts(0),
        Write::titled("x").max_attempts(u32::MAX),
        Write::titled("x").unique("", JobUniqueness::Kept, OnDuplicate::Keep),
        Write::titled("x").unique("k".repeat(501), JobUniqueness::Kept, OnDuplicate::Keep),
    ] {
        assert!(enqueue(&mut ws, wrong).await.unwrap_err().is_invalid_input());
    }
    assert_eq!(claim(&fixture.db, &next(10).kind::<Large>()).await.unwrap().len(), 1);
}
