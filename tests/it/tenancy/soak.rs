//! Many workspaces on few connections, with futures dropped at every await point, panics, time-outs and killed backends:
//! no row of another workspace is ever seen, nothing stays set, and what was acknowledged is there.
//!
//! `WORKSPACE_DB_SOAK` multiplies the work, `WORKSPACE_DB_SEED` repeats a run.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::{FutureExt as _, TryStreamExt as _};
use workspace_db::config::Config;
use workspace_db::conversations::{MessageInput, append, for_visitor};
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::models::{Document, NewDocument};
use workspace_db::schema::documents;
use workspace_db::search::MessageSearch;
use workspace_db::sql_types::StatementTime;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};
use workspace_db::{Error, Result, db};
use workspace_db_testing::TestDatabase;

use super::pgbouncer::PgBouncer;
use crate::skipped;

const WORKSPACES: usize = 12;
const WORKERS: usize = 12;
const OPERATIONS: usize = 40;
const POOL: usize = 4;

/// A future that is dropped at its n-th await point, if it gets that far.
struct CutShort<'f, R> {
    work: Pin<Box<dyn Future<Output = R> + Send + 'f>>,
    polls: usize,
}

impl<R> Future for CutShort<'_, R> {
    type Output = Option<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        let Some(left) = self.polls.checked_sub(1) else { return Poll::Ready(None) };
        self.polls = left;
        self.work.as_mut().poll(context).map(Some)
    }
}

/// What all workers have in common.
struct Soak {
    db: Database,
    workspaces: Vec<WorkspaceId>,
    seen: AtomicUsize,
    cut_short: AtomicUsize,
    failed: AtomicUsize,
}

/// The rows of a workspace carry its id as their title, so that a row that strayed gives itself away.
fn title(workspace: WorkspaceId) -> String {
    workspace.to_string()
}

impl Soak {
    fn own(&self, workspace: WorkspaceId, rows: &[Document]) {
        self.seen.fetch_add(rows.len(), Ordering::Relaxed);
        for row in rows {
            assert_eq!((row.workspace_id, &row.title), (workspace, &title(workspace)), "a row of another workspace");
        }
    }

    /// One random operation; the id of a row that it has inserted and been told so.
    async fn operate(
        &self,
        kind: u8,
        scope: &WorkspaceScope,
        ws: &mut WorkspaceConnection,
    ) -> Result<Option<DocumentId>> {
        let of = scope.workspace();
        let all = documents::table.in_workspace(scope);
        let new = NewDocument::new(title(of));
        match kind {
            0 => self.own(of, &all.load(ws).await?),
            1 => {
                let rows: Vec<Document> = all.load_stream(ws).await?.try_collect().await?;
                self.own(of, &rows);
            }
            2 => {
                let rows: Vec<Document> = ws
                    .under_row_security("soak", async |conn| Ok::<_, Error>(Document::query().load(conn).await?))
                    .await?;
                self.own(of, &rows);
            }
            3 => {
                let changed: Vec<Document> = all.update().set(documents::updated_at.eq(StatementTime)).load(ws).await?;
                self.own(of, &changed);
            }
            4 => {
                all.insert(&new).execute(ws).await?;
                return Ok(Some(new.id));
            }
            5 => {
                ws.transaction(async |tx| {
                    let inserted: Document = all.insert(&new).get_result(tx).await?;
                    self.own(of, &[inserted]);
                    let undone: Result<()> = tx
                        .transaction(async |savepoint| {
                            all.delete().execute(savepoint).await?;
                            Err(all.filter(documents::title.eq("none")).first::<Document>(savepoint).await.unwrap_err())
                        })
                        .await;
                    assert!(undone.is_err());
                    self.own(of, &all.load(tx).await?);
                    Ok::<_, Error>(())
                })
                .await?;
                return Ok(Some(new.id));
            }
            6 => {
                let work = ws.transaction(async |tx| {
                    all.delete().execute(tx).await?;
                    // A panic, without the words that it would print each time.
                    if tx.workspace() == of {
                        std::panic::resume_unwind(Box::new("in the middle of a transaction"));
                    }
                    Ok::<_, Error>(())
                });
                let _ = AssertUnwindSafe(work).catch_unwind().await;
            }
            7 => {
                let slow = ws.under_row_security("soak", async |conn| {
                    conn.batch_execute("DELETE FROM documents; SELECT pg_sleep(10)").await?;
                    Ok::<_, Error>(())
                });
                let ended = tokio::time::timeout(Duration::from_millis(20), slow).await;
                assert!(!matches!(ended, Ok(Ok(()))), "ten seconds are over in no time");
            }
            8 => {
                let talk = for_visitor(ws, "soak").await?.id;
                append(ws, talk, &MessageInput::user(format!("soak {of}"))).await?;
                // The title is that of the first message. The function beneath the search sees all workspaces.
                let found = MessageSearch::new("soak", 20).run(ws).await?;
                self.seen.fetch_add(found.hits.len(), Ordering::Relaxed);
                for hit in found.hits {
                    assert_eq!(hit.title, Some(format!("soak {of}")), "a message of another workspace");
                }
            }
            _ => {
                let _ = ws
                    .under_row_security("soak", async |conn| {
                        conn.batch_execute("SET app.workspace_id = 'nobody'; SELECT 1/0").await?;
                        Ok::<_, Error>(())
                    })
                    .await;
            }
        }
        Ok(None)
    }

