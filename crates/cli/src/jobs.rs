//! `workspace-db jobs`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use diesel::prelude::*;
use diesel::sql_types::{Jsonb, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use workspace_db::id::{JobId, WorkspaceId};
use workspace_db::jobs::{self, JobKind as _, QueueStats, Worker};
use workspace_db::models::{Job, JobQueue};
use workspace_db::noun::noun_for;
use workspace_db::schema;
use workspace_db::sql_types::JobStatus;
use workspace_db::tenancy::{Database, PlatformScope, WorkspaceConnection, WorkspaceScope};
use workspace_db::{Error, Readable, UnreadableRow};
use workspace_db_ingest::{FileIngestion, IngestFile};

use super::context::{Context, OPERATOR};
use super::embedder::EmbedderArgs;
use super::error::NotFound;
use super::signal::shutdown_signal;
use super::{database, output, workspace};

/// Run, inspect and control background jobs
#[derive(Args, Debug)]
pub(super) struct Jobs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Work(Work),
    #[command(flatten)]
    JobAction(JobAction),
}

#[derive(Debug, Subcommand)]
enum JobAction {
    List(List),
    /// Show a job with its arguments and errors
    Show {
        id: JobId,
    },
    /// Retry a job now, with one extra attempt
    ///
    /// The job must be waiting, failed or cancelled.
    Retry {
        id: JobId,
    },
    /// Cancel a waiting job, or ask a running job to stop
    Cancel {
        id: JobId,
    },
    /// Show statistics of the queues
    Stats,
    /// Stop workers from claiming jobs of a queue
    Pause {
        queue: String,
    },
    /// Let workers claim jobs of a paused queue again
    Resume {
        queue: String,
    },
    /// Limit the concurrent jobs of each workspace in a queue
    ///
    /// The limit applies to all workers together.
    Limit {
        queue: String,
        /// Maximum number of running jobs; without it, there is no limit
        max_running: Option<u32>,
    },
}

/// Run the jobs of `ingest --background` until interrupted
#[derive(Args, Debug)]
struct Work {
    /// Folder or file that a workspace's jobs may read; can be repeated
    ///
    /// Without this option, no job reads any file.
    #[arg(long = "files", value_name = "SLUG=PATH", value_parser = folder)]
    folders: Vec<(String, PathBuf)>,
    /// Maximum number of concurrent jobs
    #[arg(long, value_name = "JOBS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Stop when the queue has no jobs left
    #[arg(long)]
    until_empty: bool,
    /// Time for running jobs to finish after a stop signal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u64,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

/// List jobs, newest first
#[derive(Args, Debug)]
struct List {
    /// List only the jobs of one workspace
    #[arg(long, value_name = "SLUG")]
    workspace: Option<String>,
    /// List only jobs with this status; dead letters are failed
    #[arg(long, value_name = "STATUS")]
    status: Option<JobStatus>,
    /// List only the jobs of one queue
    #[arg(long)]
    queue: Option<String>,
    /// List only the jobs of one kind
    #[arg(long)]
    kind: Option<String>,
    /// Maximum number of jobs
    #[arg(short = 'n', long, alias = "number", value_name = "N", default_value_t = 50)]
    limit: u32,
}

impl Jobs {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = database::DatabaseTarget::from_context(context)?;
        match self.action {
            Action::Work(work) => work.run(context, &database).await,
            Action::JobAction(steer) => steer.run(context, &database.open().await?).await,
        }
    }
}

impl JobAction {
    async fn run(self, context: &Context, db: &Database) -> Result<()> {
        let platform = PlatformScope::unchecked(OPERATOR);
        match self {
            Self::List(list) => list.run(context, db).await,
            Self::Show { id } => show(context, db, id).await,
            Self::Retry { id } => {
                jobs::retry(&mut enter(db, id).await?, id).await?;
                show(context, db, id).await
            }
            Self::Cancel { id } => {
                jobs::cancel(&mut enter(db, id).await?, id).await?;
                show(context, db, id).await
            }
            Self::Stats => {
                let stats = jobs::stats(db, &platform).await?;
                if context.json {
                    return output::print_json(&stats);
                }
                output::print_lines(stats.iter().map(describe))
            }
            Self::Pause { queue } => print(context, &jobs::pause(db, &platform, &queue).await?),
            Self::Resume { queue } => print(context, &jobs::resume(db, &platform, &queue).await?),
            Self::Limit { queue, max_running } => {
                print(context, &jobs::limit(db, &platform, &queue, max_running).await?)
            }
        }
    }
}

