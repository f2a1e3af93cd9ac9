use futures_util::future::join_all;
use workspace_db::conversations::{
    AnswerFacts, AnswerTimes, ConversationFilter, FeedbackInput, MessageInput, Rating, StatusChange, append,
    change_status, for_visitor, give_feedback, list_conversations, review_queue, take_back_feedback,
};
use workspace_db::id::{AdminUserId, ConversationId, MessageId};
use workspace_db::models::{Feedback, Message};
use workspace_db::schema::{feedback, messages};
use workspace_db::sql_types::{ConversationSpeaker, ConversationStatus, FeedbackJudge};
use workspace_db::tenancy::{InWorkspace as _, Keyset, PageKey};

use super::Fixture;

async fn judgements(fixture: &mut Fixture, message: MessageId) -> Vec<Feedback> {
    use diesel::{ExpressionMethods as _, SelectableHelper as _};
    feedback::table
        .in_workspace(&fixture.ws)
        .filter(feedback::message_id.eq(message))
        .order(feedback::judge)
        .select(Feedback::as_select())
        .load(&mut fixture.ws)
        .await
        .unwrap()
}

async fn queue(fixture: &mut Fixture) -> Vec<MessageId> {
    review_queue(&mut fixture.ws, None, 100).await.unwrap().iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn a_visitor_and_a_reviewer_judge_once_each() {
    let mut fixture = Fixture::new().await;
    let answer = fixture.append(MessageInput::bot("At nine.")).await.message;
    let admin = fixture.a.admin_user;
    let bad = FeedbackInput::visitor(Rating::Bad).label("outdated").comment("You open at ten.");
    let first = give_feedback(&mut fixture.ws, answer, &bad).await.unwrap();
    assert_eq!((first.score, first.judge, first.admin_user_id), (-1, FeedbackJudge::Visitor, None));
    let review = FeedbackInput::reviewer(admin, Rating::Neutral).better_answer("At ten.");
    give_feedback(&mut fixture.ws, answer, &review).await.unwrap();
    let again = give_feedback(&mut fixture.ws, answer, &FeedbackInput::visitor(Rating::Good)).await.unwrap();
    assert_eq!((again.id, again.score), (first.id, 1));
    assert_eq!((again.label, again.comment), (None, None), "nothing of the first judgement is left");
    assert!(again.updated_at > first.updated_at);
    let both = judgements(&mut fixture, answer).await;
    assert_eq!(both.iter().map(|one| one.judge).collect::<Vec<_>>(), [FeedbackJudge::Visitor, FeedbackJudge::Reviewer]);
    assert_eq!((both[1].admin_user_id, both[1].better_answer.as_deref()), (Some(admin), Some("At ten.")));
    for _ in 0..3 {
        assert!(take_back_feedback(&mut fixture.ws, answer, FeedbackJudge::Visitor).await.unwrap());
        assert!(!take_back_feedback(&mut fixture.ws, answer, FeedbackJudge::Visitor).await.unwrap());
        give_feedback(&mut fixture.ws, answer, &bad).await.unwrap();
    }
    assert_eq!(judgements(&mut fixture, answer).await.len(), 2);
}

#[tokio::test]
async fn of_judgements_at_once_one_is_left() {
    let mut fixture = Fixture::new().await;
    let answer = fixture.append(MessageInput::bot("At nine.")).await.message;
    let given = join_all((0..20).map(async |number| {
        let mut ws = fixture.db.workspace(&fixture.scope).await.unwrap();
        let rating = if number % 2 == 0 { Rating::Good } else { Rating::Bad };
        give_feedback(&mut ws, answer, &FeedbackInput::visitor(rating)).await.unwrap().id
    }))
    .await;
    assert!(given.iter().all(|id| *id == given[0]));
    assert_eq!(judgements(&mut fixture, answer).await.len(), 1);
}

#[tokio::test]
async fn judgements_of_others_and_bad_texts_are_refused() {
    let mut fixture = Fixture::new().await;
    for missing in [fixture.b.message, MessageId::generate()] {
        let error = give_feedback(&mut fixture.ws, missing, &FeedbackInput::visitor(Rating::Good)).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert!(!take_back_feedback(&mut fixture.ws, missing, FeedbackJudge::Reviewer).await.unwrap());
    }
    let (answer, good) = (fixture.a.message, || FeedbackInput::visitor(Rating::Good));
    let nobody = FeedbackInput::reviewer(AdminUserId::generate(), Rating::Good);
    assert!(give_feedback(&mut fixture.ws, answer, &nobody).await.unwrap_err().is_not_found());
    let cases = [
        (good().label("a\0b"), "label"),
        (good().comment("x".repeat(2_000_000)), "comment"),
        (good().better_answer("a\0b"), "better_answer"),
    ];
    for (judgement, field) in cases {
        let error = give_feedback(&mut fixture.ws, answer, &judgement).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some(field), "{error}");
    }
}

