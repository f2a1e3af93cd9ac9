//! The runtime: handlers run, and whatever they do, the job ends as it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use workspace_db::Error;
use workspace_db::jobs::{Backoff, JobKind, NewJob, Outcome, RunningJob, Worker, cancel, enqueue, enqueue_all};
use workspace_db::models::NewDocument;
use workspace_db::schema::documents;
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::InWorkspace as _;

use super::{Fixture, NOW, Write, write};

#[derive(Clone, Serialize, Deserialize)]
enum Misbehave {
    Fail,
    Panic,
    PanicBeforeItWaits,
    Hang,
    SettleWithoutDoingSo,
}

impl JobKind for Misbehave {
    const NAME: &'static str = "misbehave";
    const BACKOFF: Backoff = NOW;
    const MAX_ATTEMPTS: u32 = 2;
    const TIMEOUT: Duration = Duration::from_millis(100);
}

#[expect(clippy::panic, reason = "what is tried")]
fn misbehave(job: RunningJob<Misbehave>) -> impl Future<Output = Result<Outcome, String>> + Send {
    if matches!(job.arguments, Misbehave::PanicBeforeItWaits) {
        panic!("at once");
    }
    async move {
        match job.arguments {
            Misbehave::Fail => Err("an error of its own".to_owned()),
            Misbehave::Panic => panic!("after {}", "a while"),
            Misbehave::Hang => std::future::pending().await,
            _ => Ok(Outcome::Settled),
        }
    }
}

#[tokio::test]
async fn what_is_enqueued_is_done() {
    let mut fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..300).map(|n| Write::titled(format!("{n:03}")))).await.unwrap();
    enqueue_all(&mut fixture.b().await, (300..400).map(|n| Write::titled(format!("{n:03}")))).await.unwrap();
    fixture.worker().handle(write).drain().await.unwrap();
    let expected: Vec<String> = (0..400).map(|n| format!("{n:03}")).collect();
    assert_eq!(fixture.titles().await, expected);
    let strayed = "SELECT count(*) = 400 AS met FROM documents d JOIN jobs j ON j.workspace_id = d.workspace_id
        AND j.payload ->> 'title' = d.title AND j.status = 'completed' AND j.attempts = 1";
    fixture.until(strayed).await;
}

#[rstest::rstest]
#[case::fail(Misbehave::Fail, "an error of its own")]
#[case::panic(Misbehave::Panic, "the handler panicked: after a while")]
#[case::panic_at_once(Misbehave::PanicBeforeItWaits, "the handler panicked: at once")]
#[case::hang(Misbehave::Hang, "the handler did not finish within 100ms")]
#[tokio::test]
async fn a_handler_that_misbehaves_fails_its_job_alone(#[case] how: Misbehave, #[case] why: &str) {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let bad = enqueue(&mut ws, NewJob::new(how)).await.unwrap().id();
    enqueue(&mut ws, Write::titled("x")).await.unwrap();
    fixture.worker().handle(misbehave).handle(write).drain().await.unwrap();
    let row = fixture.row(bad).await;
    assert_eq!((row.status, row.attempts, row.last_error.as_deref()), (JobStatus::Failed, 2, Some(why)));
    assert_eq!(row.errors.as_array().unwrap().len(), 2);
    assert_eq!(fixture.titles().await, ["x"]);
}

#[tokio::test]
async fn a_handler_that_only_says_that_it_has_settled_is_found_out_by_its_lease() {
    let mut fixture = Fixture::new().await;
    let id = enqueue(&mut fixture.a().await, NewJob::new(Misbehave::SettleWithoutDoingSo)).await.unwrap().id();
    fixture.worker().handle(misbehave).lease(Duration::from_secs(1)).drain().await.unwrap();
    assert_eq!(fixture.row(id).await.status, JobStatus::Running);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(fixture.bystander().run(async { drop(stopped.await) }));
    fixture.until("SELECT count(*) = 1 AS met FROM jobs WHERE status = 'queued' AND last_error LIKE '%ran out'").await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

/// The same name, other arguments: what an older or newer program has enqueued.
#[derive(Serialize, Deserialize)]
struct OtherWrite {
    number: u32,
}
impl JobKind for OtherWrite {
    const NAME: &'static str = Write::NAME;
}

#[derive(Serialize, Deserialize)]
struct Unknown {}
impl JobKind for Unknown {
    const NAME: &'static str = "unknown";
}

#[tokio::test]
async fn arguments_that_do_not_parse_are_dead_at_once_and_an_unknown_kind_waits_for_who_knows_it() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let other = enqueue(&mut ws, NewJob::new(OtherWrite { number: 1 })).await.unwrap().id();
    let unknown = enqueue(&mut ws, NewJob::new(Unknown {})).await.unwrap().id();
    fixture.worker().handle(write).drain().await.unwrap();
    let other = fixture.row(other).await;
    assert_eq!((other.status, other.attempts), (JobStatus::Failed, 1));
    assert!(other.last_error.unwrap().contains("missing field `title`"));
    let unknown = fixture.row(unknown).await;
    assert_eq!((unknown.status, unknown.attempts), (JobStatus::Queued, 0));
}

