//! The way from a question to its answer.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, body::Body};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use workspace_db::conversations::{AnswerFacts, AnswerStart, AnswerTimes, AnswerWriter, MessageInput};
use workspace_db::conversations::{append, begin_answer, for_visitor, history_until};
use workspace_db::embeddings::{Embedder as _, FeatureHashing};
use workspace_db::models::{Message, NewAnalyticsEvent};
use workspace_db::schema::{analytics_events, document_chunks, message_sources};
use workspace_db::search::{Question, SearchChunks as _, SearchResults};
use workspace_db::sql_types::MessageState;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};

use crate::{App, Problem};

/// Passages that are found, and passages that the model is shown.
const FOUND: u32 = 8;
const SHOWN: usize = 4;

#[derive(Deserialize)]
pub(crate) struct Asked {
    visitor: String,
    /// Id that the page gave the question: sent again, it is the same question.
    id: String,
    text: String,
}

/// Stores the question, and streams the answer as lines of JSON: the sources, the parts, the end.
pub(crate) async fn ask(
    State(app): State<App>,
    Path(slug): Path<String>,
    Json(Asked { visitor, id, text }): Json<Asked>,
) -> Result<Response, Problem> {
    let scope = app.visitors(&slug).await?;
    let mut ws = app.db.workspace(&scope).await?;
    let talk = for_visitor(&mut ws, &visitor).await?.id;
    let question = append(&mut ws, talk, &MessageInput::user(&text).client_id(&id)).await?.message;
    let vector = Question::new(FeatureHashing::vector(&text)?, FeatureHashing.model());
    let found = document_chunks::table.in_workspace(&ws).hybrid(&vector, &text, FOUND).run(&mut ws).await?;
    let past = history_until(&mut ws, talk, question, 20).await?;
    drop(ws); // The model takes seconds, and other requests need the connection.
    let input = MessageInput::answer().after(question).client_id(format!("answer to {question}"));
    match begin_answer(&app.db, &scope, talk, &input, AnswerTimes::default()).await? {
        AnswerStart::Known(known) => {
            Ok(format!("{}\n", json!({ "message": known.message, "state": known.state })).into_response())
        }
        AnswerStart::New(writer) => {
            if found.hits.is_empty() {
                let mut event = NewAnalyticsEvent::new("question.unanswered");
                (event.conversation_id, event.message_id) = (Some(talk), Some(question));
                let mut ws = app.db.workspace(&scope).await?;
                analytics_events::table.in_workspace(&ws).insert(&event).execute(&mut ws).await?;
            }
            let (lines, receiver) = unbounded_channel();
            // In a task of its own: the answer is completed also where the visitor has gone.
            tokio::spawn(async move {
                let message = writer.message();
                let state = write(app, scope, writer, &found, &past, &lines).await.unwrap_or_else(|error| {
                    eprintln!("the answer {message} was not stored: {error}");
                    MessageState::Failed
                });
                let _ = lines.send(json!({ "message": message, "state": state }));
            });
            let body = stream::unfold(receiver, async |mut receiver| {
                let line: Value = receiver.recv().await?;
                Some((Ok::<_, std::convert::Infallible>(format!("{line}\n")), receiver))
            });
            Ok(Body::from_stream(body).into_response())
        }
    }
}

async fn write(
    app: App,
    scope: WorkspaceScope,
    mut writer: AnswerWriter,
    found: &SearchResults,
    past: &[Message],
    lines: &UnboundedSender<Value>,
) -> workspace_db::Result<MessageState> {
    let mut sources = found.sources(writer.message(), SHOWN);
    for (source, number) in sources.iter_mut().take(SHOWN).zip(1..) {
        source.citation = Some(number);
    }
    if !sources.is_empty() {
        let mut ws = app.db.workspace(&scope).await?;
        message_sources::table.in_workspace(&ws).insert(&sources).execute(&mut ws).await?;
    }
    let titles: Vec<&str> = found.hits.iter().take(SHOWN).map(|hit| hit.title.as_str()).collect();
    let _ = lines.send(json!({ "message": writer.message(), "sources": titles }));
    let (parts, call) = app.model.answer(prompt(found, past));
    let shown = parts.inspect(|part| {
        if let Ok(part) = part {
            let _ = lines.send(json!({ "part": part }));
        }
    });
    if let Err(error) = writer.push_all(shown).await {
        return writer.fail(&error.to_string()).await;
    }
    let confidence = found.hits.first().map_or(0.0, |hit| hit.score.clamp(0.0, 1.0));
    let mut facts = AnswerFacts { confidence: Some(confidence), ..AnswerFacts::default() };
    if let Some((call, usage)) = call.get() {
        // An answer is complete also where its cost can't be stored.
        let stored = writer.record_model_call(call).await;
        let _ = stored.inspect_err(|error| eprintln!("the call of the model was not stored: {error}"));
        facts.tokens = usage.output;
    }
    writer.complete(&facts).await
}

/// Returns the messages for the model: the passages with their numbers, and the branch of the conversation.
fn prompt(found: &SearchResults, past: &[Message]) -> Vec<Value> {
    let passages = found.hits.iter().take(SHOWN).zip(1..);
    let passages = passages.map(|(hit, number)| format!("\n\n[{number}] {}: {}", hit.title, hit.content));
    let passages = passages.collect::<Vec<_>>().concat();
    let system = format!("Answer from these passages, and cite their numbers.{passages}");
    let past = past.iter().map(|message| json!({ "role": message.role, "content": message.content }));
    std::iter::once(json!({ "role": "system", "content": system })).chain(past).collect()
}