fn folder(text: &str) -> Result<(String, PathBuf), String> {
    let (slug, path) = text.split_once('=').ok_or("use the form SLUG=PATH, such as acme=/srv/acme")?;
    Ok((slug.to_owned(), path.into()))
}

impl Work {
    async fn run(self, context: &Context, database: &database::DatabaseTarget) -> Result<()> {
        let concurrency = usize::from(self.concurrency);
        let db = database.open_for(concurrency + 4).await?;
        let (embedder, other) = self.embedder.embedders()?.into_parts();
        let mut files = FileIngestion::new(Arc::from(embedder));
        if let Some(other) = other {
            files = files.or_embedder(Arc::new(other));
        }
        for (slug, folder) in self.folders {
            files = files.under(workspace::find(&db, &slug).await?.id, folder)?;
        }
        let worker = Worker::new(&db)
            .handle(files.handler())
            .concurrency(IngestFile::QUEUE, concurrency)
            .shutdown_grace_period(Duration::from_secs(self.grace));
        if self.until_empty {
            worker.drain().await?;
        } else {
            end_after(Duration::from_secs(self.grace) + EXIT_GRACE)?;
            worker.run(shutdown_signal()).await?;
        }
        if context.json {
            return output::print_json(&jobs::stats(&db, &PlatformScope::unchecked(OPERATOR)).await?);
        }
        Ok(())
    }
}

/// Time that the worker may take to end after the grace period of its jobs.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// Ends the process at this time after a stop signal. It runs on a thread of its own, which no job can block.
fn end_after(grace: Duration) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        runtime.block_on(async {
            shutdown_signal().await;
            tokio::time::sleep(grace).await;
        });
        output::note("error: jobs did not finish within the grace period; they stay leased until the leases expire");
        std::process::exit(1);
    })?;
    Ok(())
}

impl List {
    async fn run(self, context: &Context, db: &Database) -> Result<()> {
        use schema::jobs;
        let of = match &self.workspace {
            Some(slug) => Some(workspace::find(db, slug).await?.id),
            None => None,
        };
        let found: Vec<Readable<Job>> = db
            .across_workspaces("the operator lists jobs at the shell", async |conn| {
                let mut query = jobs::table.select(Job::as_select()).into_boxed();
                if let Some(workspace) = of {
                    query = query.filter(jobs::workspace_id.eq(workspace));
                }
                if let Some(status) = self.status {
                    query = query.filter(jobs::status.eq(status));
                }
                if let Some(queue) = &self.queue {
                    query = query.filter(jobs::queue.eq(queue));
                }
                if let Some(kind) = &self.kind {
                    query = query.filter(jobs::job_type.eq(kind));
                }
                let query = query.order((jobs::created_at.desc(), jobs::id.desc())).limit(self.limit.into());
                conn.load_each(query).await
            })
            .await?;
        if context.json {
            return output::print_json(&found.iter().map(ListedJob::from).collect::<Vec<_>>());
        }
        output::print_lines(found.iter().map(line))
    }
}

/// A job as an element of the JSON list.
#[derive(Serialize)]
#[serde(untagged)]
enum ListedJob<'a> {
    Job(&'a Job),
    Unreadable(&'a UnreadableRow),
}

impl<'a> From<&'a Readable<Job>> for ListedJob<'a> {
    fn from(job: &'a Readable<Job>) -> Self {
        job.as_ref().map_or_else(Self::Unreadable, Self::Job)
    }
}

