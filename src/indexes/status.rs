//! Status of the indexes, and the steps that are due.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use tokio_postgres::Client;

use super::catalog::{self, Index, NEW_SHARED_INDEX, SHARED_INDEX, Upkeep};
use crate::config::DatabaseUrl;
use crate::db;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::noun::noun_for;
use crate::search::{OWN_INDEX, own_index};

/// Minimum number of chunks for retraining. Below it, any lists of the shared index are good enough.
const WORTH_TRAINING: u64 = 1_000;
/// Factor by which the number of chunks must grow or shrink before the shared index is retrained.
const STALE_AT: u64 = 2;
/// Divisor of the chunks from which a workspace gets its own index. Below that part it loses the index, so that indexes
/// don't alternate.
const KEPT_DOWN_TO: u64 = 2;
/// Numbers of lists and probes that the contract gives the shared index, which are also the minimum.
const MIN_LISTS: u32 = 100;
const MIN_PROBES: u32 = 10;

/// The indexes on the vectors of `document_chunks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexStatus {
    /// Number of chunks of all workspaces.
    pub chunks: u64,
    /// The index over all vectors, `None` if it was dropped.
    pub shared: Option<SharedIndex>,
    /// The indexes of single workspaces, the largest workspace first.
    pub own: Vec<WorkspaceIndex>,
    /// Steps that [`retrain`](super::retrain) would execute, in order.
    pub due: Vec<IndexAction>,
}

/// The index over the vectors of all workspaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedIndex {
    /// Its name.
    pub name: String,
    /// True if queries may use it.
    pub is_valid: bool,
    /// Number of lists into which it divides the vectors.
    pub lists: u32,
    /// Number of chunks when its lists were created, if this crate created them.
    pub trained_on: Option<u64>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The index of one workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkspaceIndex {
    /// Its name.
    pub name: String,
    /// The workspace, which may be deleted.
    pub workspace: WorkspaceId,
    /// True if queries may use it.
    pub is_valid: bool,
    /// Number of the workspace's chunks that it can distinguish: all except those of hashed words.
    pub chunks: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A maintenance step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum IndexAction {
    /// Drops the index of an unfinished build.
    DropLeftOver {
        /// The index.
        index: String,
    },
    /// Recreates the lists of the shared index from the current vectors.
    Train {
        /// The index.
        index: String,
        /// Number of lists.
        lists: u32,
        /// Number of chunks.
        chunks: u64,
    },
    /// Builds a workspace's own index.
    Build {
        /// The index.
        index: String,
        /// The workspace.
        workspace: WorkspaceId,
        /// Number of its chunks.
        chunks: u64,
    },
    /// Drops the own index of a workspace that has become small or is deleted.
    Drop {
        /// The index.
        index: String,
        /// The workspace.
        workspace: WorkspaceId,
        /// Number of its chunks.
        chunks: u64,
    },
    /// Vacuums and analyzes the chunks. Until then, the planner knows nothing of new rows, and an index-only scan reads each of
    /// them from the table.
    Vacuum {
        /// Number of chunks.
        chunks: u64,
    },
    /// Sets a default of the database, for queries that order by a distance themselves.
    Set {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
}

impl fmt::Display for IndexAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropLeftOver { index } => write!(f, "drop {index}, which an interrupted build left behind"),
            Self::Train { index, lists, chunks } => {
                let (of_lists, of_chunks) = (noun_for(*lists, "list"), noun_for(*chunks, "chunk"));
                write!(f, "train {index} with {lists} {of_lists} for {chunks} {of_chunks}")
            }
            Self::Build { index, chunks, .. } => {
                write!(f, "build {index} for {chunks} {}", noun_for(*chunks, "chunk"))
            }
            Self::Drop { index, chunks, .. } => {
                write!(f, "drop {index}, because its workspace has only {chunks} {}", noun_for(*chunks, "chunk"))
            }
            Self::Vacuum { chunks } => {
                write!(f, "vacuum and analyze document_chunks, with {chunks} {}", noun_for(*chunks, "chunk"))
            }
            Self::Set { setting, value } => write!(f, "set {setting} to {value}"),
        }
    }
}

