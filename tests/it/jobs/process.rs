//! Worker processes, to be killed and stopped; and the ledger that tells what they did.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use serde::{Deserialize, Serialize};
use workspace_db::config::Config;
use workspace_db::jobs::{Backoff, JobKind, NewJob, Outcome, RunningJob, Worker};
use workspace_db::models::NewDocument;
use workspace_db::schema::{documents, jobs};
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{Database, InWorkspace as _};
use workspace_db::{Error, Result, db};
use workspace_db_testing::TestDatabase;

use super::{Fixture, NOW};

/// What a worker process reads its orders from.
const ORDERS: &str = "WORKSPACE_DB_TEST_WORKER";

/// A job that leaves a document with its number as the title.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Number {
    pub(super) number: u64,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum How {
    /// The document and the job's end in one transaction.
    Together,
    /// The document, and then the end.
    Apart,
    /// As apart, after a first attempt that fails.
    AtTheSecond,
    /// The document, and then a failure for good.
    Dead,
}

impl JobKind for Number {
    const NAME: &'static str = "number";
    const BACKOFF: Backoff = NOW;
    const MAX_ATTEMPTS: u32 = 200;
}

impl Number {
    pub(super) fn job(number: u64) -> NewJob<Self> {
        let how = match number % 4 {
            0 | 1 => How::Together,
            2 => How::Apart,
            _ => How::AtTheSecond,
        };
        NewJob::new(Self { number, how })
    }

    pub(super) fn done(self, how: How) -> NewJob<Self> {
        NewJob::new(Self { how, ..self })
    }

    pub(super) const fn new(number: u64) -> Self {
        Self { number, how: How::Together }
    }
}

/// A job of which four of a workspace may run at once.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct OneOfFour {
    pub(super) number: u64,
}

impl JobKind for OneOfFour {
    const NAME: &'static str = "one_of_four";
    const BACKOFF: Backoff = NOW;
    const MAX_ATTEMPTS: u32 = 200;
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = Some(4);
}

/// The handler of [`OneOfFour`]: some work, and then the end.
async fn one_of_four(job: RunningJob<OneOfFour>) -> Result<Outcome> {
    let new = NewDocument::new(job.arguments.number.to_string());
    documents::table.in_workspace(job.scope()).insert(&new).execute(&mut job.workspace().await?).await?;
    Ok(Outcome::Done)
}

/// Where a handler waits in the middle of its work until it may go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gate(pub(super) PathBuf);

impl Gate {
    pub(super) fn open(&self) {
        std::fs::write(self.0.join("open"), "").unwrap();
    }

