use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Text};
use diesel::{ExpressionMethods as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use workspace_db::conversations::{
    AnswerFacts, AnswerStart, AnswerTimes, MAX_CONTENT_BYTES, MessageInput, append, begin_answer, history,
    interrupt_expired, stop_answer,
};
use workspace_db::id::{ConversationId, MessageId, WorkspaceId};
use workspace_db::jobs::{JobKind, Outcome, RunningJob, Worker};
use workspace_db::models::{Message, NewMessage};
use workspace_db::schema::{message_deltas, messages};
use workspace_db::sql_types::{MessageRole, MessageState};
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};

use super::{Fixture, begin};
use crate::size;

const ORDERS: &str = "WORKSPACE_DB_TEST_ANSWER";
const SHORT: AnswerTimes = AnswerTimes { lease: Duration::from_millis(400), flush_every: Duration::from_millis(1) };
const DEADLINE: Duration = Duration::from_secs(60);

async fn message(fixture: &mut Fixture, id: MessageId) -> Message {
    messages::table.in_workspace(&fixture.ws).find(id).first(&mut fixture.ws).await.unwrap()
}

/// Waits until the lease of the answer is over, and interrupts it.
async fn rescue(fixture: &Fixture, answer: MessageId) {
    let began = Instant::now();
    loop {
        let ended = interrupt_expired(&fixture.db, 100).await.unwrap();
        if ended.iter().any(|one| one.message == answer && one.workspace == fixture.a.workspace) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the answer is not interrupted");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_arrives_in_parts_and_ends() {
    let mut fixture = Fixture::new().await;
    let question = fixture.append(MessageInput::user("When do you open?")).await.message;
    let mut writer = fixture.begin(&MessageInput::answer().client_id("run-1"), AnswerTimes::default()).await;
    let answer = writer.message();
    assert_eq!(message(&mut fixture, answer).await.state, MessageState::Pending);
    assert_eq!(history(&mut fixture.ws, fixture.talk, 9).await.unwrap().len(), 1, "a pending answer is no history");
    let parts = ["At ", "nine", ", or é ", "ten."];
    for part in parts {
        writer.push(part).await.unwrap();
        writer.flush().await.unwrap();
    }
    let streaming = message(&mut fixture, answer).await;
    assert_eq!((streaming.state, streaming.content.as_str()), (MessageState::Streaming, ""));
    let deltas: Vec<(i64, String)> = message_deltas::table
        .in_workspace(&fixture.ws)
        .filter(message_deltas::message_id.eq(answer))
        .order(message_deltas::position)
        .select((message_deltas::position, message_deltas::content))
        .load(&mut fixture.ws)
        .await
        .unwrap();
    assert_eq!(deltas.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), parts);
    let error = append(&mut fixture.ws, fixture.talk, &MessageInput::user("x").after(answer)).await.unwrap_err();
    assert!(error.is_conflict() && error.field() == Some("parent_id"), "{error}");
    writer.push(" Come in!").await.unwrap();
    let facts = AnswerFacts { tokens: Some(9), confidence: Some(0.75), metadata: None };
    assert_eq!(writer.complete(&facts).await.unwrap(), MessageState::Complete);
    let ended = message(&mut fixture, answer).await;
    assert_eq!((ended.content.as_str(), ended.tokens), ("At nine, or é ten. Come in!", Some(9)));
    assert_eq!((ended.confidence, ended.parent_id, ended.lease_token), (Some(0.75), Some(question), None));
    let left: i64 = message_deltas::table
        .in_workspace(&fixture.ws)
        .filter(message_deltas::message_id.eq(answer))
        .count()
        .first(&mut fixture.ws)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(history(&mut fixture.ws, fixture.talk, 9).await.unwrap().last().unwrap().id, answer);
    let again = MessageInput::answer().client_id("run-1");
    let again = begin_answer(&fixture.db, &fixture.scope, fixture.talk, &again, AnswerTimes::default()).await.unwrap();
    assert!(matches!(again, AnswerStart::Known(known) if known.message == answer && !known.is_new));
}

