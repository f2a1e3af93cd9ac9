use chrono::{TimeDelta, Utc};
use diesel_async::RunQueryDsl as _;
use workspace_db::conversations::{FeedbackInput, MessageInput, Rating, append, for_visitor, give_feedback};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::search::{MessageHit, MessageSearch};
use workspace_db::sql_types::MessageState;
use workspace_db::tenancy::WorkspaceScope;

use super::Fixture;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = diesel::sql_types::Array<diesel::sql_types::Uuid>)]
    ids: Vec<uuid::Uuid>,
}

async fn found(fixture: &mut Fixture, search: MessageSearch) -> Vec<MessageHit> {
    search.run(&mut fixture.ws).await.unwrap().hits
}

fn ids(hits: &[MessageHit]) -> Vec<MessageId> {
    hits.iter().map(|hit| hit.message_id).collect()
}

#[tokio::test]
async fn a_message_is_found_by_words_in_its_language_with_marks() {
    let mut fixture = Fixture::new().await;
    let dutch = MessageInput::user("Verkopen jullie fietsen?").language("nl".parse().unwrap());
    let dutch = fixture.append(dutch).await.message;
    let english = fixture.append(MessageInput::bot("We sell bicycles, and <b>repair</b> them.")).await.message;
    let hits = found(&mut fixture, MessageSearch::new("bicycle", 10)).await;
    assert_eq!(ids(&hits), [english]);
    let marked: Vec<_> = hits[0].excerpt.iter().filter(|part| part.is_match).map(|part| part.text.as_str()).collect();
    assert_eq!(marked, ["bicycles"]);
    let text: String = hits[0].excerpt.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(text, "sell bicycles, and <b>repair</b> them");
    assert_eq!((hits[0].title.as_deref(), hits[0].conversation_id), (Some("Verkopen jullie fietsen?"), fixture.talk));
    assert_eq!(ids(&found(&mut fixture, MessageSearch::new("verkoop", 10)).await), [dutch]);
    for (text, expected) in [
        ("bicycle or fiets", vec![english, dutch]),
        ("\"sell bicycles\"", vec![english]),
        ("\"bicycles sell\"", vec![]),
        ("sell -repair", vec![]),
        ("sell -\"repair sell\"", vec![english]),
        ("sell -\"sell bicycles\"", vec![]),
        ("\"sell bicycles\" -repair", vec![]),
        ("\"sell bicycles\" or \"verkopen jullie\"", vec![english, dutch]),
        ("sell fietsen", vec![]),
        ("?? !", vec![]),
    ] {
        let mut hits = ids(&found(&mut fixture, MessageSearch::new(text, 10)).await);
        hits.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!(hits, expected, "{text}");
    }
}

#[tokio::test]
async fn a_search_is_narrowed_by_person_conversation_state_time_and_rating() {
    let mut fixture = Fixture::new().await;
    let mut of_visitor = Vec::new();
    for visitor in ["jane", "joe"] {
        let talk = for_visitor(&mut fixture.ws, visitor).await.unwrap().id;
        let question = append(&mut fixture.ws, talk, &MessageInput::user("A refund please")).await.unwrap().message;
        let answer = append(&mut fixture.ws, talk, &MessageInput::bot("No refund")).await.unwrap().message;
        of_visitor.push((talk, question, answer));
    }
    let [(janes, question, answer), (_, _, joes)] = of_visitor[..] else { unreachable!("two visitors") };
    give_feedback(&mut fixture.ws, answer, &FeedbackInput::visitor(Rating::Bad)).await.unwrap();
    give_feedback(&mut fixture.ws, joes, &FeedbackInput::visitor(Rating::Good)).await.unwrap();
    let search = || MessageSearch::new("refund", 10);
    assert_eq!(found(&mut fixture, search()).await.len(), 4);
    let hits = found(&mut fixture, search().person("jane")).await;
    assert!(hits.iter().all(|hit| hit.external_user_id.as_deref() == Some("jane")) && hits.len() == 2, "{hits:?}");
    assert_eq!(found(&mut fixture, search().conversation(janes)).await.len(), 2);
    assert_eq!(ids(&found(&mut fixture, search().rating(Rating::Bad)).await), [answer]);
    assert_eq!(ids(&found(&mut fixture, search().person("joe").rating(Rating::Good)).await), [joes]);
    assert_eq!(found(&mut fixture, search().states([MessageState::Withheld])).await, []);
    assert_eq!(found(&mut fixture, search().states([MessageState::Complete, MessageState::Failed])).await.len(), 4);
    assert_eq!(found(&mut fixture, search().since(Utc::now() + TimeDelta::minutes(1))).await, []);
    assert_eq!(found(&mut fixture, search().until(Utc::now() - TimeDelta::minutes(1))).await, []);
    assert_eq!(found(&mut fixture, search().until(Utc::now() + TimeDelta::minutes(1))).await.len(), 4);
    // Of equal scores the newest comes first, and the number of all is told.
    let two = MessageSearch::new("refund", 2).run(&mut fixture.ws).await.unwrap();
    assert_eq!((two.hits.len(), two.matches, two.bound_reached), (2, 4, false));
    assert!(!ids(&two.hits).contains(&question));
}

