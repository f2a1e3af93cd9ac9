//! Operations on jobs and queues for operators.

use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::dsl::{AsExprOf, now};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use uuid::Uuid;

use super::enqueue::CHANNEL;
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::models::{JobQueue, NewAuditEntry};
use crate::schema::{job_queues, jobs};
use crate::sql_types::JobStatus;
use crate::tenancy::{
    Access, Database, FunctionCall, InWorkspace as _, MayWrite, OptionalRow as _, PlatformScope, WorkspaceConnection,
    WorkspaceScope,
};

/// Shortest and longest pause between two looks at a job.
const MIN_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Cancels a job of the connection's workspace and returns its current status.
///
/// A queued job is cancelled at once. A running job stays `running` until the worker's next heartbeat, when the worker
/// drops the handler. A job that has ended stays unchanged.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if this workspace has no such job.
pub async fn cancel(ws: &mut WorkspaceConnection<impl MayWrite>, job: JobId) -> Result<JobStatus> {
    let call = FunctionCall::<_, _, JobStatus>::new("workspace_db_cancel_job", "rows", job_key(ws, job));
    call.load_in(ws).await?.into_iter().next().ok_or_else(|| no_job(job))
}

/// Requeues a job of the connection's workspace to run now, with at least one attempt left. The job must be queued,
/// failed or cancelled.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if this workspace has no such job; [`is_conflict`](Error::is_conflict) if the
/// job runs, has completed, or if another job has its unique key now.
pub async fn retry(ws: &mut WorkspaceConnection<impl MayWrite>, job: JobId) -> Result<()> {
    let columns = "status_now, of_queue, is_changed";
    let call = FunctionCall::<_, _, (JobStatus, Text, Bool)>::new("workspace_db_retry_job", columns, job_key(ws, job));
    let found: Vec<(JobStatus, String, bool)> = call.load_in(ws).await?;
    match found.into_iter().next() {
        None => Err(no_job(job)),
        Some((status, _, false)) => {
            Err(Error::new(ErrorKind::Conflict, format!("job {job} is {status} and can't be retried")))
        }
        Some((_, queue, true)) => {
            ws.notify(CHANNEL, queue);
            Ok(())
        }
    }
}

/// Ended job, as [`wait`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedJob {
    /// Status: completed, failed or cancelled.
    pub status: JobStatus,
    /// Value that the handler returned, if the job has completed.
    pub result: Option<serde_json::Value>,
    /// Error of the last failure.
    pub last_error: Option<String>,
}

