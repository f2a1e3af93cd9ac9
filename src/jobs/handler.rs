//! What runs a kind of job, and what it is given.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::claim::ClaimedJob;
use super::kind::JobKind;
use super::outcome::{Outcome, finish_in_transaction};
use crate::error::Result;
use crate::id::JobId;
use crate::models::Job;
use crate::tenancy::{Database, WorkspaceConnection, WorkspaceScope};

/// A job that runs: its arguments, and the one workspace that it may touch.
pub struct RunningJob<K> {
    /// What it is asked to do.
    pub arguments: K,
    claimed: ClaimedJob,
    db: Database,
}

impl<K: JobKind> RunningJob<K> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.claimed.job.id
    }

    /// Its row, as the claim left it: the number of this attempt, the errors of those before, when it was due.
    #[must_use]
    pub fn row(&self) -> &Job {
        &self.claimed.job
    }

    /// The database that it was claimed from.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The scope of its workspace, and of no other, for as long as this worker has the job.
    #[must_use]
    pub fn scope(&self) -> &WorkspaceScope {
        self.claimed.scope()
    }

    /// A connection to its workspace. What is done on it is committed only while this worker has the job.
    ///
    /// # Errors
    ///
    /// [`is_lease_lost`](crate::Error::is_lease_lost) where another worker has the job by now; as
    /// [`Database::workspace`].
    pub async fn workspace(&self) -> Result<WorkspaceConnection> {
        self.db.workspace(self.scope()).await
    }

    /// Ends the job in the transaction that is open on a connection of its workspace, and returns what the handler then
    /// returns. The work of that transaction and the end of the job are committed together, or not at all.
    ///
    /// # Errors
    ///
    /// [`is_lease_lost`](crate::Error::is_lease_lost) where another worker has the job by now, so that the transaction must be
    /// given up.
    ///
    /// ```no_run
    /// use serde::{Deserialize, Serialize};
    /// use workspace_db::Result;
    /// use workspace_db::jobs::{JobKind, Outcome, RunningJob};
    /// use workspace_db::models::NewDocument;
    /// use workspace_db::schema::documents;
    /// use workspace_db::tenancy::InWorkspace;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Import {
    ///     title: String,
    /// }
    /// impl JobKind for Import {
    ///     const NAME: &'static str = "import";
    /// }
    ///
    /// async fn import(job: RunningJob<Import>) -> Result<Outcome> {
    ///     let mut ws = job.workspace().await?;
    ///     ws.transaction(async |tx| {
    ///         let document = NewDocument::new(&job.arguments.title);
    ///         documents::table.in_workspace(job.scope()).insert(&document).execute(tx).await?;
    ///         job.complete(tx, Outcome::Done).await
    ///     })
    ///     .await
    /// }
    /// # drop(import);
    /// ```
    pub async fn complete(&self, ws: &mut WorkspaceConnection, outcome: Outcome) -> Result<Outcome> {
        let outcome = match outcome {
            Outcome::Retry { error, after: None } => {
                Outcome::Retry { error, after: Some(K::BACKOFF.delay(attempt(&self.claimed))) }
            }
            outcome => outcome,
        };
        finish_in_transaction(ws, self.claimed.lease(), outcome).await?;
        Ok(Outcome::Settled)
    }
}

/// What a worker knows of a kind.
pub(super) trait Handler: Send + Sync {
    fn timeout(&self) -> Duration;
    fn cap(&self) -> Option<u32>;
    /// How long a failure of this attempt waits.
    fn delay(&self, attempt: u32) -> Duration;
    fn run(&self, claimed: ClaimedJob, db: Database) -> BoxFuture<'static, Outcome>;
}

pub(super) struct TypedHandler<K, F> {
    function: F,
    kind: PhantomData<fn() -> K>,
}

impl<K: JobKind, F, Fut, E> TypedHandler<K, F>
where
    F: Fn(RunningJob<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
    E: Display,
{
    pub(super) fn handler(function: F) -> Arc<dyn Handler> {
        Arc::new(Self { function, kind: PhantomData })
    }
}

impl<K: JobKind, F, Fut, E> Handler for TypedHandler<K, F>
where
    F: Fn(RunningJob<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
    E: Display,
{
    fn timeout(&self) -> Duration {
        K::TIMEOUT
    }

    fn cap(&self) -> Option<u32> {
        K::MAX_RUNNING_PER_WORKSPACE
    }

    fn delay(&self, attempt: u32) -> Duration {
        K::BACKOFF.delay(attempt)
    }

    fn run(&self, claimed: ClaimedJob, db: Database) -> BoxFuture<'static, Outcome> {
        let arguments = match claimed.arguments() {
            Ok(arguments) => arguments,
            // They will be no better the next time.
            Err(error) => return futures_util::future::ready(Outcome::dead(error.to_string())).boxed(),
        };
        let done = (self.function)(RunningJob { arguments, claimed, db });
        async move { done.await.unwrap_or_else(|error| Outcome::retry(error.to_string())) }.boxed()
    }
}

pub(super) fn attempt(claimed: &ClaimedJob) -> u32 {
    u32::try_from(claimed.job.attempts).unwrap_or(1)
}
