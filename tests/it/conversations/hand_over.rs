use futures_util::future::join_all;
use workspace_db::conversations::{
    AnswerFacts, AnswerTimes, MessageInput, StatusChange, append, change_status, history, release,
};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::sql_types::{ConversationSpeaker, ConversationStatus, MessageState};

use super::{Fixture, begin};

const CHANGES: [StatusChange; 6] = [
    StatusChange::RequestHuman,
    StatusChange::TakeOver,
    StatusChange::GiveBack,
    StatusChange::Resolve,
    StatusChange::Reopen,
    StatusChange::Close,
];

#[tokio::test]
async fn every_change_is_allowed_or_refused_as_the_table_says() {
    let fixture = Fixture::new().await;
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    // All paths of four changes, each on a conversation of its own.
    for path in 0..CHANGES.len().pow(4) {
        let talk = super::conversation(&mut ws).await;
        let mut state = (ConversationStatus::Open, ConversationSpeaker::Bot);
        for digit in 0..4 {
            let change = CHANGES[path / CHANGES.len().pow(digit) % CHANGES.len()];
            let changed = change_status(&mut ws, talk, change).await;
            let Some(next) = change.apply(state.0, state.1) else {
                assert!(changed.unwrap_err().is_conflict());
                break;
            };
            let row = changed.unwrap();
            state = next;
            assert_eq!((row.status, row.speaker), state);
            assert_eq!(row.closed_at.is_some(), row.status == ConversationStatus::Closed);
        }
    }
    for missing in [ConversationId::generate(), fixture.b.conversation] {
        let error = change_status(&mut ws, missing, StatusChange::Close).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[tokio::test]
async fn of_people_who_take_over_at_once_one_does() {
    let fixture = Fixture::new().await;
    let taken = join_all((0..8).map(async |_| {
        let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
        change_status(&mut ws, fixture.talk, StatusChange::TakeOver).await
    }))
    .await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
    assert!(taken.iter().all(|taken| taken.as_ref().err().is_none_or(workspace_db::Error::is_conflict)));
}

#[tokio::test]
async fn after_the_hand_over_no_answer_of_the_bot_is_shown() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    let question = fixture.append(MessageInput::user("May I speak to a person?")).await.message;
    let error = append(&mut fixture.ws, talk, &MessageInput::human("Hello")).await.unwrap_err();
    assert!(error.is_conflict() && error.field() == Some("author"), "{error}");
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    writer.push("Of course").await.unwrap();
    writer.flush().await.unwrap();
    assert!(!writer.is_withheld());
    change_status(&mut fixture.ws, talk, StatusChange::TakeOver).await.unwrap();
    writer.push(" not.").await.unwrap();
    writer.flush().await.unwrap();
    assert!(writer.is_withheld(), "the writer learns it at the next flush");
    let late = writer.message();
    assert_eq!(writer.complete(&AnswerFacts::default()).await.unwrap(), MessageState::Withheld);
    let next = fixture.append(MessageInput::bot("Are you still there?")).await;
    assert_eq!(next.state, MessageState::Withheld);
    let person = fixture.append(MessageInput::human("I am here.")).await;
    assert_eq!((person.state, person.parent), (MessageState::Complete, Some(question)));
    let shown = async |fixture: &mut Fixture| {
        let shown = history(&mut fixture.ws, talk, 10).await.unwrap();
        shown.iter().map(|one| (one.content.clone(), one.by_human)).collect::<Vec<_>>()
    };
    let both = [("May I speak to a person?".to_owned(), false), ("I am here.".to_owned(), true)];
    assert_eq!(shown(&mut fixture).await, both);
    assert!(release(&mut fixture.ws, late).await.unwrap());
    assert!(!release(&mut fixture.ws, late).await.unwrap(), "once is enough");
    assert_eq!(shown(&mut fixture).await, both, "what came later stays the head");
    let stored = fixture.messages().await;
    let released = stored.iter().find(|one| one.id == late).unwrap();
    assert_eq!((released.content.as_str(), released.state), ("Of course not.", MessageState::Complete));
    change_status(&mut fixture.ws, talk, StatusChange::GiveBack).await.unwrap();
    assert_eq!(fixture.append(MessageInput::bot("Anything else?")).await.state, MessageState::Complete);
    let error = append(&mut fixture.ws, talk, &MessageInput::human("Hello")).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    for missing in [MessageId::generate(), fixture.b.message] {
        let error = release(&mut fixture.ws, missing).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[tokio::test]
async fn an_answer_from_before_a_hand_over_is_withheld_whatever_came_after() {
    use StatusChange::{Close, GiveBack, Reopen, RequestHuman, Resolve, TakeOver};
    let fixture = Fixture::new().await;
    let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
    let paths: [(&[StatusChange], MessageState); 6] = [
        (&[TakeOver, GiveBack], MessageState::Withheld),
        (&[RequestHuman, GiveBack], MessageState::Withheld),
        (&[TakeOver, Resolve], MessageState::Withheld),
        (&[TakeOver, Resolve, Reopen], MessageState::Withheld),
        (&[Close], MessageState::Withheld),
        (&[Resolve, Reopen], MessageState::Complete),
    ];
    for (changes, expected) in paths {
        let talk = super::conversation(&mut ws).await;
        append(&mut ws, talk, &MessageInput::user("one")).await.unwrap();
        let answer = MessageInput::answer();
        let mut writer = begin(&fixture.db, &fixture.scope, talk, &answer, AnswerTimes::default()).await;
        writer.push("two").await.unwrap();
        for change in changes {
            change_status(&mut ws, talk, *change).await.unwrap();
        }
        let message = writer.message();
        assert_eq!(writer.complete(&AnswerFacts::default()).await.unwrap(), expected, "{changes:?}");
        let shown = if expected == MessageState::Complete { 2 } else { 1 };
        assert_eq!(history(&mut ws, talk, 9).await.unwrap().len(), shown, "{changes:?}");
        if changes == [Close] {
            assert!(release(&mut ws, message).await.unwrap_err().is_conflict());
        } else {
            assert_eq!(release(&mut ws, message).await.unwrap(), expected == MessageState::Withheld);
            assert_eq!(history(&mut ws, talk, 9).await.unwrap().len(), 2, "{changes:?}");
        }
    }
}

#[tokio::test]
async fn half_an_answer_stays_half_when_it_is_released() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("one")).await;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    writer.push("half").await.unwrap();
    change_status(&mut fixture.ws, fixture.talk, StatusChange::TakeOver).await.unwrap();
    assert_eq!(writer.stop().await.unwrap(), MessageState::Withheld);
    assert!(release(&mut fixture.ws, writer.message()).await.unwrap());
    let stored = fixture.messages().await.pop().unwrap();
    assert_eq!((stored.state, stored.content.as_str()), (MessageState::Interrupted, "half"));
}

#[tokio::test]
async fn a_released_answer_is_the_head_if_nothing_came_after_it() {
    let mut fixture = Fixture::new().await;
    let talk = fixture.talk;
    fixture.append(MessageInput::user("one")).await;
    change_status(&mut fixture.ws, talk, StatusChange::RequestHuman).await.unwrap();
    let withheld = fixture.append(MessageInput::bot("two")).await;
    assert_eq!(withheld.state, MessageState::Withheld);
    assert_eq!(history(&mut fixture.ws, talk, 10).await.unwrap().len(), 1);
    release(&mut fixture.ws, withheld.message).await.unwrap();
    let next = fixture.append(MessageInput::user("three")).await;
    assert_eq!(next.parent, Some(withheld.message));
}
