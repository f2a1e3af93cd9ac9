//! Conversations for a support team.

use workspace_db::conversations::{
    AnswerTimes, FeedbackInput, MessageInput, ModelCallInput, Rating, TokenUsage, append, begin_answer, for_visitor,
    give_feedback, record_model_call,
};
use workspace_db::id::{ConversationId, DocumentChunkId, DocumentId, MessageId};
use workspace_db::models::NewMessageSource;
use workspace_db::schema::message_sources;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceConnection, WorkspaceScope};

use super::Fixture;

async fn connection(fixture: &Fixture) -> (workspace_db::tenancy::Database, WorkspaceConnection) {
    let db = fixture.database.open(8).await.unwrap();
    let ws = db.workspace(&WorkspaceScope::unchecked(fixture.a.workspace, "a test")).await.unwrap();
    (db, ws)
}

/// A conversation of a visitor with a question in Markdown and an answer with a source, feedback and usage.
async fn talk(ws: &mut WorkspaceConnection, visitor: &str) -> (ConversationId, MessageId) {
    let talk = for_visitor(ws, visitor).await.unwrap().id;
    let question = MessageInput::user("Do you sell **bicycles**? <script>alert(1)</script> [x](javascript:alert(2))");
    append(ws, talk, &question).await.unwrap();
    let answer = append(ws, talk, &MessageInput::bot("Yes, *all* of them.").confidence(0.3)).await.unwrap().message;
    let source = NewMessageSource {
        title: "Our <b>wares</b>".to_owned(),
        shown_text: Some("We sell bicycles.".to_owned()),
        citation: Some(1),
        ..NewMessageSource::new(answer, 1, DocumentChunkId::generate(), DocumentId::generate(), "We sell bicycles.")
    };
    message_sources::table.in_workspace(&ws).insert(&source).execute(ws).await.unwrap();
    give_feedback(ws, answer, &FeedbackInput::visitor(Rating::Bad).comment("Not <i>true</i>")).await.unwrap();
    let usage = TokenUsage { input: Some(7), output: Some(9), ..TokenUsage::default() };
    record_model_call(ws, answer, &ModelCallInput::new("gpt-5").usage(usage)).await.unwrap();
    (talk, answer)
}

#[tokio::test]
async fn a_conversation_is_found_by_its_filters_and_words_and_shown_safely() {
    let fixture = Fixture::new(false).await;
    let (_db, mut ws) = connection(&fixture).await;
    let (talk, answer) = talk(&mut ws, "jane <b>").await;
    let path = format!("/{}/conversations", fixture.a.workspace);
    let link = format!("{path}/{talk}");
    for (query, is_listed) in [
        ("", true),
        ("?person=jane+%3Cb%3E", true),
        ("?person=joe", false),
        ("?status=open&speaker=bot&rating=bad&review=yes", true),
        ("?status=pending", false),
        ("?rating=good", false),
        ("?words=selling", true),
        ("?words=selling&rating=bad", false),
        ("?words=all&person=nobody", false),
    ] {
        let said = fixture.get(&format!("{path}{query}")).await;
        assert_eq!(said.status, 200, "{query}: {}", said.body);
        assert_eq!(said.body.contains(&link), is_listed, "{query}: {}", said.body);
    }
    let hits = fixture.get(&format!("{path}?words=bicycle")).await.body;
    assert!(hits.contains("<mark><bdi>bicycles</bdi></mark>") && !hits.contains("<script>alert"), "{hits}");
    for (query, status) in [("?status=late", 422), ("?after=x", 422), ("?words=a%00b", 422), ("?speaker=cat", 422)] {
        assert_eq!(fixture.get(&format!("{path}{query}")).await.status, status, "{query}");
    }

    let shown = fixture.get(&link).await.body;
    for part in [
        "<strong><bdi>bicycles</bdi></strong>",
        "<em><bdi>all</bdi></em>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "Our &lt;b&gt;wares&lt;/b&gt;",
        "cited as 1",
        "· gone",
        "bad, by the visitor",
        "Not &lt;i&gt;true&lt;/i&gt;",
        "gpt-5",
        "needs review",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("<script>alert") && !shown.contains("href=\"javascript"), "{shown}");
    assert!(!shown.contains("Take over"), "the studio only reads");
    let at = fixture.get(&format!("{link}?at={answer}")).await.body;
    assert!(at.contains(&format!("id=\"m-{answer}\"")) && !at.contains("<strong><bdi>bicycles"), "{at}");
    let before = fixture.get(&format!("{link}?before={answer}")).await.body;
    assert!(!before.contains(&format!("id=\"m-{answer}\"")) && before.contains("<strong><bdi>bicycles"), "{before}");
    let theirs = format!("/{}/conversations/{talk}", fixture.b.workspace);
    assert_eq!(fixture.get(&theirs).await.status, 404);
    assert_eq!(fixture.get(&format!("{link}?at={}", fixture.b.message)).await.status, 422);
}

#[tokio::test]
async fn a_person_takes_over_answers_and_gives_back() {
    let mut fixture = Fixture::new(true).await;
    let (db, mut ws) = connection(&fixture).await;
    let (talk, _) = talk(&mut ws, "jane").await;
    let link = format!("/{}/conversations/{talk}", fixture.a.workspace);
    let scope = WorkspaceScope::unchecked(fixture.a.workspace, "a test");
    let begun = begin_answer(&db, &scope, talk, &MessageInput::answer(), AnswerTimes::default()).await.unwrap();
    let shown = fixture.get(&link).await;
    let token = shown.form_token().to_owned();
    assert!(shown.body.contains("Take over") && !shown.body.contains("Reopen") && !shown.body.contains("textarea"));
    let change = |name: &'static str| [("form_token", token.clone()), ("change", name.to_owned())];
    for (name, status) in [("give_back", 409), ("take_over", 303), ("take_over", 409), ("sing", 422)] {
        let fields = change(name);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = fixture.post(&format!("{link}/status"), &fields).await;
        assert_eq!(said.status, status, "{name}: {}", said.body);
    }
    let shown = fixture.get(&link).await;
    let client_id = shown.between("name=\"client_id\" value=\"", "\"").to_owned();
    let reply = [("form_token", token.as_str()), ("client_id", &client_id), ("reply", "Only\r\nused ones.")];
    // Sent twice, stored once.
    for _ in 0..2 {
        assert_eq!(fixture.post(&format!("{link}/reply"), &reply).await.status, 303);
    }
    let empty = [("form_token", token.as_str()), ("reply", " ")];
    assert_eq!(fixture.post(&format!("{link}/reply"), &empty).await.status, 422);
    let forged = [("form_token", "x"), ("reply", "Forged")];
    assert_eq!(fixture.post(&format!("{link}/reply"), &forged).await.status, 403);
    let shown = fixture.get(&link).await.body;
    assert_eq!(shown.matches("used ones.").count(), 1, "{shown}");
    assert!(shown.contains("<strong>human</strong>"), "{shown}");
    crate::until(
        &mut fixture.conn,
        "SELECT count(*) = 2 AS met FROM audit_log WHERE action LIKE 'conversation.%' AND after::text NOT LIKE '%used%'",
    )
    .await;
    drop(begun);
}
