//! How far a worker has claimed the cursors of a queue, so that its next claim goes on from there.
//!
//! What has been claimed leaves dead entries in the index until a vacuum, which a look at everything has to go over. While
//! there is more than it can take, a worker spares itself that, and looks at everything now and then.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claim::ClaimedJob;
use crate::id::WorkspaceId;

/// Of its time, a worker has one part in so many go to claims that look at everything,
const PARTS: u32 = 5;
/// but makes one so often, however long it takes: so long an urgent job, or one of a workspace that had none, may wait.
const AT_LEAST_EVERY: Duration = Duration::from_millis(250);

/// One kind of job at one priority in one workspace.
type CursorKey = (WorkspaceId, String, i32);

/// Up to which job each lane has been claimed; without any, a claim looks at everything.
#[derive(Default)]
pub(super) struct ClaimCursors {
    claimed: HashMap<CursorKey, (DateTime<Utc>, Uuid)>,
    look_again_at: Option<Instant>,
}

/// Lanes as the database takes them.
#[derive(Default)]
pub(super) struct CursorColumns {
    pub(super) workspaces: Vec<Uuid>,
    pub(super) kinds: Vec<String>,
    pub(super) priorities: Vec<i32>,
    pub(super) times: Vec<DateTime<Utc>>,
    pub(super) jobs: Vec<Uuid>,
}

impl ClaimCursors {
    /// To go on from, where it is not time to look at everything.
    pub(super) fn columns(&mut self) -> CursorColumns {
        if self.look_again_at.is_some_and(|at| at <= Instant::now()) {
            self.claimed.clear();
        }
        let mut columns = CursorColumns::default();
        for ((workspace, kind, priority), (time, job)) in &self.claimed {
            columns.workspaces.push(*workspace.as_uuid());
            columns.kinds.push(kind.clone());
            columns.priorities.push(*priority);
            columns.times.push(*time);
            columns.jobs.push(*job);
        }
        columns
    }

    /// After a claim of at most so many that took so long.
    pub(super) fn note(&mut self, claimed: &[ClaimedJob], most: usize, took: Duration) {
        if self.claimed.is_empty() {
            self.look_again_at = Some(Instant::now() + (took * PARTS).min(AT_LEAST_EVERY));
        }
        let workspaces: HashSet<_> = claimed.iter().map(|claimed| claimed.job.workspace_id).collect();
        // It must have left something, and have had a share for every workspace that waits: others may be due a turn now.
        if claimed.len() < most || workspaces.len() > most / 2 {
            self.claimed.clear();
            return;
        }
        let mut furthest: HashMap<CursorKey, (DateTime<Utc>, Uuid)> = HashMap::new();
        for job in claimed.iter().map(|claimed| &claimed.job) {
            let Some(time) = job.scheduled_at else { continue };
            let place = (time, *job.id.as_uuid());
            let lane = (job.workspace_id, job.job_type.clone(), job.priority);
            furthest.entry(lane).and_modify(|at| *at = place.max(*at)).or_insert(place);
        }
        self.claimed.extend(furthest);
    }
}