/// Returns a job of any workspace by its id.
async fn find(db: &Database, id: JobId) -> Result<(WorkspaceId, Readable<Job>)> {
    use schema::jobs;
    let found = db
        .across_workspaces("the operator names a job at the shell", async |conn| {
            // The key begins with the workspace, so this looks up the id in each workspace and does not scan all jobs.
            let of_any = jobs::workspace_id.eq_any(schema::workspaces::table.select(schema::workspaces::id));
            let query = Job::query().filter(of_any).filter(jobs::id.eq(id)).limit(1);
            Ok::<_, Error>(conn.load_each::<Job>(query).await?.pop())
        })
        .await?;
    let workspace = |job: &Readable<Job>| match job {
        Ok(job) => Some(job.workspace_id),
        Err(unreadable) => unreadable.workspace().map(WorkspaceId::from),
    };
    found
        .and_then(|job| Some((workspace(&job)?, job)))
        .ok_or_else(|| NotFound(format!("there is no job {id}; `workspace-db jobs list` lists them")).into())
}

async fn enter(db: &Database, id: JobId) -> Result<WorkspaceConnection> {
    let scope = WorkspaceScope::unchecked(find(db, id).await?.0, OPERATOR);
    Ok(db.workspace(&scope).await?)
}

async fn show(context: &Context, db: &Database, id: JobId) -> Result<()> {
    let (_, job) = find(db, id).await?;
    let fields = match &job {
        Ok(job) => serde_json::to_value(job)?,
        Err(unreadable) => as_text(db, unreadable).await?,
    };
    if context.json {
        return output::print_json(&fields);
    }
    let columns = fields.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    output::print_lines(columns.map(|(name, value)| format!("{name:<20}{value}")))
}

/// Reads a job that can't be decoded, with each column as the text that PostgreSQL writes.
async fn as_text(db: &Database, unreadable: &UnreadableRow) -> Result<serde_json::Value> {
    let columns = "SELECT jsonb_object_agg(key, value) AS columns FROM jobs AS j, json_each_text(row_to_json(j)) AS own (key, value)
        WHERE j.workspace_id = $1 AND j.id = $2 AND key <> 'lease_token'";
    let columns = diesel::sql_query(columns)
        .bind::<Nullable<SqlUuid>, _>(unreadable.workspace())
        .bind::<Nullable<SqlUuid>, _>(unreadable.id());
    let mut job: RawColumns = db
        .across_workspaces("the operator looks at a job that can't be read", async |conn| {
            Ok::<_, Error>(columns.get_result(conn).await?)
        })
        .await?;
    if let Some(fields) = job.columns.as_object_mut() {
        fields.insert("unreadable".to_owned(), unreadable.why().into());
    }
    Ok(job.columns)
}

#[derive(QueryableByName)]
struct RawColumns {
    #[diesel(sql_type = Jsonb)]
    columns: serde_json::Value,
}

fn line(job: &Readable<Job>) -> String {
    match job {
        Ok(job) => {
            let attempts = format!("{}/{}", job.attempts, job.max_attempts);
            let time = job.created_at.format("%F %T UTC");
            let why = job.last_error.as_deref().and_then(|error| error.lines().next()).unwrap_or_default();
            format!("{:<9}  {}  {time}  {attempts:>5}  {}  {}  {why}", job.status, job.id, job.queue, job.job_type)
        }
        Err(unreadable) => format!("unreadable  {unreadable}; `jobs cancel` with its id removes it from the queue"),
    }
}

fn describe(stats: &QueueStats) -> String {
    let QueueStats { queue, kind, due, scheduled, running, failed, workspaces, oldest_due_seconds, is_paused } = stats;
    let oldest = oldest_due_seconds.map(|age| format!(", the oldest for {age:.0} s")).unwrap_or_default();
    let paused = if *is_paused { "  PAUSED" } else { "" };
    let noun = noun_for(*workspaces, "workspace");
    format!(
        "{queue}  {kind}  due {due} in {workspaces} {noun}{oldest}; scheduled {scheduled}; running {running}; failed {failed}{paused}"
    )
}

fn print(context: &Context, queue: &JobQueue) -> Result<()> {
    if context.json {
        return output::print_json(queue);
    }
    let status = if queue.paused_at.is_some() { "paused" } else { "open" };
    let limit =
        queue.max_running_per_workspace.map(|max| format!("  at most {max} running per workspace")).unwrap_or_default();
    output::print_lines([format!("{status:<7}  {}{limit}", queue.name)])
}