#[tokio::test]
async fn a_stream_is_flushed_by_time_and_holds_no_connection() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("Tell me a story")).await;
    let narrow = fixture.database.open(1).await.unwrap();
    let times = AnswerTimes { lease: Duration::from_secs(30), flush_every: Duration::from_millis(10) };
    let mut writer = begin(&narrow, &fixture.scope, fixture.talk, &MessageInput::answer(), times).await;
    let answer = writer.message();
    let (scope, talk) = (fixture.scope.clone(), fixture.talk);
    // Between the parts, the model thinks until what it has said is stored: seen over the pool's only connection.
    let parts = stream::unfold(0, |number| {
        let (narrow, scope) = (narrow.clone(), scope.clone());
        async move {
            if number == 5 {
                return None;
            }
            let began = Instant::now();
            while number > 0 && began.elapsed() < DEADLINE {
                let mut ws = narrow.workspace(&scope).await.unwrap();
                let stored: i64 = message_deltas::table
                    .in_workspace(&ws)
                    .filter(message_deltas::message_id.eq(answer))
                    .count()
                    .first(&mut ws)
                    .await
                    .unwrap();
                if stored == number {
                    break;
                }
                drop(ws);
                tokio::task::yield_now().await;
            }
            Some((Ok::<_, workspace_db::Error>(format!("{number} ")), number + 1))
        }
    });
    writer.push_all(parts).await.unwrap();
    writer.complete(&AnswerFacts::default()).await.unwrap();
    assert_eq!(history(&mut fixture.ws, talk, 9).await.unwrap().last().unwrap().content, "0 1 2 3 4 ");
}

#[tokio::test]
async fn who_has_lost_the_lease_changes_nothing() {
    let mut fixture = Fixture::new().await;
    let question = fixture.append(MessageInput::user("one")).await.message;
    let mut slow = fixture.begin(&MessageInput::answer(), SHORT).await;
    let answer = slow.message();
    slow.push("slow").await.unwrap();
    slow.flush().await.unwrap();
    rescue(&fixture, answer).await;
    let interrupted = message(&mut fixture, answer).await;
    assert_eq!((interrupted.state, interrupted.content.as_str()), (MessageState::Interrupted, "slow"));
    // Another is made meanwhile, beside it.
    let mut quick = fixture.begin(&MessageInput::answer().beside(answer), AnswerTimes::default()).await;
    quick.push("quick").await.unwrap();
    let second = quick.message();
    quick.complete(&AnswerFacts::default()).await.unwrap();
    slow.push(" and late").await.unwrap_or_default();
    assert!(slow.flush().await.unwrap_err().is_lease_lost());
    assert!(slow.complete(&AnswerFacts::default()).await.unwrap_err().is_lease_lost());
    assert_eq!(message(&mut fixture, answer).await, interrupted);
    let chain = history(&mut fixture.ws, fixture.talk, 9).await.unwrap();
    assert_eq!(chain.iter().map(|one| one.id).collect::<Vec<_>>(), [question, second]);
}

#[tokio::test]
async fn a_piece_whose_storing_was_not_heard_is_stored_once() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("one")).await;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    let id = writer.message();
    writer.push("abc").await.unwrap();
    // As if it had been flushed, and the answer had been lost: the writer sends it again, with what has come since.
    let mut conn = fixture.database.connect().await.unwrap();
    let stored = "INSERT INTO message_deltas (workspace_id, message_id, position, content)
        SELECT workspace_id, id, 0, 'abc' FROM messages WHERE id = $1";
    diesel::sql_query(stored).bind::<diesel::sql_types::Uuid, _>(*id.as_uuid()).execute(&mut conn).await.unwrap();
    writer.push("def").await.unwrap();
    writer.flush().await.unwrap();
    // A flush that is given up in its midst, at whichever point, loses nothing.
    for part in ["g", "h", "i"] {
        writer.push(part).await.unwrap();
        tokio::select! {
            biased;
            flushed = writer.flush() => flushed.unwrap(),
            () = std::future::ready(()) => {}
        }
    }
    writer.complete(&AnswerFacts::default()).await.unwrap();
    assert_eq!(message(&mut fixture, id).await.content, "abcdefghi");
}

