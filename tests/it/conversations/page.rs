use diesel::ExpressionMethods as _;
use workspace_db::conversations::{
    FeedbackInput, MAX_PAGE, MessageInput, PageStart, Rating, append, conversation_page, give_feedback,
};
use workspace_db::embeddings::{Embedder as _, FeatureHashing};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::{NewDocument, NewDocumentChunk, NewMessage};
use workspace_db::schema::{document_chunks, documents, message_sources, messages};
use workspace_db::search::SearchChunks as _;
use workspace_db::sql_types::{DocumentStatus, MessageRole};
use workspace_db::tenancy::InWorkspace as _;

use super::Fixture;

async fn page(fixture: &mut Fixture, start: PageStart, limit: u32) -> Vec<MessageId> {
    let page = conversation_page(&mut fixture.ws, fixture.talk, start, limit).await.unwrap();
    assert_eq!(page.conversation.id, fixture.talk);
    page.messages.iter().map(|detail| detail.message.id).collect()
}

#[tokio::test]
async fn pages_go_both_ways_over_all_messages() {
    let mut fixture = Fixture::new().await;
    assert_eq!(page(&mut fixture, PageStart::Newest, 5).await, []);
    for number in 0..7 {
        fixture.append(MessageInput::user(format!("message {number}"))).await;
    }
    // Those without a number are the last ones.
    for number in 7..12 {
        let new = NewMessage::new(fixture.talk, MessageRole::User, format!("message {number}"));
        messages::table.in_workspace(&fixture.ws).insert(&new).execute(&mut fixture.ws).await.unwrap();
    }
    let all: Vec<MessageId> = fixture.messages().await.iter().map(|one| one.id).collect();
    assert_eq!(all.len(), 12);
    for limit in [1, 2, 3, 5, 12, MAX_PAGE] {
        let (mut forward, mut start) = (Vec::new(), PageStart::Oldest);
        loop {
            let found = page(&mut fixture, start, limit).await;
            let Some(last) = found.last() else { break };
            start = PageStart::After(*last);
            forward.extend(found);
        }
        assert_eq!(forward, all, "forward by {limit}");
        let (mut backward, mut start) = (Vec::new(), PageStart::Newest);
        loop {
            let mut found = page(&mut fixture, start, limit).await;
            let Some(first) = found.first() else { break };
            start = PageStart::Before(*first);
            found.extend(backward);
            backward = found;
        }
        assert_eq!(backward, all, "backward by {limit}");
    }
}