/// Returns the status of the indexes. It counts every chunk, by an index scan.
///
/// `owner` is the owner's login. A workspace gets an index of its own from `own_index_from` chunks on.
///
/// # Errors
///
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// # async fn example() -> workspace_db::Result<()> {
/// let config = workspace_db::config::Config::from_env()?;
/// if let Some(owner) = &config.database_url {
///     for step in workspace_db::indexes::status(owner, config.own_index_from).await?.due {
///         println!("{step}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn status(owner: &DatabaseUrl, own_index_from: u32) -> Result<IndexStatus> {
    let mut client = db::client(owner).await?;
    load_status(&mut client, own_index_from).await
}

pub(super) async fn load_status(client: &mut Client, own_index_from: u32) -> Result<IndexStatus> {
    let indexes = catalog::indexes(client).await?;
    let workspaces = catalog::chunks(client).await?;
    let settings = catalog::settings(client).await?;
    let upkeep = catalog::upkeep(client).await?;
    let chunks = workspaces.iter().map(|(_, chunks, _)| chunks).sum();
    let shared = indexes.iter().find(|index| index.name == SHARED_INDEX).map(|index| SharedIndex {
        name: index.name.clone(),
        is_valid: index.is_valid,
        lists: index.lists.unwrap_or(MIN_LISTS),
        trained_on: index.trained_on,
        bytes: index.bytes,
    });
    let by_signs: HashMap<WorkspaceId, u64> =
        workspaces.iter().map(|(workspace, _, by_signs)| (*workspace, *by_signs)).collect();
    let own = owned(&indexes, &by_signs);
    let mut due = due(&indexes, shared.as_ref(), &own, chunks, &by_signs, own_index_from.into());
    if chunks >= WORTH_TRAINING && is_neglected(&upkeep, chunks) {
        due.push(IndexAction::Vacuum { chunks });
    }
    let lists = lists_to_train(shared.as_ref(), chunks).or(shared.as_ref().map(|shared| shared.lists));
    due.extend(unset(lists.unwrap_or(MIN_LISTS), &settings));
    Ok(IndexStatus { chunks, shared, own, due })
}

fn owned(indexes: &[Index], chunks: &HashMap<WorkspaceId, u64>) -> Vec<WorkspaceIndex> {
    let own = indexes.iter().filter_map(|index| {
        let workspace: WorkspaceId = index.name.strip_prefix(OWN_INDEX)?.parse().ok()?;
        let chunks = chunks.get(&workspace).copied().unwrap_or(0);
        Some(WorkspaceIndex {
            name: index.name.clone(),
            workspace,
            is_valid: index.is_valid,
            chunks,
            bytes: index.bytes,
        })
    });
    let mut own: Vec<_> = own.collect();
    own.sort_by(|one, other| other.chunks.cmp(&one.chunks).then_with(|| one.name.cmp(&other.name)));
    own
}

fn due(
    indexes: &[Index],
    shared: Option<&SharedIndex>,
    own: &[WorkspaceIndex],
    chunks: u64,
    by_signs: &HashMap<WorkspaceId, u64>,
    own_index_from: u64,
) -> Vec<IndexAction> {
    let mut due = Vec::new();
    let left_over = indexes.iter().filter(|index| is_left_over(index));
    due.extend(left_over.map(|index| IndexAction::DropLeftOver { index: index.name.clone() }));
    let small = own.iter().filter(|own| own.is_valid && own.chunks * KEPT_DOWN_TO < own_index_from);
    due.extend(small.map(|own| IndexAction::Drop {
        index: own.name.clone(),
        workspace: own.workspace,
        chunks: own.chunks,
    }));
    if let Some(lists) = lists_to_train(shared, chunks) {
        due.push(IndexAction::Train { index: SHARED_INDEX.to_owned(), lists, chunks });
    }
    let has_own = |workspace| own.iter().any(|own| own.is_valid && own.workspace == workspace);
    let mut large: Vec<_> = by_signs
        .iter()
        .filter(|(workspace, chunks)| **chunks >= own_index_from.max(1) && !has_own(**workspace))
        .collect();
    large.sort_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.cmp(other.0)));
    due.extend(large.into_iter().map(|(workspace, chunks)| IndexAction::Build {
        index: own_index(*workspace),
        workspace: *workspace,
        chunks: *chunks,
    }));
    due
}

