//! Background jobs: a queue inside PostgreSQL that loses no job, fences every worker, and is fair between workspaces.
//!
//! # How do I run a job?
//!
//! A [`JobKind`] defines the job. [`enqueue`](enqueue()) inserts it in the transaction of the related data. A
//! [`Worker`] runs its handler. [`schedule`](schedule()) enqueues it repeatedly.
//!
//! # What is guaranteed, and what is not?
//!
//! - A job runs **at least once**. A worker has the job by a [`Lease`], which its heartbeats extend. Without
//!   heartbeats, the job goes to another worker. After its last attempt it remains in the table as a dead letter.
//! - A worker that has lost its lease changes nothing in the database, neither the job's status nor anything by the
//!   job's scope. Every transaction of that scope checks the lease directly before its commit. External effects, such
//!   as a request to a provider, can happen twice: pass the job's id as the idempotency key.
//! - [`RunningJob::complete`] commits the work and the end of the job together or not at all.
//! - A handler gets the scope of its job's workspace, and no other.
//! - Workspaces take turns in a claim, so a thousand small workspaces do not wait for a large one. A workspace without
//!   competitors gets all slots. Within a workspace, priority and then age decide. A [`Worker`] with more jobs than it
//!   can take scans the whole queue at least four times a second. In between it resumes from its cursors.
//! - Limits by kind and by workspace ([`JobKind::MAX_RUNNING_PER_WORKSPACE`], [`limit`]) apply to all workers together.
//! - Every time is the server's, because the clock of another machine can be wrong.
//!
//! # How do I monitor jobs?
//!
//! Use [`stats`], `workspace-db jobs`, and the [`metrics`] facade:
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `workspace_db_jobs_claimed_total` | counter | queue |
//! | `workspace_db_jobs_finished_total` | counter | queue, kind, outcome: completed, retried, failed, cancelled, snoozed, released, settled |
//! | `workspace_db_jobs_lost_total` | counter | queue, kind |
//! | `workspace_db_jobs_rescued_total` | counter | queue, kind |
//! | `workspace_db_answers_interrupted_total` | counter | |
//! | `workspace_db_jobs_wait_seconds` | histogram | queue, kind |
//! | `workspace_db_jobs_run_seconds` | histogram | queue, kind |

mod claim;
mod control;
mod credential;
mod enqueue;
mod handler;
mod kind;
mod lease;
mod outcome;
mod schedule;
mod worker;

pub use self::claim::{ClaimRequest, ClaimedJob, claim};
pub use self::control::{EndedJob, JobTotals, QueueStats, cancel, limit, pause, resume, retry, stats, totals, wait};
pub use self::enqueue::{EnqueueResult, NewJob, OnDuplicate, enqueue, enqueue_all};
pub use self::handler::RunningJob;
pub use self::kind::{Backoff, JobKind, MAX_ARGUMENT_BYTES};
pub use self::lease::{Lease, LeaseStatus, MAX_LEASE, RescuedJob, heartbeat, rescue};
pub use self::outcome::{FinishResult, Outcome, finish};
pub use self::schedule::{NewSchedule, schedule, unschedule};
pub use self::worker::Worker;