#[tokio::test]
async fn no_more_run_at_once_than_was_asked_for() {
    let fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..60).map(Write::titled)).await.unwrap();
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let worker = {
        let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
        fixture.worker().concurrency("default", 3).handle(move |_: RunningJob<Write>| {
            let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
            async move {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error>(Outcome::Done)
            }
        })
    };
    worker.drain().await.unwrap();
    assert_eq!(peak.load(Ordering::SeqCst), 3);
}

/// A worker whose handler says that it has begun and then waits for what never comes.
fn waiting(fixture: &Fixture, begun: &Arc<Notify>) -> Worker {
    let begun = Arc::clone(begun);
    fixture.worker().handle(move |job: RunningJob<Write>| {
        let begun = Arc::clone(&begun);
        async move {
            let mut ws = job.workspace().await?;
            ws.transaction(async |tx| {
                let document = NewDocument::new("half");
                documents::table.in_workspace(job.scope()).insert(&document).execute(tx).await?;
                begun.notify_one();
                std::future::pending::<()>().await;
                Ok::<_, Error>(Outcome::Done)
            })
            .await
        }
    })
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_its_jobs_back() {
    let mut fixture = Fixture::new().await;
    let ids = enqueue_all(&mut fixture.a().await, (0..3).map(Write::titled)).await.unwrap();
    let begun = Arc::new(Notify::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = waiting(&fixture, &begun).concurrency("default", 1).shutdown_grace_period(Duration::from_millis(50));
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    begun.notified().await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    for id in ids {
        let row = fixture.row(id.id()).await;
        assert_eq!((row.status, row.attempts), (JobStatus::Queued, 0), "{row:?}");
    }
    assert_eq!(fixture.titles().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_has_begun_may_end_before_the_deadline() {
    let mut fixture = Fixture::new().await;
    let id = enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap().id();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        fixture.worker().handle(move |_: RunningJob<Write>| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok::<_, Error>(Outcome::Done)
            }
        })
    };
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    begun.notified().await;
    stop.send(()).unwrap();
    go_on.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(fixture.row(id).await.status, JobStatus::Completed);
}

#[tokio::test]
async fn a_running_job_is_cancelled_on_request() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let id = enqueue(&mut ws, Write::titled("x")).await.unwrap().id();
    let begun = Arc::new(Notify::new());
    let running = tokio::spawn(waiting(&fixture, &begun).lease(Duration::from_secs(1)).run(std::future::pending()));
    begun.notified().await;
    assert_eq!(cancel(&mut ws, id).await.unwrap(), JobStatus::Running);
    fixture.until("SELECT count(*) = 1 AS met FROM jobs WHERE status = 'cancelled'").await;
    assert_eq!(fixture.row(id).await.last_error.as_deref(), Some("cancelled on request"));
    running.abort();
    assert_eq!(fixture.titles().await, Vec::<String>::new());
}

#[tokio::test]
async fn heartbeats_keep_a_job_for_longer_than_its_lease() {
    let mut fixture = Fixture::new().await;
    let id = enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap().id();
    let begun = Arc::new(Notify::new());
    let running = tokio::spawn(waiting(&fixture, &begun).lease(Duration::from_secs(1)).run(std::future::pending()));
    begun.notified().await;
    fixture
        .until("SELECT count(*) = 1 AS met FROM jobs WHERE status = 'running' AND now() > started_at + interval '3 s'")
        .await;
    assert_eq!(fixture.row(id).await.attempts, 1);
    running.abort();
}

/// With a poll that never comes, only what is said at the commit can wake it.
#[tokio::test]
async fn a_worker_that_sleeps_is_woken_by_a_commit() {
    let mut fixture = Fixture::new().await;
    let running =
        tokio::spawn(fixture.worker().handle(write).poll(Duration::from_secs(3_600)).run(std::future::pending()));
    fixture.until("SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").await;
    let mut ws = fixture.a().await;
    for n in 0..20 {
        ws.transaction(async |tx| enqueue(tx, Write::titled(format!("{n:02}"))).await).await.unwrap();
        fixture.until(&format!("SELECT count(*) = {} AS met FROM documents", n + 1)).await;
    }
    running.abort();
}