/// Returns the defaults of the database to set, for a shared index with this number of lists.
fn unset(lists: u32, settings: &[String]) -> Vec<IndexAction> {
    let set = |name: &str| settings.iter().find_map(|known| known.strip_prefix(name)?.strip_prefix('='));
    let probes = probes_of(lists);
    let expected = [
        // A higher value is the operator's choice. A lower value was set for an index with fewer lists.
        (
            "ivfflat.probes",
            probes.to_string(),
            set("ivfflat.probes").is_none_or(|set| set.parse().is_ok_and(|set: u32| set < probes)),
        ),
        ("ivfflat.iterative_scan", "relaxed_order".to_owned(), set("ivfflat.iterative_scan").is_none()),
        ("hnsw.ef_search", "100".to_owned(), set("hnsw.ef_search").is_none()),
        ("hnsw.iterative_scan", "strict_order".to_owned(), set("hnsw.iterative_scan").is_none()),
    ];
    let missing = expected.into_iter().filter(|(_, _, is_missing)| *is_missing);
    missing.map(|(setting, value, _)| IndexAction::Set { setting, value }).collect()
}

/// Returns true if a fifth of the chunks have changed since the last ANALYZE, or if the visibility map covers less than half of
/// the pages.
fn is_neglected(upkeep: &Upkeep, chunks: u64) -> bool {
    let analyzed = upkeep.was_analyzed && upkeep.changed_since_analyze.saturating_mul(5) < chunks;
    !analyzed || upkeep.visible_pages.saturating_mul(2) < upkeep.pages
}

/// Returns true if an unfinished build of this crate or of `REINDEX CONCURRENTLY` left the index.
fn is_left_over(index: &Index) -> bool {
    let without_number = index.name.trim_end_matches(|c: char| c.is_ascii_digit());
    let by_reindexing = without_number.ends_with("_ccnew") || without_number.ends_with("_ccold");
    // A retrained index is renamed to the old name at the end.
    index.name == NEW_SHARED_INDEX || (!index.is_valid && (index.name.starts_with(OWN_INDEX) || by_reindexing))
}

/// Returns the number of lists with which the shared index is to be trained, if that is due.
fn lists_to_train(shared: Option<&SharedIndex>, chunks: u64) -> Option<u32> {
    shared.is_none_or(|shared| is_stale(shared, chunks)).then(|| lists_of(chunks))
}

fn is_stale(shared: &SharedIndex, chunks: u64) -> bool {
    let moved = |trained_on: u64| chunks >= trained_on * STALE_AT || chunks * STALE_AT <= trained_on;
    !shared.is_valid || (chunks >= WORTH_TRAINING && shared.trained_on.is_none_or(moved))
}

/// Returns the number of lists: one per thousand vectors, and the square root beyond a million. Source: pgvector's README,
/// "IVFFlat".
fn lists_of(chunks: u64) -> u32 {
    let lists = if chunks <= 1_000_000 { chunks / 1_000 } else { chunks.isqrt() };
    u32::try_from(lists).unwrap_or(u32::MAX).clamp(MIN_LISTS, 32_768)
}

/// Returns the square root of the lists. Source: as above.
fn probes_of(lists: u32) -> u32 {
    lists.isqrt().max(MIN_PROBES)
}
