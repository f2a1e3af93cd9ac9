//! How a list of passages is made, and what decides it.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::config::SearchLimits;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{Access, DatabaseToken, WorkspaceConnection};

/// How a list of passages was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Every passage that passes the filters, by cosine.
    Exact,
    /// Every passage that passes the filters, by the signs of its vector; the best of them again by cosine.
    Bits,
    /// The passages that the workspace's own approximate index gives, by signs; the best of them again by cosine.
    Approximate,
    /// Passages that share words with the text, by `ts_rank`.
    Words,
}

/// One hit needs more than 16 candidates to choose from.
const CANDIDATES_IN_ANY_CASE: u32 = 40;
/// Each further attempt takes so many times as many candidates.
const WIDENS_BY: u32 = 4;

/// What one attempt at a list by vector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) plan: Plan,
    pub(super) candidates: u32,
    /// Whether candidates are picked from what the filters leave, and not filtered afterwards.
    pub(super) filters_first: bool,
}

impl Attempt {
    pub(super) fn first(plan: Plan, k: u32, limits: SearchLimits, filters_first: bool) -> Self {
        let candidates = CANDIDATES_IN_ANY_CASE.saturating_add(k.saturating_mul(limits.candidates_per_hit));
        Self { plan, candidates: candidates.min(limits.most_candidates).max(k), filters_first }
    }

    /// What to do where this one was not enough: more candidates, by a plan that can't run out of them.
    pub(super) fn wider(self, limits: SearchLimits) -> Option<Self> {
        let wider = Self {
            plan: Plan::Bits,
            candidates: self.candidates.saturating_mul(WIDENS_BY).min(limits.most_candidates).max(self.candidates),
            filters_first: true,
        };
        (wider != self).then_some(wider)
    }
}

/// How long it is remembered how a workspace stands.
const STATS_TTL: Duration = Duration::from_secs(60);

/// What the name of a workspace's own index begins with; its id in hexadecimal follows.
pub(crate) const OWN_INDEX: &str = "document_chunks_near_";

/// The name of the workspace's own index.
pub(crate) fn own_index(workspace: WorkspaceId) -> String {
    format!("{OWN_INDEX}{}", workspace.as_uuid().simple())
}

/// What the plan of a search depends on.
#[derive(Clone, Copy, Debug)]
struct WorkspaceStats {
    has_own_index: bool,
    /// Passages of the workspace, counted no further than asked.
    chunks: u32,
    counted_to: u32,
    asked: Instant,
}

static STATS_CACHE: LazyLock<Mutex<HashMap<(DatabaseToken, WorkspaceId), WorkspaceStats>>> =
    LazyLock::new(Mutex::default);

/// How a search of the workspace is planned, by its size and by whether it has an approximate index of its own.
///
/// Asked once a minute and workspace, which costs as much as a search of a small one; no statistics are read, since those that PostgreSQL gathers know nothing of small
/// workspaces and are hidden under row-level security. Where the answer is out of date, a search is slower than it could
/// be, and not wrong: a plan that finds no index scans.
pub(super) async fn choose_plan(ws: &mut WorkspaceConnection<impl Access>, limits: SearchLimits) -> Result<Plan> {
    let standing = match remembered(ws, limits) {
        Some(known) => known,
        None => ask(ws, limits).await?,
    };
    Ok(match standing {
        WorkspaceStats { chunks, .. } if chunks < limits.exact_below => Plan::Exact,
        WorkspaceStats { has_own_index: true, .. } => Plan::Approximate,
        _ => Plan::Bits,
    })
}

fn remembered(ws: &WorkspaceConnection<impl Access>, limits: SearchLimits) -> Option<WorkspaceStats> {
    let standings = STATS_CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = standings.get(&(ws.database(), ws.workspace()))?;
    let counted = known.chunks < known.counted_to || known.counted_to >= limits.exact_below;
    (counted && known.asked.elapsed() < STATS_TTL).then_some(*known)
}

async fn ask(ws: &mut WorkspaceConnection<impl Access>, limits: SearchLimits) -> Result<WorkspaceStats> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        has_own_index: bool,
        #[diesel(sql_type = BigInt)]
        chunks: i64,
    }
    let workspace = ws.workspace();
    let index = own_index(workspace);
    let row: Row = ws
        .internal_sql(async |conn| {
            let query = "SELECT EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                    WHERE i.indrelid = 'document_chunks'::regclass AND i.indisvalid AND c.relname = $1) AS has_own_index,
                (SELECT count(*) FROM (SELECT FROM document_chunks WHERE workspace_id = $2 LIMIT $3) AS counted) AS chunks";
            let query = diesel::sql_query(query)
                .bind::<Text, _>(index)
                .bind::<diesel::sql_types::Uuid, _>(workspace)
                .bind::<BigInt, _>(i64::from(limits.exact_below));
            Ok::<_, Error>(query.get_result(conn).await?)
        })
        .await?;
    let standing = WorkspaceStats {
        has_own_index: row.has_own_index,
        chunks: u32::try_from(row.chunks).unwrap_or(u32::MAX),
        counted_to: limits.exact_below,
        asked: Instant::now(),
    };
    let mut standings = STATS_CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if standings.len() == standings.capacity() {
        // Before it grows, what nobody may use any more goes.
        standings.retain(|_, known| known.asked.elapsed() < STATS_TTL);
    }
    standings.insert((ws.database(), workspace), standing);
    Ok(standing)
}