#[tokio::test]
async fn one_locked_conversation_delays_its_own_answers_only() {
    let mut fixture = Fixture::new().await;
    let locked = fixture.begin(&MessageInput::answer(), SHORT).await.message();
    let other = super::conversation(&mut fixture.ws).await;
    let mut writer = begin(&fixture.db, &fixture.scope, other, &MessageInput::answer(), SHORT).await;
    writer.push("half").await.unwrap();
    writer.flush().await.unwrap();
    let second = writer.message();
    let mut conn = fixture.database.connect().await.unwrap();
    diesel::sql_query("BEGIN").execute(&mut conn).await.unwrap();
    let lock = diesel::sql_query("SELECT FROM conversations WHERE id = $1 FOR UPDATE");
    lock.bind::<diesel::sql_types::Uuid, _>(*fixture.talk.as_uuid()).execute(&mut conn).await.unwrap();
    rescue(&fixture, second).await;
    assert_eq!(message(&mut fixture, locked).await.state, MessageState::Pending);
    diesel::sql_query("ROLLBACK").execute(&mut conn).await.unwrap();
    rescue(&fixture, locked).await;
    assert_eq!(message(&mut fixture, locked).await.state, MessageState::Interrupted);
}

#[tokio::test]
async fn a_lease_ends_in_time_whatever_the_conversation_says() {
    let mut fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    let ahead = "UPDATE conversations SET last_message_at = '2099-01-01'";
    diesel::sql_query(ahead).execute(&mut conn).await.unwrap();
    let pending = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await.message();
    let lease = message(&mut fixture, pending).await.lease_expires_at.unwrap();
    assert!(lease < chrono::Utc::now() + chrono::TimeDelta::minutes(1), "{lease}");
}

#[tokio::test]
async fn an_interrupted_answer_without_text_is_no_history() {
    let mut fixture = Fixture::new().await;
    let old = NewMessage::new(fixture.talk, MessageRole::User, "an old question");
    messages::table.in_workspace(&fixture.ws).insert(&old).execute(&mut fixture.ws).await.unwrap();
    let dead = fixture.begin(&MessageInput::answer(), SHORT).await.message();
    let texts = async |fixture: &mut Fixture| {
        let chain = history(&mut fixture.ws, fixture.talk, 9).await.unwrap();
        chain.into_iter().map(|one| one.content).collect::<Vec<_>>()
    };
    assert_eq!(texts(&mut fixture).await, ["an old question"], "the model is asked with the question");
    rescue(&fixture, dead).await;
    assert_eq!(texts(&mut fixture).await, ["an old question"]);
    let next = fixture.append(MessageInput::user("again")).await;
    assert_eq!((next.parent, next.seq), (Some(old.id), Some(3)));
    assert_eq!(texts(&mut fixture).await, ["an old question", "again"]);
    let leaf = workspace_db::conversations::select_branch(&mut fixture.ws, fixture.talk, old.id).await.unwrap();
    assert_eq!(leaf, next.message);
}

#[tokio::test]
async fn an_answer_leaves_the_head_to_who_has_gone_on() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    let question = fixture.append(MessageInput::user("one")).await.message;
    let first = fixture.append(MessageInput::bot("first answer")).await.message;
    let mut again = fixture.begin(&MessageInput::answer().beside(first), AnswerTimes::default()).await;
    again.push("second answer").await.unwrap();
    // Meanwhile, the visitor goes back to the first answer.
    workspace_db::conversations::select_branch(&mut fixture.ws, talk, first).await.unwrap();
    again.complete(&AnswerFacts::default()).await.unwrap();
    let chain: Vec<_> = history(&mut fixture.ws, talk, 9).await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(chain, [question, first]);
}

