//! `workspace_db::jobs`: ten workspaces, row-level security, turns, and fences.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workspace_db::id::WorkspaceId;
use workspace_db::jobs::{JobKind, NewJob, Outcome, RunningJob, Worker, enqueue, enqueue_all};
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::{Error, Result};
use workspace_db_testing::{TestDatabase, workspace};

use crate::{Arguments, CONCURRENCY, Clock, TOGETHER, Tally};

#[derive(Serialize, Deserialize)]
struct Nothing(Arguments);

impl JobKind for Nothing {
    const NAME: &'static str = "nothing";
}

/// Whose jobs they are.
#[derive(Clone, Copy)]
pub enum Of {
    OneWorkspace,
    TenWorkspaces,
}

pub struct Us {
    db: Database,
    scopes: Vec<WorkspaceScope>,
    stop: Option<oneshot::Sender<()>>,
    worker: Option<JoinHandle<Result<()>>>,
}

impl Us {
    /// # Errors
    ///
    /// Where the database can't be reached.
    pub async fn start(database: &TestDatabase, tally: &Tally, of: Of) -> Result<Self> {
        let mut conn = database.connect().await?;
        let mut scopes = Vec::new();
        let workspaces = match of {
            Of::OneWorkspace => 1,
            Of::TenWorkspaces => 10,
        };
        for n in 0..workspaces {
            let of: WorkspaceId = workspace(&mut conn, &format!("w{n}")).await?.id;
            scopes.push(WorkspaceScope::unchecked(of, "a benchmark"));
        }
        let db = database.open(12).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let tally = tally.clone();
        let worker = Worker::new(&db)
            .concurrency("default", CONCURRENCY)
            .lease(Duration::from_secs(10))
            .handle(move |job: RunningJob<Nothing>| {
                let tally = tally.clone();
                async move {
                    tally.started(&job.arguments.0).await;
                    Ok::<_, Error>(Outcome::Done)
                }
            })
            .run(async { drop(stopped.await) });
        Ok(Self { db, scopes, stop: Some(stop), worker: Some(tokio::spawn(worker)) })
    }

    /// # Errors
    ///
    /// Where the database can't be reached.
    pub async fn enqueue_many(&self, jobs: u64, clock: &Clock) -> Result<()> {
        let each = jobs / self.scopes.len() as u64;
        for (turn, scope) in self.scopes.iter().enumerate() {
            let mut ws = self.db.workspace(scope).await?;
            let first = turn as u64 * each;
            for from in (first..first + each).step_by(TOGETHER) {
                let numbers = from..(from + TOGETHER as u64).min(first + each);
                enqueue_all(&mut ws, numbers.map(|number| NewJob::new(Nothing(Arguments::new(number, clock))))).await?;
            }
        }
        Ok(())
    }

    /// # Errors
    ///
    /// Where the database can't be reached.
    pub async fn enqueue_one(&self, number: u64, clock: &Clock) -> Result<()> {
        let turn = usize::try_from(number).unwrap_or(0) % self.scopes.len();
        if let Some(scope) = self.scopes.get(turn) {
            let mut ws = self.db.workspace(scope).await?;
            enqueue(&mut ws, NewJob::new(Nothing(Arguments::new(number, clock)))).await?;
        }
        Ok(())
    }

    /// Jobs that somebody has claimed for ten seconds, and then dies.
    ///
    /// # Errors
    ///
    /// Where the database can't be reached.
    pub async fn leave_dead(&self, jobs: u64, clock: &Clock) -> Result<()> {
        let mut conn = self.db.workspace(&self.scopes[0]).await?;
        // Nobody is told of them, and they are taken before anybody looks.
        conn.transaction(async |tx| {
            let dead = (0..jobs).map(|number| NewJob::new(Nothing(Arguments::new(number, clock))).without_notify());
            enqueue_all(tx, dead).await?;
            let claimed = "UPDATE jobs SET status = 'running', attempts = 1, started_at = now(), heartbeat_at = now(),
                lease_expires_at = now() + interval '10 s', lease_token = gen_random_uuid(), leased_by = 'dead'
                WHERE status = 'queued'";
            tx.under_row_security("what a claim leaves", async |raw| {
                Ok::<_, Error>(diesel_async::SimpleAsyncConnection::batch_execute(raw, claimed).await?)
            })
            .await
        })
        .await
    }

    /// # Errors
    ///
    /// What the worker ended with.
    ///
    /// # Panics
    ///
    /// Where it panicked.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        match self.worker.take() {
            Some(worker) => worker.await.expect("the worker panicked"),
            None => Ok(()),
        }
    }
}
