//! Cost of notifications for those who enqueue: 500 at once, each a job a transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use workspace_db::Result;
use workspace_db::jobs::{JobKind, NewJob, enqueue};
use workspace_db::tenancy::WorkspaceScope;
use workspace_db_testing::{TestDatabase, workspace};

const ENQUEUERS: usize = 500;
const CONNECTIONS: usize = 250;
const EACH: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct EmptyJob {}
impl JobKind for EmptyJob {
    const NAME: &'static str = "empty";
}

/// Setting that lets an enqueued job notify the workers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Notification {
    Off,
    On,
}

/// Commits a second, in a database of its own.
///
/// # Errors
///
/// Where the database can't be reached.
///
/// # Panics
///
/// Where an enqueuer does.
pub async fn commits_per_second(database: &TestDatabase, notification: Notification) -> Result<f64> {
    let mut conn = database.connect().await?;
    let mut scopes = Vec::new();
    for n in 0..10 {
        let of = workspace(&mut conn, &format!("w{n}")).await?.id;
        scopes.push(WorkspaceScope::unchecked(of, "a benchmark"));
    }
    let db = database.open(CONNECTIONS).await?;
    // Somebody listens, as workers do.
    let listener = crate::measure::Server::connect(database.superuser_url()?.expose()).await;
    listener.listen().await;
    let committed = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let enqueuers: Vec<_> = (0..ENQUEUERS)
        .map(|n| {
            let (db, scope, committed) = (db.clone(), scopes[n % scopes.len()].clone(), Arc::clone(&committed));
            tokio::spawn(async move {
                while begun.elapsed() < EACH {
                    let mut ws = db.workspace(&scope).await?;
                    let job = NewJob::new(EmptyJob {});
                    enqueue(&mut ws, if notification == Notification::On { job } else { job.without_notify() }).await?;
                    committed.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, workspace_db::Error>(())
            })
        })
        .collect();
    for enqueuer in enqueuers {
        enqueuer.await.expect("an enqueuer panicked")?;
    }
    let committed = u32::try_from(committed.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
    Ok(f64::from(committed) / begun.elapsed().as_secs_f64())
}
