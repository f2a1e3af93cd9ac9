//! A call of a slow model, during which no connection is held.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use diesel::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workspace_db::models::{NewConversation, NewMessage};
use workspace_db::schema::{conversations, documents, messages};
use workspace_db::sql_types::MessageRole;
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
    let titles: Vec<String> = {
        let mut ws = app.db.workspace(&scope).await?;
        let newest = documents::table.in_workspace(&ws).order(documents::created_at.desc()).limit(5);
        newest.select(documents::title).load(&mut ws).await?
    };
    // The block has returned the connection to the pool. A model takes seconds, and other requests need connections.
    let text = (app.model)(format!("{} (from {})", question.text, titles.join(", "))).await;

    let conversation = NewConversation::default();
    let said = [(MessageRole::User, question.text), (MessageRole::Assistant, text.clone())];
    let said = said.map(|(role, text)| NewMessage::new(conversation.id, role, text));
    let mut ws = app.db.workspace(&scope).await?;
    ws.transaction(async |tx| {
        conversations::table.in_workspace(&tx).insert(&conversation).execute(tx).await?;
        messages::table.in_workspace(&tx).insert(&said[..]).execute(tx).await
    })
    .await?;
    Ok(Json(ModelAnswer { text }))
}
