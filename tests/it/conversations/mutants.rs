//! Each protection is taken out of its function, and what it prevents happens.

use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl as _;
use futures_util::future::join_all;
use workspace_db::conversations::{
    AnswerFacts, AnswerTimes, MessageInput, StatusChange, append, change_status, for_visitor, interrupt_expired,
};
use workspace_db::sql_types::MessageState;

use super::Fixture;

const DEADLINE: Duration = Duration::from_secs(60);
const SHORT: AnswerTimes = AnswerTimes { lease: Duration::from_millis(100), flush_every: Duration::from_millis(1) };

#[derive(QueryableByName)]
struct Definition {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Fixture {
    /// A fixture whose database has this function with another text in the place of a protection.
    async fn without(function: &str, protection: &str, instead: &str) -> Self {
        let fixture = Self::new().await;
        let mut conn = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
        let query = "SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = $1";
        let definition: Definition =
            diesel::sql_query(query).bind::<Text, _>(function).get_result(&mut conn).await.unwrap();
        assert!(definition.text.contains(protection), "{}", definition.text);
        let mutant = definition.text.replacen(protection, instead, 1);
        diesel::sql_query(mutant).execute(&mut conn).await.unwrap();
        fixture
    }
}

#[tokio::test]
async fn without_the_lock_two_messages_would_have_one_number() {
    let fixture = Fixture::without("workspace_db_append_message", "FOR NO KEY UPDATE", "").await;
    let began = Instant::now();
    loop {
        let appended = join_all((0..16).map(async |number| {
            let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
            append(&mut ws, fixture.talk, &MessageInput::user(format!("message {number}"))).await
        }))
        .await;
        if let Some(error) = appended.into_iter().find_map(Result::err) {
            assert_eq!(error.constraint(), Some("messages_seq_key"), "{error:?}");
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the lock is not needed");
    }
}

#[tokio::test]
async fn without_the_visitors_lock_two_messages_would_make_two_conversations() {
    let lock = "pg_advisory_xact_lock(hashtextextended(of_workspace::text || '/' || visitor, 0))";
    let fixture = Fixture::without("workspace_db_open_conversation", lock, "1").await;
    let began = Instant::now();
    for round in 0.. {
        let talks = join_all((0..16).map(async |_| {
            let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
            for_visitor(&mut ws, &format!("visitor {round}")).await.unwrap()
        }))
        .await;
        if talks.iter().filter(|talk| talk.is_new).count() > 1 {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the lock is not needed");
    }
}

#[tokio::test]
async fn without_the_fence_a_late_writer_would_go_on() {
    let fence = "AND m.lease_token = lease AND m.lease_expires_at > moment";
    let fixture = Fixture::without("workspace_db_flush_answer", fence, "").await;
    let mut late = fixture.begin(&MessageInput::answer(), SHORT).await;
    let began = Instant::now();
    while interrupt_expired(&fixture.db, 10).await.unwrap().is_empty() {
        assert!(began.elapsed() < DEADLINE, "the answer is not interrupted");
    }
    late.push("late").await.unwrap();
    late.flush().await.expect("without the fence, nobody tells the writer that it is too late");
}

#[tokio::test]
async fn without_the_mark_an_old_answer_would_be_shown_after_a_hand_over() {
    let mark = "OR known.seq <= conversation.hand_over_seq";
    let fixture = Fixture::without("workspace_db_end_answer", mark, "").await;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    writer.push("old").await.unwrap();
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    for change in [StatusChange::TakeOver, StatusChange::GiveBack] {
        change_status(&mut ws, fixture.talk, change).await.unwrap();
    }
    assert_eq!(writer.complete(&AnswerFacts::default()).await.unwrap(), MessageState::Complete);
}

#[tokio::test]
async fn without_the_length_a_piece_would_be_lost() {
    let longer = "DO UPDATE SET content = excluded.content\n        WHERE octet_length(excluded.content) > octet_length(d.content)";
    let fixture = Fixture::without("workspace_db_flush_answer", longer, "DO NOTHING").await;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    let mut conn = fixture.database.connect().await.unwrap();
    let unheard = "INSERT INTO message_deltas (workspace_id, message_id, position, content)
        SELECT workspace_id, id, 0, 'abc' FROM messages WHERE lease_token IS NOT NULL";
    diesel::sql_query(unheard).execute(&mut conn).await.unwrap();
    writer.push("abcdef").await.unwrap();
    writer.flush().await.unwrap();
    let error = writer.complete(&AnswerFacts::default()).await.unwrap_err();
    assert!(error.to_string().contains("3 bytes are stored and not 6"), "the end notices: {error}");
}