#[tokio::test]
async fn another_workspaces_messages_are_not_found() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("mine alone")).await;
    let scope = WorkspaceScope::unchecked(fixture.b.workspace, "a test");
    let mut theirs = fixture.db.workspace(&scope).await.unwrap();
    let talk = super::conversation(&mut theirs).await;
    append(&mut theirs, talk, &MessageInput::user("mine and the words of the question")).await.unwrap();
    let reading = format!("workspace/{} or question or mine", fixture.b.workspace);
    for search in [
        MessageSearch::new("mine", 10),
        MessageSearch::new("question", 10),
        MessageSearch::new(reading, 10),
        MessageSearch::new("mine", 10).conversation(talk),
    ] {
        let hits = found(&mut fixture, search.clone()).await;
        assert!(hits.iter().all(|hit| hit.conversation_id == fixture.talk), "{search:?}: {hits:?}");
    }
    let everything = "SELECT ids FROM workspace_db_matching_messages('!nothing'::tsquery, NULL, 100, NULL, NULL, NULL, NULL, NULL, NULL)";
    let mut app = workspace_db::db::connect(&fixture.database.app_url().unwrap()).await.unwrap();
    let row: Row = diesel::sql_query(everything).get_result(&mut app).await.unwrap();
    assert!(row.ids.is_empty(), "a transaction without a workspace found something");
}

#[tokio::test]
async fn a_search_that_is_out_of_bounds_is_refused_with_its_field() {
    let mut fixture = Fixture::new().await;
    for (field, search) in [
        ("text", MessageSearch::new(" ", 10)),
        ("text", MessageSearch::new("a\0b", 10)),
        ("text", MessageSearch::new("x".repeat(10_001), 10)),
        ("k", MessageSearch::new("x", 0)),
        ("k", MessageSearch::new("x", 1_001)),
    ] {
        let error = search.run(&mut fixture.ws).await.unwrap_err();
        assert!(error.is_invalid_input(), "{error:?}");
        assert_eq!(error.field(), Some(field), "{error}");
    }
    let nobody = MessageSearch::new("open", 10).person("a\0").run(&mut fixture.ws).await.unwrap_err();
    assert!(nobody.is_invalid_input() && nobody.field() == Some("person"), "{nobody:?}");
    assert_eq!(found(&mut fixture, MessageSearch::new("open", 10).conversation(ConversationId::generate())).await, []);
}

#[tokio::test]
async fn the_newest_200_matches_are_ranked_and_the_result_says_so() {
    let mut fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    let insert = format!(
        "INSERT INTO messages (workspace_id, conversation_id, role, content, created_at)
         SELECT '{}', '{}', 'user', 'parcel ' || n, now() - n * interval '1 minute' FROM generate_series(1, 300) AS n",
        fixture.a.workspace, fixture.talk
    );
    diesel::sql_query(insert).execute(&mut conn).await.unwrap();
    let all = MessageSearch::new("parcel", 1_000).run(&mut fixture.ws).await.unwrap();
    assert_eq!((all.hits.len(), all.matches, all.bound_reached), (200, 200, true));
    let one = MessageSearch::new("parcel 300", 10).run(&mut fixture.ws).await.unwrap();
    assert_eq!((one.hits.len(), one.matches, one.bound_reached), (1, 1, false));
}

#[tokio::test]
async fn a_phrase_is_looked_for_in_the_newest_messages_with_its_words() {
    let mut fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    // 1,100 newer messages have both words apart, and one older one has the phrase.
    let insert = format!(
        "INSERT INTO messages (workspace_id, conversation_id, role, content, language, created_at)
         SELECT '{}', '{}', 'user', CASE WHEN n > 1100 THEN 'lost parcels ' ELSE 'parcels not lost ' END || n, 'en', now() - n * interval '1 minute'
         FROM generate_series(1, 1101) AS n",
        fixture.a.workspace, fixture.talk
    );
    diesel::sql_query(insert).execute(&mut conn).await.unwrap();
    let phrase = MessageSearch::new("\"lost parcel\"", 10).run(&mut fixture.ws).await.unwrap();
    assert_eq!((phrase.hits.len(), phrase.matches, phrase.bound_reached), (0, 0, true), "the result says so");
    let near = MessageSearch::new("\"lost parcel\"", 10).until(Utc::now() - TimeDelta::minutes(500));
    let near = near.run(&mut fixture.ws).await.unwrap();
    assert_eq!((near.hits.len(), near.matches, near.bound_reached), (1, 1, false));
    let long = (0..70).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    assert_eq!(MessageSearch::new(long, 10).run(&mut fixture.ws).await.unwrap().words_left_out, 6);
}