/// Waits until a job of the scope's workspace has ended, and returns its end. Returns `None` after `timeout`.
///
/// It looks at the job at growing intervals of 20 ms to 1 s, and holds no connection in between.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if this workspace has no such job; the errors of
/// [`Database::workspace`].
///
/// ```no_run
/// use std::time::Duration;
/// use workspace_db::jobs;
/// # use workspace_db::id::JobId;
/// # use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope, job: JobId) -> workspace_db::Result<()> {
/// if let Some(ended) = jobs::wait(db, scope, job, Duration::from_secs(30)).await? {
///     println!("{}: {:?}", ended.status, ended.result);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn wait<A: Access>(
    db: &Database,
    scope: &WorkspaceScope<A>,
    job: JobId,
    timeout: Duration,
) -> Result<Option<EndedJob>> {
    let began = Instant::now();
    let mut pause = MIN_PAUSE;
    loop {
        let mut ws = db.workspace(scope).await?;
        let found = jobs::table.in_workspace(&ws).find(job).select((jobs::status, jobs::result, jobs::last_error));
        let (status, result, last_error) = found.first(&mut ws).await.optional()?.ok_or_else(|| no_job(job))?;
        drop(ws);
        if !matches!(status, JobStatus::Queued | JobStatus::Running) {
            return Ok(Some(EndedJob { status, result, last_error }));
        }
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn job_key(ws: &WorkspaceConnection<impl MayWrite>, job: JobId) -> (AsExprOf<Uuid, SqlUuid>, AsExprOf<Uuid, SqlUuid>) {
    ((*ws.workspace().as_uuid()).into_sql::<SqlUuid>(), (*job.as_uuid()).into_sql::<SqlUuid>())
}

fn no_job(job: JobId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no job {job} in this workspace"))
}

/// Statistics of a kind of job in a queue, over all workspaces.
#[derive(Clone, Debug, PartialEq, Serialize, QueryableByName)]
pub struct QueueStats {
    /// Name of the queue.
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// Name of the kind.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Number of jobs that could start now.
    #[diesel(sql_type = BigInt)]
    pub due: i64,
    /// Number of jobs that are scheduled for later.
    #[diesel(sql_type = BigInt)]
    pub scheduled: i64,
    /// Number of running jobs.
    #[diesel(sql_type = BigInt)]
    pub running: i64,
    /// Number of failed jobs (dead letters).
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Number of workspaces with due jobs.
    #[diesel(sql_type = BigInt)]
    pub workspaces: i64,
    /// Time since the oldest due job became due, in seconds.
    #[diesel(sql_type = Nullable<Double>)]
    pub oldest_due_seconds: Option<f64>,
    /// True if the queue is paused.
    #[diesel(sql_type = Bool)]
    pub is_paused: bool,
}

/// Returns statistics by queue and kind. Completed and cancelled jobs are not counted; [`totals`] counts them.
///
/// # Errors
///
/// [`is_forbidden`](Error::is_forbidden) if the scope's actor is no longer a superadmin;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn stats(db: &Database, platform: &PlatformScope) -> Result<Vec<QueueStats>> {
    db.platform(async |conn| {
        platform.actor(conn, db).await?;
        Ok(diesel::sql_query(
            "SELECT j.queue, j.job_type AS kind,
                count(*) FILTER (WHERE j.status = 'queued' AND j.scheduled_at <= now()) AS due,
                count(*) FILTER (WHERE j.status = 'queued' AND j.scheduled_at > now()) AS scheduled,
                count(*) FILTER (WHERE j.status = 'running') AS running,
                count(*) FILTER (WHERE j.status = 'failed') AS failed,
                count(DISTINCT j.workspace_id) FILTER (WHERE j.status = 'queued' AND j.scheduled_at <= now()) AS workspaces,
                extract(epoch FROM now() - min(j.scheduled_at) FILTER (WHERE j.status = 'queued' AND j.scheduled_at <= now() AND isfinite(j.scheduled_at)))
                    ::double precision AS oldest_due_seconds,
                EXISTS (SELECT FROM job_queues q WHERE q.name = j.queue AND q.paused_at IS NOT NULL) AS is_paused
            FROM jobs j WHERE j.status IN ('queued', 'running', 'failed')
            GROUP BY j.queue, j.job_type ORDER BY j.queue, j.job_type",
        )
        .load(conn)
        .await?)
    })
    .await
}

/// Totals of a kind of job in a queue, over all workspaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName)]
pub struct JobTotals {
    /// Name of the queue.
    #[diesel(sql_type = Text)]
    pub queue: String,
    /// Name of the kind.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Number of completed jobs.
    #[diesel(sql_type = BigInt)]
    pub completed: i64,
    /// Number of cancelled jobs.
    #[diesel(sql_type = BigInt)]
    pub cancelled: i64,
    /// Number of jobs, of any status, that needed more than one attempt.
    #[diesel(sql_type = BigInt)]
    pub retried: i64,
}

/// Returns totals by queue and kind, of the jobs that retention has not deleted yet. Unlike [`stats`], it reads all jobs.
///
/// # Errors
///
/// Same as [`stats`].
pub async fn totals(db: &Database, platform: &PlatformScope) -> Result<Vec<JobTotals>> {
    db.platform(async |conn| {
        platform.actor(conn, db).await?;
        Ok(diesel::sql_query(
            "SELECT queue, job_type AS kind, count(*) FILTER (WHERE status = 'completed') AS completed,
                count(*) FILTER (WHERE status = 'cancelled') AS cancelled, count(*) FILTER (WHERE attempts > 1) AS retried
            FROM jobs GROUP BY queue, job_type ORDER BY queue, job_type",
        )
        .load(conn)
        .await?)
    })
    .await
}

/// Stops workers from claiming jobs of a queue. Running jobs continue, and new jobs wait.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the name is empty or has more than 100 characters; otherwise the
/// same as [`stats`].
pub async fn pause(db: &Database, platform: &PlatformScope, queue: &str) -> Result<JobQueue> {
    set(db, platform, queue, "queue.pause", |queue| JobQueue { paused_at: Some(Utc::now()), ..queue }).await
}

/// Lets workers claim jobs of a queue again.
///
/// # Errors
///
/// Same as [`pause`].
pub async fn resume(db: &Database, platform: &PlatformScope, queue: &str) -> Result<JobQueue> {
    let row = set(db, platform, queue, "queue.resume", |queue| JobQueue { paused_at: None, ..queue }).await?;
    db.notify(CHANNEL, queue);
    Ok(row)
}

/// Limits how many jobs of one workspace run from a queue at once, over all workers and kinds; `None` removes the
/// limit.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the limit is 0; otherwise the same as [`pause`].
pub async fn limit(db: &Database, platform: &PlatformScope, queue: &str, max_running: Option<u32>) -> Result<JobQueue> {
    let max_running = max_running.map(|count| i32::try_from(count).unwrap_or(i32::MAX));
    let row =
        set(db, platform, queue, "queue.limit", |queue| JobQueue { max_running_per_workspace: max_running, ..queue })
            .await?;
    db.notify(CHANNEL, queue);
    Ok(row)
}

async fn set(
    db: &Database,
    platform: &PlatformScope,
    queue: &str,
    action: &'static str,
    change: impl FnOnce(JobQueue) -> JobQueue + Send,
) -> Result<JobQueue> {
    db.platform(async |conn| {
        let actor = platform.actor(conn, db).await?;
        diesel::insert_into(job_queues::table)
            .values(job_queues::name.eq(queue))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
        let before = JobQueue::query().find(queue).for_update().first(conn).await?;
        let new = change(before.clone());
        let after = diesel::update(job_queues::table.find(queue))
            .set((
                job_queues::paused_at.eq(new.paused_at),
                job_queues::max_running_per_workspace.eq(new.max_running_per_workspace),
                job_queues::updated_at.eq(now),
            ))
            .returning(JobQueue::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor, action, "job_queues", None).change(&before, &after).insert(conn).await?;
        Ok(after)
    })
    .await
}
