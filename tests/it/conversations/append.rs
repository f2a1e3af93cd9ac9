use diesel::ExpressionMethods as _;
use futures_util::future::join_all;
use workspace_db::conversations::{MAX_CONTENT_BYTES, MessageInput, append, for_visitor, history};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::{Conversation, NewMessage};
use workspace_db::schema::{conversations, messages};
use workspace_db::sql_types::{ConversationStatus, MessageRole, MessageState};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};

use super::{Fixture, conversation, messages_of};
use crate::size;

#[tokio::test]
async fn messages_of_one_transaction_have_an_order() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    fixture
        .ws
        .transaction(async |tx| {
            append(tx, talk, &MessageInput::user("Hello,\nwhen do you open?")).await?;
            append(tx, talk, &MessageInput::bot("At nine.").tokens(3).confidence(0.5)).await
        })
        .await
        .unwrap();
    let stored = fixture.messages().await;
    let seen: Vec<_> = stored.iter().map(|one| (one.seq, one.role, one.parent_id, one.state)).collect();
    let (user, assistant) = (MessageRole::User, MessageRole::Assistant);
    assert_eq!(
        seen,
        [
            (Some(1), user, None, MessageState::Complete),
            (Some(2), assistant, Some(stored[0].id), MessageState::Complete)
        ]
    );
    assert!(stored[0].created_at <= stored[1].created_at);
    assert_eq!((stored[1].tokens, stored[1].confidence), (Some(3), Some(0.5)));
    let row: Conversation =
        conversations::table.in_workspace(&fixture.ws).find(talk).first(&mut fixture.ws).await.unwrap();
    assert_eq!((row.last_seq, row.head_id), (2, Some(stored[1].id)));
    assert_eq!(row.title.as_deref(), Some("Hello,"));
    assert_eq!((row.first_message_at, row.last_message_at), (Some(stored[0].created_at), Some(stored[1].created_at)));
}

