//! A chat for the visitors of a published workspace: passages are found, a model answers in parts, and all of it is stored.
//!
//! `cargo run -p chat` starts a temporary PostgreSQL with a sample, and prints the address of the page.

mod answer;
mod model;

use std::error::Error;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router, http::StatusCode, routing::get, routing::post};
use diesel::ExpressionMethods as _;
use serde::Deserialize;
use serde_json::json;
use workspace_db::conversations::{ConversationPage, FeedbackInput, PageStart, Rating};
use workspace_db::conversations::{conversation_page, for_visitor, give_feedback, interrupt_expired};
use workspace_db::embeddings::{Embedder as _, FeatureHashing};
use workspace_db::models::{NewDocument, NewDocumentChunk};
use workspace_db::schema::{document_chunks, documents, workspaces};
use workspace_db::sql_types::{DocumentStatus, FeedbackJudge, MessageState};
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};
use workspace_db::{config::Config, id::MessageId};
use workspace_db_testing::{TestDatabase, workspace};

const SAMPLE: &str = "library";
const TEXTS: [(&str, &str); 3] = [
    ("Opening hours", "The library is open from nine to eight on weekdays, and from ten to four on Saturdays."),
    ("Borrowing", "A card costs ten euros a year. With it, you borrow up to twelve books for four weeks."),
    ("Returns", "Return books at the desk or in the box at the entrance. A late book costs fifty cents a day."),
];

#[derive(Clone)]
struct App {
    db: Database,
    model: model::ChatModel,
}

impl App {
    /// Returns the scope in which a visitor's messages are written. A workspace that is not published has no visitors.
    async fn visitors(&self, slug: &str) -> workspace_db::Result<WorkspaceScope> {
        let public = self.db.published(slug).await?;
        Ok(WorkspaceScope::unchecked(public.workspace(), "the chat stores what its visitors write"))
    }
}

/// An error as a response, without anything about the database.
struct Problem(workspace_db::Error);

impl From<workspace_db::Error> for Problem {
    fn from(error: workspace_db::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = if status.is_server_error() { "the service has a problem".to_owned() } else { self.0.to_string() };
        (status, Json(json!({ "error": text, "field": self.0.field() }))).into_response()
    }
}

#[derive(Deserialize)]
struct Visitor {
    visitor: String,
}

async fn messages(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(Visitor { visitor }): Query<Visitor>,
) -> Result<Json<ConversationPage>, Problem> {
    let mut ws = app.db.workspace(&app.visitors(&slug).await?).await?;
    let talk = for_visitor(&mut ws, &visitor).await?.id;
    let mut page = conversation_page(&mut ws, talk, PageStart::Newest, 100).await?;
    // Only the team sees reviewers' feedback, and answers that are withheld or failed.
    for one in &mut page.messages {
        one.feedback.retain(|feedback| feedback.judge == FeedbackJudge::Visitor);
        if matches!(one.message.state, MessageState::Withheld | MessageState::Failed) {
            (one.message.content, one.message.metadata) = (String::new(), json!({}));
            one.sources.clear();
        }
    }
    Ok(Json(page))
}

#[derive(Deserialize)]
struct Judgement {
    visitor: String,
    message: MessageId,
    good: bool,
}

async fn feedback(
    State(app): State<App>,
    Path(slug): Path<String>,
    Json(Judgement { visitor, message, good }): Json<Judgement>,
) -> Result<StatusCode, Problem> {
    let mut ws = app.db.workspace(&app.visitors(&slug).await?).await?;
    let talk = for_visitor(&mut ws, &visitor).await?.id;
    // Refuses a message of another visitor's conversation.
    conversation_page(&mut ws, talk, PageStart::After(message), 1).await?;
    give_feedback(&mut ws, message, &FeedbackInput::visitor(if good { Rating::Good } else { Rating::Bad })).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn publish_sample(database: &TestDatabase) -> Result<(), Box<dyn Error>> {
    let mut conn = database.connect().await?;
    let id = workspace(&mut conn, SAMPLE).await?.id;
    let publish = diesel::update(workspaces::table).set(workspaces::is_published.eq(true));
    diesel_async::RunQueryDsl::execute(publish, &mut conn).await?;
    let mut ws = database.open(1).await?.workspace(&WorkspaceScope::unchecked(id, "a sample")).await?;
    for (title, text) in TEXTS {
        let document = NewDocument { status: Some(DocumentStatus::Ready), ..NewDocument::new(title) };
        documents::table.in_workspace(&ws).insert(&document).execute(&mut ws).await?;
        let vector = FeatureHashing::vector(text)?;
        let mut chunk = NewDocumentChunk::new(document.id, 0, text, vector, FeatureHashing.model());
        chunk.language = Some("en".parse()?);
        document_chunks::table.in_workspace(&ws).insert(&chunk).execute(&mut ws).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut config, mut temporary) = (Config::from_env()?, None);
    if config.database_url.is_none() && config.database_app_url.is_none() {
        // Kept until the end: the server stops with it.
        let database = temporary.insert(TestDatabase::new().await?);
        publish_sample(database).await?;
        config = database.config()?;
    }
    let app = App { db: Database::open(&config).await?, model: model::ChatModel::from_env().await? };
    let db = app.db.clone();
    // Ends the answers of processes that have died. A `Worker` does so too.
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let ended = interrupt_expired(&db, 100).await;
            let _ = ended.inspect_err(|error| eprintln!("no answer is interrupted: {error}"));
        }
    });
    let routes = Router::new()
        .route("/{slug}", get(Html(include_str!("page.html"))))
        .route("/{slug}/messages", get(messages).post(answer::ask))
        .route("/{slug}/feedback", post(feedback))
        .with_state(app);
    let port = std::env::var("PORT").unwrap_or("3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("chat at http://{}/{SAMPLE}", listener.local_addr()?);
    axum::serve(listener, routes).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}