#[tokio::test]
async fn a_page_of_another_conversation_is_refused() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("one")).await;
    for cursor in [fixture.a.message, fixture.b.message, MessageId::generate()] {
        for start in [PageStart::After(cursor), PageStart::Before(cursor)] {
            let error = conversation_page(&mut fixture.ws, fixture.talk, start, 5).await.unwrap_err();
            assert!(error.is_invalid_input() && error.field() == Some("cursor"), "{error}");
        }
    }
    for limit in [0, MAX_PAGE + 1] {
        let error = conversation_page(&mut fixture.ws, fixture.talk, PageStart::Newest, limit).await.unwrap_err();
        assert!(error.is_invalid_input() && error.field() == Some("limit"), "{error}");
    }
    for missing in [fixture.b.conversation, ConversationId::generate()] {
        let error = conversation_page(&mut fixture.ws, missing, PageStart::Newest, 5).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[tokio::test]
async fn sources_outlive_their_document() {
    let mut fixture = Fixture::new().await;
    let ready = |title: &str| NewDocument { status: Some(DocumentStatus::Ready), ..NewDocument::new(title) };
    let (hours, prices) = (ready("Opening hours"), ready("Prices"));
    for document in [&hours, &prices] {
        documents::table.in_workspace(&fixture.ws).insert(document).execute(&mut fixture.ws).await.unwrap();
    }
    let texts = [
        (&hours, "We unlock at nine on weekdays."),
        (&hours, "We unlock at ten on Sundays."),
        (&prices, "We unlock a tab."),
    ];
    for (at, (document, text)) in (0..).zip(texts) {
        let vector = FeatureHashing.embed(&[text.to_owned()]).await.unwrap().remove(0);
        let chunk = NewDocumentChunk::new(document.id, at, text, vector, FeatureHashing.model());
        document_chunks::table.in_workspace(&fixture.ws).insert(&chunk).execute(&mut fixture.ws).await.unwrap();
    }
    let answer = fixture.append(MessageInput::bot("At ten [1].")).await.message;
    let found =
        document_chunks::table.in_workspace(&fixture.ws).full_text("unlock", 10).run(&mut fixture.ws).await.unwrap();
    assert_eq!(found.hits.len(), 3);
    let mut sources = found.sources(answer, 2);
    sources[0].citation = Some(1);
    message_sources::table.in_workspace(&fixture.ws).insert(&sources).execute(&mut fixture.ws).await.unwrap();
    let admin = fixture.a.admin_user;
    give_feedback(&mut fixture.ws, answer, &FeedbackInput::reviewer(admin, Rating::Good)).await.unwrap();
    give_feedback(&mut fixture.ws, answer, &FeedbackInput::visitor(Rating::Bad)).await.unwrap();

    let before =
        conversation_page(&mut fixture.ws, fixture.talk, PageStart::Newest, 10).await.unwrap().messages.remove(0);
    assert_eq!(before.feedback.iter().map(|one| one.score).collect::<Vec<_>>(), [-1, 1]);
    let seen: Vec<_> = before
        .sources
        .iter()
        .map(|one| (one.source.rank, one.source.citation, one.source.shown_text.is_some(), one.is_gone))
        .collect();
    assert_eq!(seen, [(1, Some(1), true, false), (2, None, true, false), (3, None, false, false)]);
    for (detail, hit) in before.sources.iter().zip(&found.hits) {
        assert_eq!((&detail.source.title, detail.source.score), (&hit.title, hit.score));
        assert_eq!(detail.source.method, "words");
    }

    // The same text in a new chunk, as after another ingestion; the text of another chunk changes; a document is deleted.
    let chunk = |text: &str| {
        let text = text.to_owned();
        document_chunks::table.in_workspace(&fixture.ws).filter(document_chunks::content.eq(text))
    };
    let (kept, changed) = (chunk(texts[0].1), chunk(texts[1].1));
    let new_id = document_chunks::id.eq(workspace_db::id::DocumentChunkId::generate());
    kept.update().set(new_id).execute(&mut fixture.ws).await.unwrap();
    changed
        .update()
        .set(document_chunks::content.eq("We are closed on Sundays."))
        .execute(&mut fixture.ws)
        .await
        .unwrap();
    documents::table.in_workspace(&fixture.ws).find(prices.id).delete().execute(&mut fixture.ws).await.unwrap();
    let after =
        conversation_page(&mut fixture.ws, fixture.talk, PageStart::Newest, 10).await.unwrap().messages.remove(0);
    for (one, hit) in after.sources.iter().zip(&found.hits) {
        assert_eq!(one.is_gone, hit.content != texts[0].1, "{}", hit.content);
    }
    let as_it_was = |detail: &workspace_db::conversations::MessageDetail| {
        detail.sources.iter().map(|one| one.source.clone()).collect::<Vec<_>>()
    };
    assert_eq!(as_it_was(&after), as_it_was(&before));
    let json = serde_json::to_value(&after).unwrap();
    assert_eq!(json["sources"][0]["rank"], 1);
    assert!(json["message"]["lease_token"].is_null());
    let other = super::conversation(&mut fixture.ws).await;
    append(&mut fixture.ws, other, &MessageInput::user("elsewhere")).await.unwrap();
    let page = conversation_page(&mut fixture.ws, other, PageStart::Oldest, 10).await.unwrap();
    assert_eq!((page.messages.len(), page.messages[0].sources.len()), (1, 0));
}