#[tokio::test]
async fn a_stop_keeps_what_has_come() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("one")).await;
    let mut stopped = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    stopped.push("half of").await.unwrap();
    let id = stopped.message();
    assert_eq!(stopped.stop().await.unwrap(), MessageState::Interrupted);
    assert_eq!(message(&mut fixture, id).await.content, "half of");
    let mut remote = fixture.begin(&MessageInput::answer().beside(id), AnswerTimes::default()).await;
    remote.push("another half").await.unwrap();
    remote.flush().await.unwrap();
    let second = remote.message();
    assert_eq!(stop_answer(&mut fixture.ws, second).await.unwrap(), Some(MessageState::Interrupted));
    assert_eq!(stop_answer(&mut fixture.ws, second).await.unwrap(), None);
    remote.push(" and more").await.unwrap();
    assert!(remote.flush().await.unwrap_err().is_lease_lost());
    assert_eq!(message(&mut fixture, second).await.content, "another half");
    let error = stop_answer(&mut fixture.ws, fixture.b.message).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn an_empty_or_failed_answer_is_no_history() {
    let mut fixture = Fixture::new().await;
    let question = fixture.append(MessageInput::user("one")).await.message;
    let mut empty = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    assert_eq!(empty.complete(&AnswerFacts::default()).await.unwrap(), MessageState::Failed);
    let mut failed = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    failed.push("I was about").await.unwrap();
    let id = failed.message();
    assert_eq!(failed.fail("the model\0 is gone").await.unwrap(), MessageState::Failed);
    let stored = message(&mut fixture, id).await;
    assert_eq!(
        (stored.content.as_str(), stored.metadata["error"].as_str()),
        ("I was about", Some("the model is gone"))
    );
    let next = fixture.append(MessageInput::user("two")).await;
    assert_eq!(next.parent, Some(question));
}

#[tokio::test]
async fn bad_answers_and_times_are_refused() {
    let fixture = Fixture::new().await;
    let (long, times) = (Duration::from_secs(3_601), AnswerTimes::default());
    let cases = [
        (MessageInput::user("x"), times, "author"),
        (MessageInput::bot("x"), times, "author"),
        (MessageInput::answer(), AnswerTimes { lease: long, ..times }, "lease"),
        (MessageInput::answer(), AnswerTimes { lease: Duration::ZERO, ..times }, "lease"),
        (MessageInput::answer(), AnswerTimes { flush_every: times.lease, ..times }, "lease"),
        (MessageInput::answer().client_id(""), times, "client_id"),
    ];
    for (message, times, field) in cases {
        let error = begin_answer(&fixture.db, &fixture.scope, fixture.talk, &message, times).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some(field), "{error}");
    }
    let mut writer = fixture.begin(&MessageInput::answer(), times).await;
    for part in ["a\0b".to_owned(), "x".repeat(MAX_CONTENT_BYTES + 1)] {
        let error = writer.push(&part).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some("content"), "{error}");
    }
    writer.push(&"x".repeat(MAX_CONTENT_BYTES)).await.unwrap();
    assert!(writer.push("x").await.unwrap_err().is_invalid_input());
    let wrong = AnswerFacts { confidence: Some(2.0), ..AnswerFacts::default() };
    assert!(writer.complete(&wrong).await.unwrap_err().is_invalid_input());
    let wrong = AnswerFacts { tokens: Some(u32::MAX), ..AnswerFacts::default() };
    assert_eq!(writer.complete(&wrong).await.unwrap_err().field(), Some("tokens"));
    assert_eq!(writer.complete(&AnswerFacts::default()).await.unwrap(), MessageState::Complete, "nothing was lost");
}

/// What the process that is killed gets.
#[derive(Serialize, Deserialize)]
struct Orders {
    app_url: String,
    workspace: WorkspaceId,
    talk: ConversationId,
}

