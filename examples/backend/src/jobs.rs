//! A job, the route that enqueues it, and its handler.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use workspace_db::id::DocumentId;
use workspace_db::jobs::{JobKind, NewJob, OnDuplicate, Outcome, RunningJob, enqueue};
use workspace_db::models::{Document, DocumentChanges};
use workspace_db::schema::documents;
use workspace_db::sql_types::JobUniqueness;
use workspace_db::tenancy::InWorkspace;

use crate::App;
use crate::documents::DocumentPath;
use crate::problem::Answer;
use crate::session::Scope;

#[derive(Serialize, Deserialize)]
pub(crate) struct Summarize {
    document: DocumentId,
}

impl JobKind for Summarize {
    const NAME: &'static str = "summarize";
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = Some(2);
}

/// Enqueues the job in the transaction that finds the document. Of several requests, one job waits.
#[utoipa::path(
    post,
    path = "/workspaces/{workspace}/documents/{document}/summary",
    params(DocumentPath),
    responses((status = 202), (status = 404))
)]
pub(crate) async fn request_summary(
    State(app): State<App>,
    Scope(scope): Scope,
    Path(DocumentPath { document, .. }): Path<DocumentPath>,
) -> Answer<StatusCode> {
    let mut ws = app.db.workspace(&scope).await?;
    ws.transaction(async |tx| {
        let _: Document = documents::table.in_workspace(&tx).find(document).for_key_share().first(tx).await?;
        let job = NewJob::new(Summarize { document });
        enqueue(tx, job.unique(document.to_string(), JobUniqueness::Queued, OnDuplicate::Keep)).await?;
        Ok::<_, workspace_db::Error>(())
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Commits the summary and the completion of the job together. A worker that has lost the lease commits neither.
pub(crate) async fn summarize(job: RunningJob<Summarize>) -> workspace_db::Result<Outcome> {
    let mut ws = job.workspace().await?;
    ws.transaction(async |tx| {
        let document = documents::table.in_workspace(&tx).find(job.arguments.document);
        let title: String = document.select(documents::title).first(tx).await?;
        let summary = Some(Some(format!("A document about {}.", title.to_lowercase())));
        let changes = DocumentChanges { summary, ..DocumentChanges::default() };
        document.update().set(&changes).execute(tx).await?;
        job.complete(tx, Outcome::Done).await
    })
    .await
}
