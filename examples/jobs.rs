//! Jobs: enqueued in the transaction of their data, run by a worker in the scope of their workspace, and repeated by a
//! schedule.
//!
//! `cargo run --example jobs`

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use workspace_db::id::DocumentId;
use workspace_db::jobs::{JobKind, NewJob, NewSchedule, OnDuplicate, Outcome, RunningJob, Worker, enqueue, schedule};
use workspace_db::models::NewDocument;
use workspace_db::schema::{documents, jobs};
use workspace_db::sql_types::{JobUniqueness, StatementTime};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, Result};
use workspace_db_testing::{TestDatabase, workspace};

/// A job that writes a summary of a document.
#[derive(Serialize, Deserialize)]
struct Summarize {
    document: DocumentId,
}

impl JobKind for Summarize {
    const NAME: &'static str = "summarize";
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = Some(2);
}

#[derive(Serialize, Deserialize)]
struct Digest {}

impl JobKind for Digest {
    const NAME: &'static str = "digest";
}

/// Commits the summary and the completion of the job together; a worker that has lost the lease commits neither.
async fn summarize(job: RunningJob<Summarize>) -> Result<Outcome> {
    let mut ws = job.workspace().await?;
    ws.transaction(async |tx| {
        documents::table
            .in_workspace(&tx)
            .find(job.arguments.document)
            .update()
            .set((documents::summary.eq("When we are open."), documents::updated_at.eq(StatementTime)))
            .execute(tx)
            .await?;
        job.complete(tx, Outcome::Done).await
    })
    .await
}

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    let here = workspace(&mut database.connect().await?, "here").await?.id;
    let db = database.open(4).await?;
    let scope = WorkspaceScope::unchecked(here, "an example");
    let mut ws = db.workspace(&scope).await?;

    let document = NewDocument::new("Opening hours");
    ws.transaction(async |tx| {
        documents::table.in_workspace(&tx).insert(&document).execute(tx).await?;
        let job = NewJob::new(Summarize { document: document.id });
        // However often the document changes, only one job waits for it.
        let key = document.id.to_string();
        enqueue(tx, job.unique(key, JobUniqueness::Queued, OnDuplicate::Keep)).await?;
        Ok::<_, Error>(())
    })
    .await?;
    let mondays = NewSchedule::new("weekly digest", "0 8 * * MON", Digest {}).in_zone("Europe/Amsterdam");
    println!("the next digest: {:?}", schedule(&mut ws, mondays).await?.next_at);

    // A service calls `run` with a future that is ready when the worker must stop.
    Worker::new(&db).handle(summarize).drain().await?;

    let summary: Option<String> =
        documents::table.in_workspace(&ws).find(document.id).select(documents::summary).first(&mut ws).await?;
    let left: i64 =
        jobs::table.in_workspace(&ws).filter(jobs::completed_at.is_null()).count().get_result(&mut ws).await?;
    println!("{summary:?}, {left} jobs left");
    assert_eq!((summary.as_deref(), left), (Some("When we are open."), 0));
    Ok(())
}
