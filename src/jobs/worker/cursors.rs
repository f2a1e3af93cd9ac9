//! Positions up to which a worker has claimed a queue, so that its next claim resumes there.
//!
//! Claimed jobs leave dead index entries until the next vacuum, and a full scan reads all of them. While a worker finds
//! more jobs than it can take, it resumes from its cursors and makes full scans only from time to time.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::id::WorkspaceId;
use crate::jobs::claim::{ClaimedJob, CursorColumns};

/// Factor between the duration of a full scan and the time until the next one.
const PARTS: u32 = 5;
/// Longest time between two full scans, whatever their duration. An urgent job, or the first job of a workspace, waits
/// at most this long.
const AT_LEAST_EVERY: Duration = Duration::from_millis(250);

/// Group of jobs with the same workspace, kind and priority.
type CursorKey = (WorkspaceId, String, i32);

/// Last claimed job of each group; without any, a claim makes a full scan.
#[derive(Default)]
pub(super) struct ClaimCursors {
    claimed: HashMap<CursorKey, (DateTime<Utc>, Uuid)>,
    look_again_at: Option<Instant>,
}

impl ClaimCursors {
    /// Returns the cursors to resume from; none if a full scan is due.
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

    /// Records a claim of at most `limit` jobs that took `took`.
    pub(super) fn note(&mut self, claimed: &[ClaimedJob], limit: usize, took: Duration) {
        if self.claimed.is_empty() {
            self.look_again_at = Some(Instant::now() + (took * PARTS).min(AT_LEAST_EVERY));
        }
        let workspaces: HashSet<_> = claimed.iter().map(|claimed| claimed.job.workspace_id).collect();
        // The cursors stay only if jobs may be left and every waiting workspace had a share. Otherwise others may be
        // due a turn.
        if claimed.len() < limit || workspaces.len() > limit / 2 {
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
