//! Handlers of jobs, and the context that they receive.

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

/// Running job: its arguments, and the one workspace that it may access.
pub struct RunningJob<K> {
    /// Arguments of the job.
    pub arguments: K,
    claimed: ClaimedJob,
    db: Database,
}

impl<K: JobKind> RunningJob<K> {
    /// Returns the id of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.claimed.job.id
    }

    /// Returns the row as of the claim, with the number of this attempt, earlier errors and the due time.
    #[must_use]
    pub fn row(&self) -> &Job {
        &self.claimed.job
    }

    /// Returns the database that the job was claimed from.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Returns the scope of the job's workspace, and of no other. It is valid while this worker has the lease.
    #[must_use]
    pub fn scope(&self) -> &WorkspaceScope {
        self.claimed.scope()
    }

    /// Opens a connection to the job's workspace. Its transactions commit only while this worker has the lease.
    ///
    /// # Errors
    ///
    /// [`is_lease_lost`](crate::Error::is_lease_lost) if this worker has lost the lease; otherwise the same as
    /// [`Database::workspace`].
    pub async fn workspace(&self) -> Result<WorkspaceConnection> {
        self.db.workspace(self.scope()).await
    }

    /// Ends the job in the open transaction of a connection to its workspace, and returns the outcome for the handler
    /// to return. The work of the transaction and the end of the job commit together or not at all.
    ///
    /// # Errors
    ///
    /// [`is_lease_lost`](crate::Error::is_lease_lost) if this worker has lost the lease; the transaction must then be
    /// rolled back.
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
    ///         documents::table.in_workspace(&tx).insert(&document).execute(tx).await?;
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

/// Handler of one kind, with the settings that a worker needs.
pub(super) trait Handler: Send + Sync {
    fn timeout(&self) -> Duration;
    fn cap(&self) -> Option<u32>;
    /// Returns the delay before a retry if this attempt fails.
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
            // A retry would read the same arguments.
            Err(error) => return futures_util::future::ready(Outcome::dead(error.to_string())).boxed(),
        };
        let done = (self.function)(RunningJob { arguments, claimed, db });
        async move { done.await.unwrap_or_else(|error| Outcome::retry(error.to_string())) }.boxed()
    }
}

pub(super) fn attempt(claimed: &ClaimedJob) -> u32 {
    u32::try_from(claimed.job.attempts).unwrap_or(1)
}