#[tokio::test]
async fn the_queue_has_what_a_person_should_read() {
    let mut fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    let threshold = async |conn: &mut diesel_async::AsyncPgConnection, value: &str| {
        let set = format!("UPDATE workspaces SET confidence_threshold = {value}");
        diesel_async::RunQueryDsl::execute(diesel::sql_query(set), conn).await.unwrap();
    };
    threshold(&mut conn, "0.7").await;
    let sure = fixture.append(MessageInput::bot("sure").confidence(0.7)).await.message;
    let unsure = fixture.append(MessageInput::bot("unsure").confidence(0.69)).await.message;
    let unknown = fixture.append(MessageInput::bot("unknown")).await.message;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    let streamed = writer.message();
    writer.push("streamed").await.unwrap();
    writer.complete(&AnswerFacts { confidence: Some(0.1), ..AnswerFacts::default() }).await.unwrap();
    assert_eq!(queue(&mut fixture).await, [unsure, streamed]);
    // Another threshold changes no verdict that was made.
    threshold(&mut conn, "0.05").await;
    let rows: Vec<Message> = fixture.messages().await;
    let verdicts: Vec<_> = rows.iter().map(|one| (one.id, one.needs_review, one.review_threshold)).collect();
    let (yes, no) = (Some(0.7), None);
    assert_eq!(verdicts, [(sure, false, yes), (unsure, true, yes), (unknown, false, no), (streamed, true, yes)]);
    // What the visitor finds bad is in it as well, and nothing that a reviewer has read.
    give_feedback(&mut fixture.ws, sure, &FeedbackInput::visitor(Rating::Bad)).await.unwrap();
    give_feedback(&mut fixture.ws, unsure, &FeedbackInput::visitor(Rating::Bad)).await.unwrap();
    assert_eq!(queue(&mut fixture).await, [sure, unsure, streamed]);
    let first = review_queue(&mut fixture.ws, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|one| one.id).collect::<Vec<_>>(), [sure, unsure]);
    let second = review_queue(&mut fixture.ws, first.last().map(Keyset::page_key), 2).await.unwrap();
    assert_eq!(second.iter().map(|one| one.id).collect::<Vec<_>>(), [streamed]);
    let review = FeedbackInput::reviewer(fixture.a.admin_user, Rating::Good);
    give_feedback(&mut fixture.ws, unsure, &review).await.unwrap();
    take_back_feedback(&mut fixture.ws, sure, FeedbackJudge::Visitor).await.unwrap();
    assert_eq!(queue(&mut fixture).await, [streamed]);
    take_back_feedback(&mut fixture.ws, unsure, FeedbackJudge::Reviewer).await.unwrap();
    assert_eq!(queue(&mut fixture).await, [unsure, streamed]);
    messages::table.in_workspace(&fixture.ws).find(streamed).delete().execute(&mut fixture.ws).await.unwrap();
    assert_eq!(queue(&mut fixture).await, [unsure]);
}

#[tokio::test]
async fn conversations_are_listed_by_every_condition_newest_first() {
    let mut fixture = Fixture::new().await;
    let jane = for_visitor(&mut fixture.ws, "jane").await.unwrap().id;
    append(&mut fixture.ws, jane, &MessageInput::user("Hello")).await.unwrap();
    let answer = append(&mut fixture.ws, jane, &MessageInput::bot("Hi").confidence(0.1)).await.unwrap().message;
    let joe = for_visitor(&mut fixture.ws, "joe").await.unwrap().id;
    change_status(&mut fixture.ws, joe, StatusChange::RequestHuman).await.unwrap();
    let all = ConversationFilter::default;
    let by_filters = [
        (ConversationFilter { external_user_id: Some("jane".to_owned()), ..all() }, vec![jane]),
        (ConversationFilter { status: Some(ConversationStatus::Pending), ..all() }, vec![joe]),
        (ConversationFilter { status: Some(ConversationStatus::Closed), ..all() }, vec![]),
        (ConversationFilter { speaker: Some(ConversationSpeaker::Nobody), ..all() }, vec![joe]),
        (ConversationFilter { to_review: true, ..all() }, vec![jane]),
        // That of the seeded message.
        (ConversationFilter { rating: Some(Rating::Good), ..all() }, vec![fixture.a.conversation]),
        (ConversationFilter { rating: Some(Rating::Bad), ..all() }, vec![]),
        (ConversationFilter { external_user_id: Some("joe".to_owned()), to_review: true, ..all() }, vec![]),
        (all(), vec![joe, jane, fixture.talk, fixture.a.conversation]),
    ];
    for (filter, expected) in by_filters {
        assert_eq!(listed(&mut fixture, &filter, None).await, expected, "{filter:?}");
    }
    let first = list_conversations(&mut fixture.ws, &all(), None, 2).await.unwrap();
    let key = first[1].as_ref().unwrap().page_key();
    let rest = [fixture.talk, fixture.a.conversation];
    assert_eq!(listed(&mut fixture, &all(), Some(key)).await, rest);
    let review = FeedbackInput::reviewer(fixture.a.admin_user, Rating::Neutral);
    give_feedback(&mut fixture.ws, answer, &review).await.unwrap();
    assert_eq!(listed(&mut fixture, &ConversationFilter { to_review: true, ..all() }, None).await, []);
    let nul = ConversationFilter { external_user_id: Some("a\0".to_owned()), ..all() };
    let refused = list_conversations(&mut fixture.ws, &nul, None, 1).await.unwrap_err();
    assert!(refused.is_invalid_input() && refused.field() == Some("external_user_id"), "{refused:?}");
}

async fn listed(fixture: &mut Fixture, filter: &ConversationFilter, after: Option<PageKey>) -> Vec<ConversationId> {
    let found = list_conversations(&mut fixture.ws, filter, after, 100).await.unwrap();
    found.into_iter().map(|row| row.unwrap().id).collect()
}