#[tokio::test]
async fn appenders_at_once_lose_nothing_and_tie_never() {
    let fixture = Fixture::new().await;
    let (appenders, each) = (64, usize::try_from(size("WORKSPACE_DB_TEST_APPENDS", 20, 1_000)).unwrap());
    let appended = join_all((0..appenders).map(async |appender| {
        let mut seen = Vec::new();
        for number in 0..each {
            let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
            // Every fifth message is the one before, sent again.
            let number = if number % 5 == 4 { number - 1 } else { number };
            let id = format!("{appender}/{number}");
            let message = MessageInput::user(format!("message {id}")).client_id(id);
            let result = append(&mut ws, fixture.talk, &message).await.unwrap();
            seen.push((number, result.seq.unwrap(), result.is_new));
        }
        seen
    }))
    .await;
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    let stored = messages_of(&mut ws, fixture.talk).await;
    let distinct = appenders * (each - each / 5);
    assert_eq!(stored.len(), distinct);
    let numbers: Vec<i64> = stored.iter().map(|one| one.seq.unwrap()).collect();
    assert_eq!(numbers, (1..=i64::try_from(distinct).unwrap()).collect::<Vec<_>>());
    assert!(stored.windows(2).all(|pair| pair[0].created_at <= pair[1].created_at), "time follows the order");
    for seen in &appended {
        let inserted: Vec<_> = seen.iter().filter(|(.., is_new)| *is_new).map(|(_, seq, _)| *seq).collect();
        assert!(inserted.is_sorted(), "one sender's messages have their order");
        for (number, seq, _) in seen {
            let mut same = seen.iter().filter(|(other, ..)| other == number);
            assert!(same.all(|(_, other, _)| other == seq), "sent again, it is the same message");
        }
    }
    let history = history(&mut ws, fixture.talk, u32::MAX).await.unwrap();
    assert_eq!(history.len(), distinct, "each follows the one before");
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_one_message() {
    let fixture = Fixture::new().await;
    let sent = MessageInput::user("How late?").client_id("wamid.1");
    let results = join_all((0..50).map(async |_| {
        let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
        append(&mut ws, fixture.talk, &sent).await.unwrap()
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_new).count(), 1);
    assert!(results.iter().all(|result| result.message == results[0].message && result.seq == Some(1)));
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    for other in [MessageInput::user("How early?"), MessageInput::bot("How late?")] {
        let error = append(&mut ws, fixture.talk, &other.client_id("wamid.1")).await.unwrap_err();
        assert!(error.is_conflict() && error.field() == Some("client_id"), "{error}");
    }
    assert_eq!(messages_of(&mut ws, fixture.talk).await.len(), 1);
    // The id is the conversation's: another one may have the same.
    let other = conversation(&mut ws).await;
    assert!(append(&mut ws, other, &sent).await.unwrap().is_new);
}

#[tokio::test]
async fn two_first_messages_of_a_visitor_make_one_conversation() {
    let fixture = Fixture::new().await;
    let talks = join_all((0..16).map(async |number| {
        let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
        ws.transaction(async |tx| {
            let talk = for_visitor(tx, "jane").await?;
            append(tx, talk.id, &MessageInput::user(format!("message {number}"))).await?;
            Ok::<_, workspace_db::Error>(talk)
        })
        .await
        .unwrap()
    }))
    .await;
    assert_eq!(talks.iter().filter(|talk| talk.is_new).count(), 1);
    assert!(talks.iter().all(|talk| talk.id == talks[0].id));
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    assert_eq!(messages_of(&mut ws, talks[0].id).await.len(), 16);
    // Of another workspace, the same visitor has another conversation.
    let theirs = WorkspaceScope::unchecked(fixture.b.workspace, "a test");
    let mut theirs = fixture.db.workspace(&theirs).await.unwrap();
    let other = for_visitor(&mut theirs, "jane").await.unwrap();
    assert!(other.is_new && other.id != talks[0].id);
    for wrong in [String::new(), "x".repeat(501), "a\0b".to_owned()] {
        let error = for_visitor(&mut ws, &wrong).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some("external_user_id"), "{error}");
    }
}

#[tokio::test]
async fn a_parent_is_of_the_same_conversation_and_complete() {
    let mut fixture = Fixture::new().await;
    let first = fixture.append(MessageInput::user("one")).await.message;
    let other = conversation(&mut fixture.ws).await;
    let elsewhere = append(&mut fixture.ws, other, &MessageInput::user("two")).await.unwrap().message;
    for parent in [elsewhere, fixture.b.message, MessageId::generate()] {
        for message in [MessageInput::user("three").after(parent), MessageInput::user("three").beside(parent)] {
            let error = append(&mut fixture.ws, fixture.talk, &message).await.unwrap_err();
            assert!(error.is_not_found() && error.field() == Some("parent_id"), "{error}");
        }
    }
    // By the key too, for a statement of one's own.
    let update =
        messages::table.in_workspace(&fixture.ws).find(first).update().set(messages::parent_id.eq(Some(elsewhere)));
    let error = update.execute(&mut fixture.ws).await.unwrap_err();
    assert_eq!(error.constraint(), Some("messages_parent_id_fkey"), "{error:?}");
    assert_eq!(fixture.messages().await.len(), 1);
    let row: Conversation =
        conversations::table.in_workspace(&fixture.ws).find(fixture.talk).first(&mut fixture.ws).await.unwrap();
    assert_eq!(row.last_seq, 1, "a refused message takes no number");
}

#[tokio::test]
async fn bad_input_is_refused_with_its_field_and_stores_nothing() {
    let mut fixture = Fixture::new().await;
    let cases = [
        (MessageInput::user(""), "content"),
        (MessageInput::user(" \n\t"), "content"),
        (MessageInput::user("x".repeat(10_000_000)), "content"),
        (MessageInput::user("a\0b"), "content"),
        (MessageInput::user("x").client_id(""), "client_id"),
        (MessageInput::user("x").client_id("x".repeat(501)), "client_id"),
        (MessageInput::user("x").client_id("a\0b"), "client_id"),
        (MessageInput::user("x").tokens(u32::MAX), "tokens"),
        (MessageInput::bot("x").confidence(-0.1), "confidence"),
        (MessageInput::bot("x").confidence(f64::NAN), "confidence"),
    ];
    for (message, field) in cases {
        let error = append(&mut fixture.ws, fixture.talk, &message).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some(field), "{field}: {error}");
    }
    for missing in [ConversationId::generate(), fixture.b.conversation] {
        let error = append(&mut fixture.ws, missing, &MessageInput::user("x")).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
    assert_eq!(fixture.messages().await.len(), 0);
    fixture.append(MessageInput::user("é".repeat(MAX_CONTENT_BYTES / 2)).client_id("é".repeat(500))).await;
}

#[tokio::test]
async fn rows_of_other_programs_are_numbered_by_the_next_append() {
    let mut fixture = Fixture::new().await;
    let (talk, old) =
        (fixture.talk, ["one", "two", "three"].map(|text| NewMessage::new(fixture.talk, MessageRole::User, text)));
    for row in &old {
        messages::table.in_workspace(&fixture.ws).insert(row).execute(&mut fixture.ws).await.unwrap();
    }
    let texts = |all: &[workspace_db::models::Message]| all.iter().map(|one| one.content.clone()).collect::<Vec<_>>();
    let before = history(&mut fixture.ws, talk, 10).await.unwrap();
    assert_eq!(texts(&before), ["one", "two", "three"], "they are the history before they have numbers");
    fixture.append(MessageInput::bot("four")).await;
    messages::table
        .in_workspace(&fixture.ws)
        .insert(&NewMessage::new(talk, MessageRole::User, "five"))
        .execute(&mut fixture.ws)
        .await
        .unwrap();
    let between = history(&mut fixture.ws, talk, 10).await.unwrap();
    assert_eq!(texts(&between), ["one", "two", "three", "four", "five"]);
    fixture.append(MessageInput::bot("six")).await;
    let after = history(&mut fixture.ws, talk, 10).await.unwrap();
    assert_eq!(texts(&after), ["one", "two", "three", "four", "five", "six"]);
    assert_eq!(after.iter().map(|one| one.seq).collect::<Vec<_>>(), (1..=6).map(Some).collect::<Vec<_>>());
    assert!(after.windows(2).all(|pair| pair[1].parent_id == Some(pair[0].id)));
    assert_eq!(texts(&history(&mut fixture.ws, talk, 2).await.unwrap()), ["five", "six"], "the last ones");
}

#[tokio::test]
async fn a_visitor_reopens_what_is_resolved_and_nobody_what_is_closed() {
    use workspace_db::conversations::{StatusChange, change_status};
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    fixture.append(MessageInput::user("one").client_id("1")).await;
    change_status(&mut fixture.ws, talk, StatusChange::Resolve).await.unwrap();
    fixture.append(MessageInput::bot("Was that all?")).await;
    let status = async |fixture: &mut Fixture| {
        let row: Conversation =
            conversations::table.in_workspace(&fixture.ws).find(talk).first(&mut fixture.ws).await.unwrap();
        row.status
    };
    assert_eq!(status(&mut fixture).await, ConversationStatus::Resolved);
    fixture.append(MessageInput::user("two")).await;
    assert_eq!(status(&mut fixture).await, ConversationStatus::Open);
    let closed = change_status(&mut fixture.ws, talk, StatusChange::Close).await.unwrap();
    assert!(closed.closed_at.is_some());
    let error = append(&mut fixture.ws, talk, &MessageInput::user("three")).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(!fixture.append(MessageInput::user("one").client_id("1")).await.is_new, "what was there can be sent again");
}

#[tokio::test]
async fn a_refused_message_leaves_rows_of_other_programs_as_they_are() {
    let mut fixture = Fixture::new().await;
    let old = NewMessage::new(fixture.talk, MessageRole::User, "old");
    messages::table.in_workspace(&fixture.ws).insert(&old).execute(&mut fixture.ws).await.unwrap();
    let wrong = MessageInput::user("x").after(MessageId::generate());
    assert!(append(&mut fixture.ws, fixture.talk, &wrong).await.unwrap_err().is_not_found());
    assert_eq!(fixture.messages().await[0].seq, None);
    let beside = fixture.append(MessageInput::user("edited").beside(old.id)).await;
    assert_eq!((beside.seq, beside.parent), (Some(2), None));
    // A row with a number of its own is passed over.
    let strange = (messages::seq.eq(Some(7)), messages::parent_id.eq(Some(old.id)));
    messages::table
        .in_workspace(&fixture.ws)
        .find(beside.message)
        .update()
        .set(strange)
        .execute(&mut fixture.ws)
        .await
        .unwrap();
    assert_eq!(fixture.append(MessageInput::bot("next")).await.seq, Some(8));
}