    async fn pass(&self, number: u64) {
        std::fs::write(self.0.join(format!("begun-{number}")), "").unwrap();
        while !self.0.join("open").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn tell(&self, number: u64, result: &Result<Outcome>) {
        let what = match result {
            Err(error) if error.is_lease_lost() => "lost".to_owned(),
            other => format!("{other:?}"),
        };
        std::fs::write(self.0.join(format!("ended-{number}")), what).unwrap();
    }

    /// Returns the texts that the handlers wrote at their end.
    pub(super) fn endings(&self) -> Vec<String> {
        let ended = files(&self.0).into_iter().filter(|path| name(path).starts_with("ended-"));
        ended.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    pub(super) fn started_count(&self) -> usize {
        files(&self.0).iter().filter(|path| name(path).starts_with("begun-")).count()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The handler of [`Number`]; `by` is added to the title of what it writes.
pub(super) async fn number(job: RunningJob<Number>, by: &str, gate: Option<&Gate>) -> Result<Outcome> {
    let Number { number, how } = job.arguments;
    let new = NewDocument::new(format!("{number}{by}"));
    let mut ws = job.workspace().await?;
    if how == How::Together {
        return ws
            .transaction(async |tx| {
                documents::table.in_workspace(job.scope()).insert(&new).execute(tx).await?;
                if let Some(gate) = gate {
                    gate.pass(number).await;
                }
                job.complete(tx, Outcome::Done).await
            })
            .await;
    }
    if how == How::AtTheSecond && job.row().attempts == 1 {
        return Err(Error::from(diesel::result::Error::NotFound));
    }
    if let Some(gate) = gate {
        gate.pass(number).await;
    }
    documents::table.in_workspace(job.scope()).insert(&new).execute(&mut ws).await?;
    Ok(if how == How::Dead { Outcome::dead("as it should be") } else { Outcome::Done })
}

#[derive(Serialize, Deserialize)]
struct WorkerConfig {
    name: String,
    app_url: String,
    platform_url: String,
    lease: Duration,
    gate: Option<Gate>,
}

/// A worker in a process of its own.
pub(super) struct Process {
    name: String,
    child: Child,
}

impl Process {
    pub(super) fn start(database: &TestDatabase, name: &str, lease: Duration, gate: Option<Gate>) -> Self {
        let url = |url: workspace_db::config::DatabaseUrl| format!("{}?application_name={name}", url.expose());
        let orders = WorkerConfig {
            name: name.to_owned(),
            app_url: url(database.app_url().unwrap()),
            platform_url: url(database.platform_url().unwrap()),
            lease,
            gate,
        };
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "jobs::process::a_worker_process", "--ignored", "--nocapture"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { name: name.to_owned(), child }
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it where it has a job in hand, and says whether it had.
    pub(super) async fn kill_at_work(&mut self, conn: &mut diesel_async::AsyncPgConnection) -> bool {
        // What it has does not change while it is stopped.
        self.signal("-STOP");
        let in_hand = format!("SELECT count(*) FROM jobs WHERE status = 'running' AND leased_by = '{}'", self.name);
        let is_at_work = count(conn, &in_hand).await > 0;
        if is_at_work {
            self.kill();
        } else {
            self.signal("-CONT");
        }
        is_at_work
    }

    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What [`Process`] runs: works until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that other tests start"]
async fn a_worker_process() {
    let orders: WorkerConfig = serde_json::from_str(&env::var(ORDERS).expect("other tests start this one")).unwrap();
    let config = Config {
        database_app_url: Some(orders.app_url.parse().unwrap()),
        database_platform_url: Some(orders.platform_url.parse().unwrap()),
        pool_size: 20,
        // Its jobs are all of one workspace.
        workspace_connections: Some(20),
        ..Config::default()
    };
    let db = Database::open(&config).await.unwrap();
    let gate = orders.gate;
    let by = if gate.is_some() { format!(" by {}", orders.name) } else { String::new() };
    Worker::new(&db)
        .named(orders.name)
        .lease(orders.lease)
        .poll(Duration::from_millis(50))
        .handle(one_of_four)
        .handle(move |job: RunningJob<Number>| {
            let (gate, by) = (gate.clone(), by.clone());
            async move {
                let n = job.arguments.number;
                // A task of its own goes on when its worker drops the handler, as a zombie does.
                let work = tokio::spawn(async move {
                    let result = number(job, &by, gate.as_ref()).await;
                    if let Some(gate) = gate {
                        gate.tell(n, &result);
                    }
                    result
                });
                work.await.unwrap()
            }
        })
        .run(std::future::pending())
        .await
        .unwrap();
}

/// Has the database keep the ledger.
pub(super) async fn keep_ledger(database: &TestDatabase) {
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute(include_str!("ledger.sql")).await.unwrap();
}

/// A number that the database counts.
pub(super) async fn count(conn: &mut diesel_async::AsyncPgConnection, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    diesel_async::RunQueryDsl::get_result::<Row>(diesel::sql_query(query), conn).await.unwrap().count
}

/// Waits until so many jobs have ended, whatever dies meanwhile; what has died of itself, as in a crash, is born again.
pub(super) async fn reach(
    fixture: &Fixture,
    workers: &mut [Process],
    bear: &mut impl FnMut(&TestDatabase) -> Process,
    so_many: u64,
) {
    let reached = async {
        loop {
            for worker in workers.iter_mut().filter_map(|worker| worker.has_ended().then_some(worker)) {
                *worker = bear(&fixture.database);
            }
            let done = async {
                let mut conn = fixture.database.connect().await?;
                let completed = jobs::table.filter(jobs::status.eq(JobStatus::Completed)).count();
                Ok::<_, Error>(diesel_async::RunQueryDsl::get_result(completed, &mut conn).await?)
            };
            // The server may be down at the moment.
            let done: i64 = done.await.unwrap_or(0);
            if u64::try_from(done).unwrap() >= so_many {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), reached).await.expect("the workers have come to a stop");
}
