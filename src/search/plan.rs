//! How a list of passages is made, and what decides it.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::config::SearchLimits;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{DatabaseToken, WorkspaceConnection};

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
    /// Passages that share words with the text, by `ts_rank_cd`.
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

/// How long it is remembered which workspaces have an index of their own.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What the name of a workspace's own index begins with; its id in hexadecimal follows.
pub(crate) const OWN_INDEX: &str = "document_chunks_near_";

struct Indexed {
    database: DatabaseToken,
    asked: Instant,
    workspaces: HashSet<WorkspaceId>,
}

static INDEXED: LazyLock<Mutex<Vec<Indexed>>> = LazyLock::new(Mutex::default);

/// Whether the workspace has an approximate index of its own, as the catalog said within the last minute.
///
/// One question a minute and database, whatever the number of workspaces. Where the answer is out of date, a search is
/// slower than it could be, and not wrong: a plan that finds no index scans.
pub(super) async fn has_own_index(ws: &mut WorkspaceConnection) -> Result<bool> {
    let (database, workspace) = (ws.database(), ws.workspace());
    if let Some(known) = remembered(database, workspace) {
        return Ok(known);
    }
    let workspaces = ask(ws).await?;
    let known = workspaces.contains(&workspace);
    let mut indexed = INDEXED.lock().unwrap_or_else(PoisonError::into_inner);
    indexed.retain(|other| other.database != database && other.asked.elapsed() < REMEMBERED);
    indexed.push(Indexed { database, asked: Instant::now(), workspaces });
    Ok(known)
}

fn remembered(database: DatabaseToken, workspace: WorkspaceId) -> Option<bool> {
    let indexed = INDEXED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = indexed.iter().find(|known| known.database == database && known.asked.elapsed() < REMEMBERED)?;
    Some(known.workspaces.contains(&workspace))
}

async fn ask(ws: &mut WorkspaceConnection) -> Result<HashSet<WorkspaceId>> {
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let names: Vec<Name> = ws
        .under_row_security("which workspaces have an index of their own is in the catalog", async |conn| {
            let query = "SELECT c.relname::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                WHERE i.indrelid = 'document_chunks'::regclass AND i.indisvalid AND starts_with(c.relname, $1)";
            Ok::<_, Error>(diesel::sql_query(query).bind::<Text, _>(OWN_INDEX).load(conn).await?)
        })
        .await?;
    Ok(names.iter().filter_map(|name| name.name.strip_prefix(OWN_INDEX)?.parse().ok()).collect())
}
