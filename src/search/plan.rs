//! Plans of a search, and the choice between them.

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

/// Method by which a list of passages is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Compares every passage that passes the filters by cosine.
    Exact,
    /// Compares every passage that passes the filters by sign bits, and rescores the best by cosine.
    Bits,
    /// Takes the passages that the workspace's own approximate index returns by sign bits, and rescores the best by
    /// cosine.
    Approximate,
    /// Ranks passages that match the full-text query by `ts_rank`.
    Words,
}

/// Number of candidates in addition to those per hit: 16 are too few for a single hit.
const CANDIDATES_IN_ANY_CASE: u32 = 40;
/// Factor by which each further attempt increases the candidates.
const WIDENS_BY: u32 = 4;

/// Parameters of one attempt at a vector search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) plan: Plan,
    pub(super) candidates: u32,
    /// True if filters apply before candidates are picked, and not afterwards.
    pub(super) filters_first: bool,
}

impl Attempt {
    pub(super) fn first(plan: Plan, k: u32, limits: SearchLimits, filters_first: bool) -> Self {
        let candidates = CANDIDATES_IN_ANY_CASE.saturating_add(k.saturating_mul(limits.candidates_per_hit));
        Self { plan, candidates: candidates.min(limits.max_candidates).max(k), filters_first }
    }

    /// Returns the next attempt if this one was insufficient: more candidates, by a plan that can't run out of them.
    pub(super) fn wider(self, limits: SearchLimits) -> Option<Self> {
        let wider = Self {
            plan: Plan::Bits,
            candidates: self.candidates.saturating_mul(WIDENS_BY).min(limits.max_candidates).max(self.candidates),
            filters_first: true,
        };
        (wider != self).then_some(wider)
    }
}

/// Time for which the statistics of a workspace are cached.
const STATS_TTL: Duration = Duration::from_secs(60);

/// Prefix of the name of a workspace's own index; its id in hexadecimal follows.
pub const OWN_INDEX: &str = "document_chunks_near_";

/// Returns the name of the workspace's own index.
///
/// ```
/// use workspace_db::id::WorkspaceId;
/// use workspace_db::search::own_index;
///
/// let workspace: WorkspaceId = "0198c0de-0000-7000-8000-000000000001".parse()?;
/// assert_eq!(own_index(workspace), "document_chunks_near_0198c0de000070008000000000000001");
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[must_use]
pub fn own_index(workspace: WorkspaceId) -> String {
    format!("{OWN_INDEX}{}", workspace.as_uuid().simple())
}

/// Facts about a workspace that determine the plan of a search.
#[derive(Clone, Copy, Debug)]
struct WorkspaceStats {
    has_own_index: bool,
    /// Number of passages in the workspace, counted up to `counted_to`.
    chunks: u32,
    counted_to: u32,
    read_at: Instant,
}

static STATS_CACHE: LazyLock<Mutex<HashMap<(DatabaseToken, WorkspaceId), WorkspaceStats>>> =
    LazyLock::new(Mutex::default);

/// Returns the plan for a search of the workspace, by its size and by whether it has its own approximate index.
///
/// A query refreshes these facts once a minute for each workspace, which costs as much as a search of a small one. The
/// statistics of PostgreSQL are not used: they omit small workspaces and are hidden under row-level security. An
/// outdated plan makes a search slower and not wrong, because a plan without its index scans.
pub(super) async fn choose_plan(ws: &mut WorkspaceConnection<impl Access>, limits: SearchLimits) -> Result<Plan> {
    let stats = match cached_stats(ws, limits) {
        Some(known) => known,
        None => read_stats(ws, limits).await?,
    };
    Ok(match stats {
        WorkspaceStats { chunks, .. } if chunks < limits.exact_below => Plan::Exact,
        WorkspaceStats { has_own_index: true, .. } => Plan::Approximate,
        _ => Plan::Bits,
    })
}

fn cached_stats(ws: &WorkspaceConnection<impl Access>, limits: SearchLimits) -> Option<WorkspaceStats> {
    let cache = STATS_CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = cache.get(&(ws.database(), ws.workspace()))?;
    let counted = known.chunks < known.counted_to || known.counted_to >= limits.exact_below;
    (counted && known.read_at.elapsed() < STATS_TTL).then_some(*known)
}

async fn read_stats(ws: &mut WorkspaceConnection<impl Access>, limits: SearchLimits) -> Result<WorkspaceStats> {
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
    let stats = WorkspaceStats {
        has_own_index: row.has_own_index,
        chunks: u32::try_from(row.chunks).unwrap_or(u32::MAX),
        counted_to: limits.exact_below,
        read_at: Instant::now(),
    };
    let mut cache = STATS_CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() == cache.capacity() {
        // Remove expired entries before the map grows.
        cache.retain(|_, known| known.read_at.elapsed() < STATS_TTL);
    }
    cache.insert((ws.database(), workspace), stats);
    Ok(stats)
}