#[tokio::test]
async fn a_worker_without_work_or_with_a_wrong_setting_says_so() {
    let fixture = Fixture::new().await;
    let wrong = [
        fixture.worker(),
        fixture.worker().concurrency("default", 0),
        fixture.worker().handle(write).lease(Duration::from_millis(10)),
        fixture.worker().handle(write).lease(Duration::MAX),
        fixture.worker().handle(write).poll(Duration::ZERO),
    ];
    for worker in wrong {
        assert!(worker.drain().await.unwrap_err().is_invalid_input());
    }
}

#[tokio::test]
async fn what_becomes_of_jobs_is_counted() {
    let recorder = DebuggingRecorder::new();
    let said = recorder.snapshotter();
    // Of this thread, on which the test's runtime has all its tasks.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    enqueue_all(&mut ws, (0..5).map(Write::titled)).await.unwrap();
    enqueue(&mut ws, NewJob::new(Misbehave::Fail)).await.unwrap();
    fixture.worker().handle(write).handle(misbehave).drain().await.unwrap();
    let mut counts = std::collections::BTreeMap::new();
    let mut runs = 0;
    for (key, _, _, value) in said.snapshot().into_vec() {
        let (name, labels) = key.key().clone().into_parts();
        match (name.as_str(), value) {
            ("workspace_db_jobs_finished_total", DebugValue::Counter(count)) => {
                let outcome = labels.iter().find(|label| label.key() == "outcome").unwrap().value().to_owned();
                counts.insert(outcome, count);
            }
            ("workspace_db_jobs_run_seconds", DebugValue::Histogram(times)) => runs += times.len(),
            _ => {}
        }
    }
    assert_eq!(counts, [("settled".to_owned(), 5), ("retried".to_owned(), 2)].into());
    assert_eq!(runs, 7);
}

#[derive(Clone, Serialize, Deserialize)]
struct OneByOne {}
impl JobKind for OneByOne {
    const NAME: &'static str = "one_by_one";
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = Some(1);
}

/// With a poll that never comes, only the end of the job before can make room for the next.
#[tokio::test]
async fn a_slot_below_a_cap_is_used_as_soon_as_it_is_free() {
    let mut fixture = Fixture::new().await;
    enqueue_all(&mut fixture.a().await, (0..20).map(|_| NewJob::new(OneByOne {}))).await.unwrap();
    let handler = async |_: RunningJob<OneByOne>| Ok::<_, Error>(Outcome::Done);
    let worker = fixture.worker().handle(handler).poll(Duration::from_secs(3_600));
    let running = tokio::spawn(worker.run(std::future::pending()));
    fixture.until("SELECT count(*) = 20 AS met FROM jobs WHERE status = 'completed'").await;
    running.abort();
}

/// Keeps the thread without yielding. Tokio is told, or nobody might mind its timers and sockets meanwhile.
fn block(until: &std::sync::Barrier) {
    tokio::task::block_in_place(|| until.wait());
}

/// It can neither be dropped nor waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_its_thread_does_not_keep_the_worker_from_stopping() {
    let fixture = Fixture::new().await;
    enqueue(&mut fixture.a().await, Write::titled("x")).await.unwrap();
    let (begun, free) = (Arc::new(Notify::new()), Arc::new(std::sync::Barrier::new(2)));
    let worker = {
        let (begun, free) = (Arc::clone(&begun), Arc::clone(&free));
        fixture.worker().shutdown_grace_period(Duration::from_millis(50)).handle(move |_: RunningJob<Write>| {
            begun.notify_one();
            block(&free);
            async { Ok::<_, Error>(Outcome::Done) }
        })
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    begun.notified().await;
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    free.wait();
    ended.expect("the worker waits for its handler").unwrap().unwrap();
}

/// The first of both kinds enqueues the second, whose queue is empty by then.
#[derive(Serialize, Deserialize)]
struct Relay {
    rounds: u32,
}
impl JobKind for Relay {
    const NAME: &'static str = "relay";
    const QUEUE: &'static str = "relay";
}

#[derive(Serialize, Deserialize)]
struct Back {
    rounds: u32,
}
impl JobKind for Back {
    const NAME: &'static str = "back";
    const QUEUE: &'static str = "back";
}

#[tokio::test]
async fn a_drain_ends_when_no_queue_has_anything_left() {
    let mut fixture = Fixture::new().await;
    enqueue(&mut fixture.a().await, NewJob::new(Relay { rounds: 5 })).await.unwrap();
    let forth = async |job: RunningJob<Relay>| {
        enqueue(&mut job.workspace().await?, NewJob::new(Back { rounds: job.arguments.rounds })).await?;
        Ok::<_, Error>(Outcome::Done)
    };
    let back = async |job: RunningJob<Back>| {
        if let Some(rounds) = job.arguments.rounds.checked_sub(1) {
            enqueue(&mut job.workspace().await?, NewJob::new(Relay { rounds })).await?;
        }
        Ok::<_, Error>(Outcome::Done)
    };
    fixture.worker().handle(forth).handle(back).drain().await.unwrap();
    fixture.until("SELECT count(*) = 12 AND bool_and(status = 'completed') AS met FROM jobs").await;
}