/// A process that writes answers until it is killed.
#[tokio::test]
#[ignore = "a process that other tests start"]
async fn an_answering_process() {
    let orders = env::var(ORDERS).expect("another test starts this one");
    let Orders { app_url, workspace, talk } = serde_json::from_str(&orders).unwrap();
    let config =
        workspace_db::config::Config { database_app_url: Some(app_url.parse().unwrap()), ..Default::default() };
    let db = Database::open(&config).await.unwrap();
    let scope = WorkspaceScope::unchecked(workspace, "a test");
    let mut writer = begin(&db, &scope, talk, &MessageInput::answer(), SHORT).await;
    for number in 0_u64.. {
        writer.push(&format!("{number},")).await.unwrap();
    }
}

#[derive(QueryableByName)]
struct Flushed {
    #[diesel(sql_type = BigInt)]
    pieces: i64,
    #[diesel(sql_type = Text)]
    text: String,
}

/// What is flushed of the conversation's answer that is being made; no row before it is begun.
async fn flushed(conn: &mut AsyncPgConnection, talk: ConversationId) -> Option<Flushed> {
    let query =
        "SELECT count(d.message_id) AS pieces, coalesce(string_agg(d.content, '' ORDER BY d.position), '') AS text
        FROM messages AS m LEFT JOIN message_deltas AS d ON d.workspace_id = m.workspace_id AND d.message_id = m.id
        WHERE m.conversation_id = $1 AND m.lease_token IS NOT NULL GROUP BY m.id";
    let query = diesel::sql_query(query).bind::<diesel::sql_types::Uuid, _>(*talk.as_uuid());
    query.load(conn).await.unwrap().into_iter().next()
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_that_it_has_flushed() {
    let mut fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    fixture.append(MessageInput::user("one")).await;
    for kill in 0..size("WORKSPACE_DB_TEST_ANSWER_KILLS", 6, 200) {
        let orders = Orders {
            app_url: fixture.database.app_url().unwrap().expose().to_owned(),
            workspace: fixture.a.workspace,
            talk: fixture.talk,
        };
        let mut child = start(&orders);
        let (began, wanted) = (Instant::now(), i64::try_from(kill % 4).unwrap() * 3);
        // Killed as soon as it has flushed so often: 0, 3, 6 or 9 times.
        let seen = loop {
            match flushed(&mut conn, fixture.talk).await {
                Some(flushed) if flushed.pieces >= wanted => break flushed.text,
                _ => assert!(began.elapsed() < DEADLINE, "the process has not answered"),
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let answer = fixture.messages().await.pop().unwrap();
        rescue(&fixture, answer.id).await;
        let ended = message(&mut fixture, answer.id).await;
        assert_eq!(ended.state, MessageState::Interrupted);
        assert!(ended.content.starts_with(&seen), "{seen:?} was flushed, but {:?} is left", ended.content);
        let numbers: Vec<&str> = ended.content.split_terminator(',').collect();
        let expected: Vec<String> = (0..numbers.len()).map(|number| number.to_string()).collect();
        assert_eq!(numbers, expected, "nothing twice, and nothing left out");
    }
    assert_eq!(fixture.messages().await[0].content, "one");
}

fn start(orders: &Orders) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "conversations::streaming::an_answering_process", "--ignored", "--nocapture"])
        .env(ORDERS, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_worker_interrupts_what_a_dead_writer_left() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("one")).await;
    let mut dead = fixture.begin(&MessageInput::answer(), SHORT).await;
    dead.push("half").await.unwrap();
    dead.flush().await.unwrap();
    let id = dead.message();
    let worker = Worker::new(&fixture.db).handle(nothing).run(async {
        let began = Instant::now();
        while message(&mut fixture, id).await.state != MessageState::Interrupted {
            assert!(began.elapsed() < DEADLINE, "the worker has not interrupted it");
            tokio::task::yield_now().await;
        }
    });
    worker.await.unwrap();
    drop(dead);
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

impl JobKind for Nothing {
    const NAME: &'static str = "nothing";
}

async fn nothing(_job: RunningJob<Nothing>) -> workspace_db::Result<Outcome> {
    Ok(Outcome::Done)
}
