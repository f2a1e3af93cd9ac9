//! Jobs: what is enqueued runs, at least once, by one worker at a time, and for its own workspace.

mod caps;
mod claim;
mod cursors;
mod enqueue;
mod fairness;
mod fencing;
mod finish;
mod kill;
mod limits;
mod process;
mod races;
mod schedule;
mod shell;
mod worker;

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use workspace_db::Result;
use workspace_db::id::{JobId, WorkspaceId};
use workspace_db::jobs::{self, Backoff, ClaimRequest, ClaimedJob, JobKind, NewJob, Outcome, RunningJob, Worker};
use workspace_db::models::{Job, NewDocument};
use workspace_db::schema::documents;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::{TestDatabase, workspace};

const NOW: Backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO };

/// Writes a document of this title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Write {
    title: String,
}

impl JobKind for Write {
    const NAME: &'static str = "write";
    const BACKOFF: Backoff = NOW;
}

impl Write {
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts read better by value")]
    fn titled(title: impl ToString) -> NewJob<Self> {
        NewJob::new(Self { title: title.to_string() })
    }
}

/// The handler of [`Write`]: the document and the job's end in one transaction.
async fn write(job: RunningJob<Write>) -> Result<Outcome> {
    let mut ws = job.workspace().await?;
    ws.transaction(async |tx| {
        let document = NewDocument::new(&job.arguments.title);
        documents::table.in_workspace(job.scope()).insert(&document).execute(tx).await?;
        job.complete(tx, Outcome::Done).await
    })
    .await
}

/// What nobody enqueues.
#[derive(Serialize, Deserialize)]
struct Elsewhere {}

impl JobKind for Elsewhere {
    const NAME: &'static str = "elsewhere";
    const QUEUE: &'static str = "elsewhere";
}

/// Two workspaces without any job.
struct Fixture {
    db: Database,
    conn: AsyncPgConnection,
    a: WorkspaceScope,
    b: WorkspaceScope,
    database: TestDatabase,
}

impl Fixture {
    async fn new() -> Self {
        Self::on(TestDatabase::new().await.unwrap()).await
    }

    async fn on(database: TestDatabase) -> Self {
        let mut conn = database.connect().await.unwrap();
        let a = scope(workspace(&mut conn, "a").await.unwrap().id);
        let b = scope(workspace(&mut conn, "b").await.unwrap().id);
        let db = database.open(16).await.unwrap();
        Self { db, conn, a, b, database }
    }

    async fn a(&self) -> WorkspaceConnection {
        self.db.workspace(&self.a).await.unwrap()
    }

    async fn b(&self) -> WorkspaceConnection {
        self.db.workspace(&self.b).await.unwrap()
    }

    /// A worker of this database that does not take its time.
    fn worker(&self) -> Worker {
        Worker::new(&self.db).poll(Duration::from_millis(20))
    }

    /// One that rescues and fires schedules, and leaves the jobs where they are.
    fn bystander(&self) -> Worker {
        self.worker().handle(async |_: RunningJob<Elsewhere>| Ok::<_, workspace_db::Error>(Outcome::Done))
    }

    async fn claim(&self, limit: usize) -> Vec<ClaimedJob> {
        jobs::claim(&self.db, &next(limit)).await.unwrap()
    }

    async fn row(&mut self, id: JobId) -> Job {
        use workspace_db::schema::jobs;
        Job::query().filter(jobs::id.eq(id)).first(&mut self.conn).await.unwrap()
    }

    async fn sql(&mut self, statement: &str) -> usize {
        diesel::sql_query(statement).execute(&mut self.conn).await.unwrap()
    }

    /// Waits for a condition, as [`until`](crate::until) does.
    async fn until(&mut self, condition: &str) {
        crate::until(&mut self.conn, condition).await;
    }

    /// The titles of all documents, in order.
    async fn titles(&mut self) -> Vec<String> {
        documents::table.select(documents::title).order(documents::title).load(&mut self.conn).await.unwrap()
    }
}

/// Of the kinds whose jobs are only claimed.
fn next(limit: usize) -> ClaimRequest {
    ClaimRequest::new("default", "a test", limit).kind::<Write>().kind::<process::Number>()
}

fn scope(workspace: WorkspaceId) -> WorkspaceScope {
    WorkspaceScope::unchecked(workspace, "a test")
}