/// A worker that has claimed ahead while its jobs were short, and then gets one that is long.
#[tokio::test]
async fn jobs_do_not_wait_behind_a_long_one_while_others_could_run_them() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    enqueue_all(&mut ws, (0..2_000).map(|n| Write::titled(if n == 1_000 { "long" } else { "short" }))).await.unwrap();
    let handler = async |job: RunningJob<Write>| {
        if job.arguments.title == "long" {
            std::future::pending::<()>().await;
        }
        Ok::<_, Error>(Outcome::Done)
    };
    // Alone it can't go on: the rest is given back, since nothing else says that this worker is slow.
    let alone = fixture.worker().concurrency("default", 1).handle(handler).run(std::future::pending());
    let alone = tokio::spawn(alone);
    fixture
        .until(
            "SELECT count(*) = 1 AND bool_and(payload ->> 'title' = 'long') AS met FROM jobs WHERE status = 'running'",
        )
        .await;
    let other = fixture.worker().handle(handler).run(std::future::pending());
    let other = tokio::spawn(other);
    fixture
        .until("SELECT count(*) = 1999 AND bool_and(attempts = 1) AS met FROM jobs WHERE status = 'completed'")
        .await;
    alone.abort();
    other.abort();
}

/// Somebody cancels a job that runs, and leaves the transaction open.
#[tokio::test]
async fn a_transaction_that_holds_one_job_keeps_no_other_from_ending() {
    let mut fixture = Fixture::new().await;
    let mut ws = fixture.a().await;
    let held = enqueue(&mut ws, Write::titled("held")).await.unwrap().id();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let worker = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        fixture.worker().handle(move |job: RunningJob<Write>| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                if job.arguments.title == "held" {
                    begun.notify_one();
                    go_on.notified().await;
                }
                Ok::<_, Error>(Outcome::Done)
            }
        })
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    begun.notified().await;
    let mut other = fixture.a().await;
    ws.transaction(async |tx| {
        cancel(tx, held).await?;
        go_on.notify_one();
        enqueue_all(&mut other, (0..50).map(Write::titled)).await?;
        fixture.until("SELECT count(*) = 50 AS met FROM jobs WHERE status = 'completed'").await;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    fixture.until("SELECT count(*) = 51 AS met FROM jobs WHERE status = 'completed'").await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(fixture.row(held).await.attempts, 1);
}

#[derive(Clone, Serialize, Deserialize)]
struct Blocks {}
impl JobKind for Blocks {
    const NAME: &'static str = "blocks";
    const TIMEOUT: Duration = Duration::from_millis(100);
}

/// It can't be dropped at its time-out; so its lease is left to run out, and the job waits again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_whose_handler_blocks_its_thread_is_rescued_after_its_time_out() {
    let mut fixture = Fixture::new().await;
    let id = enqueue(&mut fixture.a().await, NewJob::new(Blocks {})).await.unwrap().id();
    let free = Arc::new(std::sync::Barrier::new(2));
    let blocking = {
        let free = Arc::clone(&free);
        move |job: RunningJob<Blocks>| {
            if job.row().attempts == 1 {
                block(&free);
            }
            async { Ok::<_, Error>(Outcome::Done) }
        }
    };
    let worker = fixture.worker().lease(Duration::from_secs(1)).concurrency("default", 1).handle(blocking);
    let running = tokio::spawn(worker.run(std::future::pending()));
    let condition = "SELECT count(*) = 1 AS met FROM jobs WHERE status = 'queued' AND last_error LIKE '%ran out'";
    let rescued = tokio::time::timeout(Duration::from_secs(8), fixture.until(condition)).await;
    free.wait();
    rescued.expect("the worker keeps what it can't end");
    fixture.until("SELECT count(*) = 1 AS met FROM jobs WHERE status = 'completed'").await;
    assert_eq!(fixture.row(id).await.attempts, 2);
    running.abort();
}

/// What [`Write`] was before its kind moved to another queue.
#[derive(Serialize, Deserialize)]
struct WriteOfOld {
    title: String,
}
impl JobKind for WriteOfOld {
    const NAME: &'static str = Write::NAME;
    const QUEUE: &'static str = "old";
}

#[tokio::test]
async fn jobs_of_a_kind_that_has_moved_are_done_in_the_queue_that_they_wait_in() {
    let mut fixture = Fixture::new().await;
    enqueue(&mut fixture.a().await, NewJob::new(WriteOfOld { title: "old".to_owned() })).await.unwrap();
    fixture.worker().handle(write).concurrency("old", 1).drain().await.unwrap();
    assert_eq!(fixture.titles().await, ["old"]);
}
