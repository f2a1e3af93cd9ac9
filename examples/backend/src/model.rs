//! A call of a slow model, during which no connection is held.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use diesel::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workspace_db::conversations::{MessageInput, append};
use workspace_db::models::NewConversation;
use workspace_db::schema::{conversations, documents};
use workspace_db::tenancy::InWorkspace;

use crate::App;
use crate::problem::Answer;
use crate::session::Scope;

/// A function from a prompt to a text, which takes seconds.
pub(crate) type Model = Arc<dyn Fn(String) -> BoxFuture<'static, String> + Send + Sync>;

/// Stands in for a model.
pub(crate) fn echo() -> Model {
    Arc::new(|prompt| async move { format!("You asked: {prompt}") }.boxed())
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Question {
    text: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ModelAnswer {
    text: String,
}

/// Reads what the model needs, asks it without a connection, and stores both messages in one transaction.
#[utoipa::path(
    post,
    path = "/workspaces/{workspace}/answers",
    request_body = Question,
    params(("workspace" = Uuid, Path)),
    responses((status = 200, body = ModelAnswer))
)]
pub(crate) async fn answer(
    State(app): State<App>,
    Scope(scope): Scope,
    Json(question): Json<Question>,
) -> Answer<Json<ModelAnswer>> {
    let (talk, titles): (_, Vec<String>) = {
        let mut ws = app.db.workspace(&scope).await?;
        let new = NewConversation::default();
        conversations::table.in_workspace(&ws).insert(&new).execute(&mut ws).await?;
        // Before the model is asked: the question is kept, whatever the model does.
        append(&mut ws, new.id, &MessageInput::user(&question.text)).await?;
        let newest = documents::table.in_workspace(&ws).order(documents::created_at.desc()).limit(5);
        (new.id, newest.select(documents::title).load(&mut ws).await?)
    };
    // The block has returned the connection to the pool. A model takes seconds, and other requests need connections.
    let text = (app.model)(format!("{} (from {})", question.text, titles.join(", "))).await;

    let mut ws = app.db.workspace(&scope).await?;
    append(&mut ws, talk, &MessageInput::bot(&text)).await?;
    Ok(Json(ModelAnswer { text }))
}
