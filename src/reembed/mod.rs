//! Replacement of a workspace's vectors by those of another model, while searches continue.
//!
//! Vectors of two models can't be compared, so a workspace is switched as a whole. [`reembed`] stores the new vectors
//! in a separate table, passage by passage. It can be stopped and resumed, and searches meanwhile use the old vectors.
//! Once every passage has a new vector, one transaction replaces all old ones. From then on, questions must be embedded
//! by the new model; [`Question::embed_for_workspace`](crate::search::Question::embed_for_workspace) does so.

mod store;

use serde::Serialize;

pub use self::store::ReembedStatus;
use self::store::Store;
use crate::embeddings::{Embedder, REFUSED_INPUT, embed};
use crate::error::{Error, ErrorKind, Result};
use crate::id::DocumentChunkId;
use crate::tenancy::{Database, WorkspaceScope};

/// Number of passages that are embedded and stored together.
const TOGETHER: usize = 256;
/// Maximum number of switches in a run. Passages with vectors of the old model may still arrive after a switch.
const ROUNDS: u32 = 10;

/// Result of a run of [`reembed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReembedReport {
    /// Number of embedded passages.
    pub embedded: u64,
    /// Number of passages whose vector was replaced.
    pub switched: u64,
}

/// Extent of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReembedMode {
    /// Creates the missing vectors and leaves the live ones unchanged.
    Prepare,
    /// Creates the missing vectors, then switches.
    Complete,
}

/// Returns the progress of the workspace's switch to the model.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn status(db: &Database, scope: &WorkspaceScope, model: &str) -> Result<ReembedStatus> {
    Store::open(db, scope, model).await?.status().await
}

/// Deletes the vectors that wait for an abandoned switch, and returns their number.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn discard(db: &Database, scope: &WorkspaceScope) -> Result<u64> {
    Store::open(db, scope, "").await?.discard().await
}

/// Switches the scope's workspace to the embedder's model, or resumes an interrupted run.
///
/// No text is embedded twice: a vector is kept until the switch, unless its passage changes. The switch is one
/// transaction, which rewrites the rows of the workspace and blocks no search.
///
/// New passages are embedded too; passages of the old model that arrive during the switch follow right after it. So
/// ingest with the old embedder until the switch, and with the new one from then on. `on_progress` is called after each
/// batch, and after the switch.
///
/// The lists of the shared vector index still derive from the old vectors. Half of a large workspace's own index
/// consists of dead rows until the next vacuum. `workspace-db index verify` measures the effect.
///
/// ```no_run
/// use workspace_db::embeddings::Embedder;
/// use workspace_db::reembed::{ReembedMode, reembed};
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: Database, scope: WorkspaceScope, new: impl Embedder) -> workspace_db::Result<()> {
/// let report = reembed(&db, &scope, &new, ReembedMode::Complete, &|_| ()).await?;
/// println!("{} passages are searched by {}", report.switched, new.model());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`is_embeddings_failure`](Error::is_embeddings_failure), [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure): run it again, and it resumes.
/// [`is_invalid_input`](Error::is_invalid_input) if the embedder rejects a passage; the error names the passage.
/// [`is_conflict`](Error::is_conflict) if a switch to another model has begun, which [`discard`] abandons, or if
/// passages of another model arrive faster than they are embedded.
pub async fn reembed(
    db: &Database,
    scope: &WorkspaceScope,
    embedder: &dyn Embedder,
    switch: ReembedMode,
    on_progress: &(dyn Fn(&ReembedReport) + Sync),
) -> Result<ReembedReport> {
    let mut store = Store::open(db, scope, embedder.model()).await?;
    store.reject_other_switch().await?;
    let mut report = ReembedReport::default();
    for _ in 0..ROUNDS {
        fill(&mut store, embedder, &mut report, on_progress).await?;
        if switch == ReembedMode::Prepare {
            return Ok(report);
        }
        report.switched += store.switch().await?;
        on_progress(&report);
        if store.is_switched().await? {
            store.tidy().await?;
            return Ok(report);
        }
    }
    Err(Error::new(ErrorKind::Conflict, "other processes keep writing passages with vectors of another model")
        .remedy("configure ingestion to use the new model, and run this again"))
}

async fn fill(
    store: &mut Store,
    embedder: &dyn Embedder,
    report: &mut ReembedReport,
    on_progress: &(dyn Fn(&ReembedReport) + Sync),
) -> Result<()> {
    let mut behind = None;
    loop {
        let passages = store.missing(behind, TOGETHER).await?;
        let Some((last, _)) = passages.last() else {
            // New passages may have ids before this position, because ids are not in order of insertion.
            match behind.take() {
                Some(_) => continue,
                None => return Ok(()),
            }
        };
        behind = Some(*last);
        let texts: Vec<String> = passages.iter().map(|(_, text)| text.clone()).collect();
        let vectors = match embed(embedder, &texts).await {
            Err(error) if error.is_invalid_input() || error.field() == Some(REFUSED_INPUT) => {
                return Err(name_refused_passage(embedder, &passages, error).await);
            }
            made => made?,
        };
        report.embedded += passages.len() as u64;
        store.insert(&passages, vectors).await?;
        on_progress(report);
    }
}

/// Returns the error with the id of the rejected passage, so that the user can correct it.
async fn name_refused_passage(embedder: &dyn Embedder, passages: &[(DocumentChunkId, String)], error: Error) -> Error {
    for (id, text) in passages {
        if let Err(error) = embedder.embed(std::slice::from_ref(text)).await {
            return Error::new(error.kind(), format!("the passage {id}: {error}")).caused_by(error);
        }
    }
    error
}
