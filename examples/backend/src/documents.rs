//! The documents of a workspace: pages, one, changes, and all as NDJSON.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use workspace_db::chrono::{DateTime, Utc};
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::models::{Document, DocumentChanges, NewDocument};
use workspace_db::schema::documents;
use workspace_db::sql_types::Name;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
use workspace_db::uuid::Uuid;

use crate::App;
use crate::problem::Answer;
use crate::session::Scope;

/// A document as callers see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentBody {
    id: Uuid,
    title: String,
    summary: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Document> for DocumentBody {
    fn from(row: Document) -> Self {
        Self { id: *row.id.as_uuid(), title: row.title, summary: row.summary, created_at: row.created_at }
    }
}

/// Path of a document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct DocumentPath {
    /// The scope checks it.
    #[param(value_type = Uuid)]
    #[serde(rename = "workspace")]
    _workspace: WorkspaceId,
    #[param(value_type = Uuid)]
    pub(crate) document: DocumentId,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Value of `next` on the page before
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentPage {
    documents: Vec<DocumentBody>,
    next: Option<String>,
}

/// Lists documents, the newest first. Each page is as fast as the first, because it starts at a key and not at an offset.
#[utoipa::path(
    get,
    path = "/workspaces/{workspace}/documents",
    params(("workspace" = Uuid, Path), PageQuery),
    responses((status = 200, body = DocumentPage))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Scope(scope): Scope,
    Query(query): Query<PageQuery>,
) -> Answer<Json<DocumentPage>> {
    let after = query.after.map(|after| after.parse()).transpose()?;
    let mut ws = app.db.workspace(&scope).await?;
    let all = documents::table.in_workspace(&ws);
    let page = all.load_page::<Document, _, _>(&mut ws, documents::created_at, after, 50).await?;
    let documents = page.rows.into_iter().map(DocumentBody::from).collect();
    Ok(Json(DocumentPage { documents, next: page.next.map(|next| next.to_string()) }))
}

#[utoipa::path(
    get,
    path = "/workspaces/{workspace}/documents/{document}",
    params(DocumentPath),
    responses((status = 200, body = DocumentBody), (status = 404))
)]
pub(crate) async fn show(
    State(app): State<App>,
    Scope(scope): Scope,
    Path(DocumentPath { document, .. }): Path<DocumentPath>,
) -> Answer<Json<DocumentBody>> {
    let mut ws = app.db.workspace(&scope).await?;
    let found: Document = documents::table.in_workspace(&ws).find(document).first(&mut ws).await?;
    Ok(Json(found.into()))
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Title {
    #[schema(value_type = String)]
    title: Name,
}

#[utoipa::path(
    post,
    path = "/workspaces/{workspace}/documents",
    request_body = Title,
    params(("workspace" = Uuid, Path)),
    responses((status = 201, body = DocumentBody))
)]
pub(crate) async fn create(
    State(app): State<App>,
    Scope(scope): Scope,
    Json(new): Json<Title>,
) -> Answer<(StatusCode, Json<DocumentBody>)> {
    let mut ws = app.db.workspace(&scope).await?;
    let new = NewDocument::new(new.title.as_str());
    let made: Document = documents::table.in_workspace(&ws).insert(&new).get_result(&mut ws).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// A change of a document. A missing field stays as it is; `"summary": null` removes the summary.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DocumentPatch {
    #[schema(value_type = Option<String>)]
    title: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    summary: Option<Option<String>>,
}

/// Distinguishes a field that is null from one that is missing, for which serde uses the default.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

#[utoipa::path(
    patch,
    path = "/workspaces/{workspace}/documents/{document}",
    request_body = DocumentPatch,
    params(DocumentPath),
    responses((status = 200, body = DocumentBody), (status = 404))
)]
pub(crate) async fn change(
    State(app): State<App>,
    Scope(scope): Scope,
    Path(DocumentPath { document, .. }): Path<DocumentPath>,
    Json(patch): Json<DocumentPatch>,
) -> Answer<Json<DocumentBody>> {
    let title = patch.title.map(|title| title.as_str().to_owned());
    let changes = DocumentChanges { title, summary: patch.summary, ..DocumentChanges::default() };
    let mut ws = app.db.workspace(&scope).await?;
    let update = documents::table.in_workspace(&ws).find(document).update().set(&changes);
    let document: Document = update.get_result(&mut ws).await?;
    Ok(Json(document.into()))
}

#[utoipa::path(
    delete,
    path = "/workspaces/{workspace}/documents/{document}",
    params(DocumentPath),
    responses((status = 204), (status = 404))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    Scope(scope): Scope,
    Path(DocumentPath { document, .. }): Path<DocumentPath>,
) -> Answer<StatusCode> {
    let mut ws = app.db.workspace(&scope).await?;
    let gone = documents::table.in_workspace(&ws).find(document).delete().execute(&mut ws).await?;
    Ok(if gone == 0 { StatusCode::NOT_FOUND } else { StatusCode::NO_CONTENT })
}

/// Sends all documents as they are read, one JSON object a line. The export needs its connection until its end.
#[utoipa::path(
    get,
    path = "/workspaces/{workspace}/documents.ndjson",
    params(("workspace" = Uuid, Path)),
    responses((status = 200, content_type = "application/x-ndjson"))
)]
pub(crate) async fn export(State(app): State<App>, Scope(scope): Scope) -> Answer<Response> {
    let ws = app.db.workspace(&scope).await?;
    // The reader waits for the client after a few lines, so memory stays small.
    let (lines, received) = mpsc::channel(16);
    tokio::spawn(send_lines(ws, lines));
    let lines = stream::unfold(Some(received), |received| async {
        let mut received = received?;
        match received.recv().await {
            Some(Line::Text(line)) => Some((Ok(line), Some(received))),
            Some(Line::End) => None,
            // Without an error, the client would take what it has for the whole.
            None => Some((Err("the export was interrupted"), None)),
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

enum Line {
    Text(Bytes),
    End,
}

/// Time that an export waits for its client.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends the rows and then the end, unless an error or a client that stops reading interrupts it.
async fn send_lines(mut ws: WorkspaceConnection, lines: mpsc::Sender<Line>) {
    let all = documents::table.in_workspace(&ws).order(documents::id);
    let Ok(mut rows) = all.load_stream::<Document>(&mut ws).await else { return };
    while let Some(row) = rows.next().await {
        let Ok(json) = row.map(|row| serde_json::to_string(&DocumentBody::from(row)).unwrap_or_default()) else {
            return;
        };
        let sent = tokio::time::timeout(LONGEST_PAUSE, lines.send(Line::Text(Bytes::from(json + "\n")))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    let _ = lines.send(Line::End).await;
}
