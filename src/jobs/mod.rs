//! Background work: a queue inside PostgreSQL that loses nothing, fences everyone, and is fair between workspaces.
//!
//! # How do I have something done?
//!
//! A [`JobKind`] says what; [`enqueue`](enqueue()) puts it into the transaction of the data that it is about; a [`Worker`] runs its
//! handler. [`schedule`](schedule()) has it enqueued again and again.
//!
//! # What holds, and what does not?
//!
//! - A job runs **at least once**. A worker has it by a [`Lease`], which its heartbeats extend; where they stay out, the job
//!   goes to another worker, up to its number of attempts, and then lies in its place as a dead letter.
//! - A worker that lost its lease changes nothing in the database: neither the job's state, nor anything that it does by the
//!   job's scope, since every transaction of that scope asks for the lease directly before its commit. What it does
//!   elsewhere, such as a request to a provider, can happen twice: give the job's id along as the key of idempotency.
//! - [`RunningJob::complete`] commits the work and the end of the job together, or neither.
//! - A handler gets the scope of its job's workspace, and of no other.
//! - Workspaces take turns in a claim, so that a thousand small ones do not wait for a large one; a workspace that is alone
//!   has everything. Within a workspace, priority and then age decide. A [`Worker`] with more than it can take looks at
//!   everything four times a second or more often; in between it goes on with the cursors that it has.
//! - Caps by kind and by workspace ([`JobKind::MAX_RUNNING_PER_WORKSPACE`], [`limit`]) hold over all workers.
//! - Every time is the server's: a clock of another machine can be wrong.
//!
//! # How do I see how it goes?
//!
//! [`stats`], `workspace-db jobs`, and the [`metrics`] facade:
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `workspace_db_jobs_claimed_total` | counter | queue |
//! | `workspace_db_jobs_finished_total` | counter | queue, kind, outcome: completed, retried, failed, cancelled, snoozed, released, settled |
//! | `workspace_db_jobs_lost_total` | counter | queue, kind |
//! | `workspace_db_jobs_rescued_total` | counter | queue, kind |
//! | `workspace_db_jobs_wait_seconds` | histogram | queue, kind |
//! | `workspace_db_jobs_run_seconds` | histogram | queue, kind |

mod active_jobs;
mod claim;
mod claimer;
mod completer;
mod control;
mod cursors;
mod enqueue;
mod handler;
mod kind;
mod lease;
mod maintenance;
mod outcome;
mod schedule;
mod worker;

pub use self::claim::{ClaimRequest, ClaimedJob, claim};
pub use self::control::{QueueStats, cancel, limit, pause, resume, retry, stats};
pub use self::enqueue::{EnqueueResult, NewJob, OnDuplicate, enqueue, enqueue_all};
pub use self::handler::RunningJob;
pub use self::kind::{Backoff, JobKind, MAX_ARGUMENT_BYTES};
pub use self::lease::{Lease, LeaseStatus, MAX_LEASE, RescuedJob, heartbeat, rescue};
pub use self::outcome::{FinishResult, Outcome, finish};
pub use self::schedule::{NewSchedule, schedule, unschedule};
pub use self::worker::Worker;

/// Where a queue's name is said when it has got jobs.
const CHANNEL: &str = "workspace_db_jobs";