    /// A worker's whole life; what was acknowledged to it.
    async fn work(&self, mut random: fastrand::Rng) -> Vec<(WorkspaceId, DocumentId)> {
        let mut acknowledged = Vec::new();
        for _ in 0..OPERATIONS {
            let workspace = self.workspaces[random.usize(..WORKSPACES)];
            let scope = WorkspaceScope::unchecked(workspace, "soak");
            let Ok(mut ws) = self.db.workspace(&scope).await else {
                self.failed.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            for _ in 0..random.usize(1..4) {
                let kind = random.u8(..10);
                let polls = if random.bool() { usize::MAX } else { random.usize(..25) };
                match (CutShort { work: Box::pin(self.operate(kind, &scope, &mut ws)), polls }).await {
                    Some(Ok(inserted)) => acknowledged.extend(inserted.map(|id| (workspace, id))),
                    Some(Err(_)) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
                    None => drop(self.cut_short.fetch_add(1, Ordering::Relaxed)),
                }
            }
            drop(ws);
            // Killed connections answer in the words of whoever noticed; one that is left in a workspace in ours.
            if let Err(error) = self.db.ping().await {
                assert!(!error.to_string().contains("outside a transaction"), "at checkout: {error}");
            }
        }
        acknowledged
    }
}

async fn soak(database: &TestDatabase, config: Config) {
    let start = crate::seed_of(fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(start);
    let mut conn = database.connect().await.unwrap();
    let mut workspaces = Vec::new();
    for n in 0..WORKSPACES {
        let workspace = workspace_db_testing::workspace(&mut conn, &format!("w{n}")).await.unwrap().id;
        let row = (documents::workspace_id.eq(workspace), NewDocument::new(title(workspace)));
        diesel::insert_into(documents::table).values(row).execute(&mut conn).await.unwrap();
        workspaces.push(workspace);
    }
    let db = Database::open(&Config { pool_size: POOL, ..config }).await.unwrap();
    let counter = || AtomicUsize::new(0);
    let soak = std::sync::Arc::new(Soak { db, workspaces, seen: counter(), cut_short: counter(), failed: counter() });
    let (over, is_over) = tokio::sync::oneshot::channel();
    let execution = tokio::spawn(kill_backends(database.superuser_url().unwrap(), is_over));
    let mut acknowledged = Vec::new();
    for _ in 0..crate::size("WORKSPACE_DB_SOAK", 1, 4) {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (soak, random) = (soak.clone(), random.fork());
                tokio::spawn(async move { soak.work(random).await })
            })
            .collect();
        for worker in workers {
            acknowledged.extend(worker.await.expect("a worker saw what it must not"));
        }
    }
    over.send(()).unwrap();
    let killed = execution.await.unwrap();
    // Healthy afterwards: every connection of the pool serves, and nothing strayed or was lost.
    for workspace in &soak.workspaces {
        let scope = WorkspaceScope::unchecked(*workspace, "soak");
        let mut ws = soak.db.workspace(&scope).await.unwrap();
        // A connection that was killed last may be noticed by its first statement alone, once each.
        let mut dead = 2 * POOL;
        let rows: Vec<Document> = loop {
            match documents::table.in_workspace(&scope).load(&mut ws).await {
                Err(_) if dead > 0 => dead -= 1,
                rows => break rows.unwrap(),
            }
        };
        soak.own(*workspace, &rows);
        for (of, id) in acknowledged.iter().filter(|(of, _)| of == workspace) {
            assert!(rows.iter().any(|row| row.id == *id), "{id} was acknowledged in {of} and is lost");
        }
    }
    let all: Vec<Document> = Document::query().load(&mut conn).await.unwrap();
    for row in &all {
        assert_eq!(row.title, title(row.workspace_id), "a row was written into another workspace");
    }
    let [seen, cut_short, failed] =
        [&soak.seen, &soak.cut_short, &soak.failed].map(|counter| AtomicUsize::load(counter, Ordering::Relaxed));
    println!(
        "{seen} rows seen, {} acknowledged, {cut_short} cut short, {failed} failed, {killed} killed",
        acknowledged.len()
    );
    assert!(seen > 100 && cut_short > 50 && killed > 0 && acknowledged.len() > 10, "the soak hardly did anything");
}

/// Ends one of the application's sessions after another, until told that it is over; how many.
async fn kill_backends(
    url: workspace_db::config::DatabaseUrl,
    mut is_over: tokio::sync::oneshot::Receiver<()>,
) -> usize {
    let mut superuser = db::connect(&url).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'test_app' ORDER BY random() LIMIT 1";
    let mut every = tokio::time::interval(Duration::from_millis(150));
    let mut killed = 0;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = &mut is_over => return killed,
        }
        killed += diesel::sql_query(kill).execute(&mut superuser).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_of_another_workspace_is_ever_seen() {
    let database = TestDatabase::new().await.unwrap();
    soak(&database, database.config().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_of_another_workspace_is_ever_seen_through_pgbouncer() {
    let database = TestDatabase::new().await.unwrap();
    match PgBouncer::before(&database) {
        Ok(bouncer) => soak(&database, bouncer.config(&database)).await,
        Err(why) => skipped(&format!("the soak through PgBouncer: {why}")),
    }
}
