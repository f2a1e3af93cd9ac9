//! A workspace's vectors of one model, replaced by those of another while searches go on.
//!
//! Vectors of two models can't be compared, so a workspace is switched as a whole. [`reembed`] makes the new vectors in a
//! table of their own, passage by passage, and can be stopped and begun again; meanwhile searches find what they found
//! before. Once every passage has its vector, all of them take the place of the old ones in one transaction. From then
//! on questions must be embedded by the new model, which [`Question::embed_for_workspace`](crate::search::Question::embed_for_workspace) sees to.

mod store;

use serde::Serialize;

use self::store::Store;
use crate::embeddings::Embedder;
use crate::error::{Error, Kind, Result};
use crate::id::DocumentChunkId;
use crate::tenancy::{Database, WorkspaceScope};

/// Passages that are embedded and kept together.
const TOGETHER: usize = 256;
/// After the switch, passages may still come that were embedded by the old model. So often they are brought over.
const ROUNDS: u32 = 10;

/// How far a switch has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReembedStatus {
    /// The model that the workspace is switched to.
    pub model: String,
    /// Passages by the model of their vectors, the most frequent first: what searches find now.
    pub live: Vec<(String, u64)>,
    /// Vectors that wait for a switch, by their model.
    pub waiting: Vec<(String, u64)>,
    /// Passages that have no vector of the new model yet.
    pub missing: u64,
}

/// What a run of [`reembed`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReembedReport {
    /// Passages that were embedded.
    pub embedded: u64,
    /// Passages whose vector was replaced.
    pub switched: u64,
}

/// Whether a run ends with the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReembedMode {
    /// Makes the vectors that are missing, and leaves the live ones as they are.
    Prepare,
    /// Makes those that are missing, then switches.
    Complete,
}

/// How far the workspace is from being switched to the model.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn status(db: &Database, scope: &WorkspaceScope, model: &str) -> Result<ReembedStatus> {
    Store::open(db, scope, model).await?.status().await
}

/// Drops the vectors that wait for a switch which is given up; how many.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
pub async fn discard(db: &Database, scope: &WorkspaceScope) -> Result<u64> {
    Store::open(db, scope, "").await?.discard().await
}

/// Switches the scope's workspace to the embedder's model, or goes on with it where an earlier run was stopped.
///
/// Nothing is embedded twice: a vector that was made is kept until the switch, unless its passage has changed. The switch
/// itself is one transaction, which rewrites the rows of the workspace and blocks no search. Passages
/// that come meanwhile are embedded too, those of the old model that come during the switch right after it. So let
/// ingestion go on with the old embedder until the switch, and use the new one from then on. `on_progress` is told after
/// each batch, and after the switch.
///
/// The lists of the shared vector index are still those of the old vectors, and half of a large workspace's own index is
/// dead rows until the next vacuum: `workspace-db index verify` measures what that comes to.
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
/// [`is_database_failure`](Error::is_database_failure): run it again and it goes on.
/// [`is_invalid_input`](Error::is_invalid_input) where the embedder refuses a passage, which is then named.
/// [`is_conflict`](Error::is_conflict) where a switch to another model was begun, which [`discard`] gives up, or
/// passages of another model come faster than they are embedded.
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
    Err(Error::new(Kind::Conflict, "passages with vectors of another model keep coming")
        .remedy("let ingestion embed by the new model, and run this again"))
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
            // Ids have no order that could be relied on: what came meanwhile may stand before.
            match behind.take() {
                Some(_) => continue,
                None => return Ok(()),
            }
        };
        behind = Some(*last);
        let texts: Vec<String> = passages.iter().map(|(_, text)| text.clone()).collect();
        let vectors = match embedder.embed(&texts).await {
            Err(error) if error.is_invalid_input() => return Err(refused(embedder, &passages, error).await),
            made => made?,
        };
        if vectors.len() != texts.len() {
            let (model, came) = (embedder.model(), vectors.len());
            let message = format!("the embedder {model} gave {came} vectors for {} texts", texts.len());
            return Err(Error::new(Kind::Embeddings, message));
        }
        report.embedded += passages.len() as u64;
        store.insert(&passages, vectors).await?;
        on_progress(report);
    }
}

/// The error with the passage that is to blame for it: nobody could mend it otherwise.
async fn refused(embedder: &dyn Embedder, passages: &[(DocumentChunkId, String)], error: Error) -> Error {
    for (id, text) in passages {
        if let Err(error) = embedder.embed(std::slice::from_ref(text)).await {
            return Error::new(error.kind(), format!("the passage {id}: {error}")).caused_by(error);
        }
    }
    error
}
