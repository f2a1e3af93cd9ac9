//! Measures the recall of searches against exact searches.

use std::time::{Duration, Instant};

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{DocumentChunkId, WorkspaceId};
use crate::schema::{document_chunks, workspaces};
use crate::search::{MAX_K, Plan, Question, SearchChunks as _, SearchResults};
use crate::sql_types::Embedding;
use crate::tenancy::{Database, InWorkspace as _, WorkspaceConnection, WorkspaceScope};

/// Maximum difference of equal scores: pgvector computes in single precision, and not always in the same order.
const TIE: f64 = 1e-6;

/// Options of [`verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Number of results per question.
    pub k: u32,
    /// Number of questions per workspace.
    pub questions: u32,
    /// Maximum number of workspaces, the largest first, if `slugs` is empty.
    pub workspaces: u32,
    /// Slugs of the workspaces to measure.
    pub slugs: Vec<String>,
    /// Seed of the selection of questions: the same seed selects the same passages.
    pub seed: u64,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { k: 10, questions: 50, workspaces: 20, slugs: Vec::new(), seed: 1 }
    }
}

/// Recall of the searches in one workspace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recall {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug.
    pub slug: String,
    /// Number of its passages.
    pub chunks: u64,
    /// Number of questions. Each is a passage of the workspace, and the passage itself does not count as found.
    pub questions: usize,
    /// Plan of the last search.
    pub plan: Option<Plan>,
    /// Mean share of the k nearest passages that the search found.
    pub mean: f64,
    /// Lowest share of any question.
    pub worst: f64,
    /// Number of answers that report that they reached a limit.
    pub bounded: usize,
    /// Median duration of the searches in milliseconds.
    pub p50: f64,
    /// Median duration of the exact searches in milliseconds.
    pub exact_p50: f64,
}

/// Searches for the neighbours of passages in each workspace, by the usual plan and exactly, and compares the results.
///
/// It lists the workspaces with a query across workspaces, and measures each under its own scope. Any passage as near as the
/// k-th counts as found. As in any search, only passages of ready documents are found.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if the number of questions or of workspaces is 0 or k is out of range;
/// [`is_not_found`](Error::is_not_found) if a slug belongs to no workspace with passages, or no workspace has any;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::indexes::{VerifyOptions, verify};
///
/// # async fn example(db: workspace_db::tenancy::Database) -> workspace_db::Result<()> {
/// let measured = verify(&db, &VerifyOptions::default(), &|_| ()).await?;
/// assert!(measured.iter().all(|workspace| workspace.mean >= 0.99));
/// # Ok(())
/// # }
/// ```
pub async fn verify(db: &Database, options: &VerifyOptions, on_each: &(dyn Fn(&Recall) + Sync)) -> Result<Vec<Recall>> {
    if options.questions == 0 || options.workspaces == 0 {
        return Err(Error::invalid("the number of questions or of workspaces is 0").remedy("set both to at least 1"));
    }
    if !(1..MAX_K).contains(&options.k) {
        let what = format!("the number of passages per question, {}, is out of range", options.k);
        return Err(Error::invalid(what).remedy(format!("use 1 to {}", MAX_K - 1)));
    }
    let mut measured = Vec::new();
    for (workspace, slug, chunks) in largest(db, options).await? {
        let scope = WorkspaceScope::unchecked(workspace, "the recall of every workspace is measured");
        let recall = measure(db, &scope, slug, chunks.unsigned_abs(), options).await?;
        // A workspace that was emptied meanwhile has no recall.
        if recall.questions > 0 {
            on_each(&recall);
            measured.push(recall);
        }
    }
    Ok(measured)
}

async fn largest(db: &Database, options: &VerifyOptions) -> Result<Vec<(WorkspaceId, String, i64)>> {
    let found: Vec<(WorkspaceId, String, i64)> = db
        .platform(async |conn| {
            let mut query = document_chunks::table
                .inner_join(workspaces::table)
                .group_by((workspaces::id, workspaces::slug))
                .select((workspaces::id, workspaces::slug, count_star()))
                .order((count_star().desc(), workspaces::id))
                .into_boxed();
            query = if options.slugs.is_empty() {
                query.limit(options.workspaces.into())
            } else {
                query.filter(workspaces::slug.eq_any(&options.slugs))
            };
            Ok::<_, Error>(query.load(conn).await?)
        })
        .await?;
    let missing = options.slugs.iter().find(|slug| !found.iter().any(|(_, known, _)| known == *slug));
    match missing {
        Some(slug) => {
            Err(Error::new(ErrorKind::NotFound, format!("the workspace {slug:?} does not exist or has no passages")))
        }
        None if found.is_empty() => Err(Error::new(ErrorKind::NotFound, "no workspace has passages")),
        None => Ok(found),
    }
}

async fn measure(
    db: &Database,
    scope: &WorkspaceScope,
    slug: String,
    chunks: u64,
    options: &VerifyOptions,
) -> Result<Recall> {
    let mut ws = db.workspace(scope).await?;
    let mut recalls = Vec::new();
    let (mut times, mut exact_times) = (Vec::new(), Vec::new());
    let (mut plan, mut bounded) = (None, 0);
    for (itself, question) in questions(&mut ws, options).await? {
        // The passage always finds itself, so the search requests one more result.
        let search = document_chunks::table.in_workspace(&ws).nearest(&question, options.k + 1);
        let began = Instant::now();
        let exact = search.clone().exact().run(&mut ws).await?;
        exact_times.push(began.elapsed());
        let began = Instant::now();
        let answer = search.run(&mut ws).await?;
        times.push(began.elapsed());
        recalls.push(recall(&answer, &exact, itself, options.k as usize));
        plan = answer.by_vector.map(|list| list.plan);
        bounded += usize::from(answer.is_bounded());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few questions")]
    let mean = recalls.iter().sum::<f64>() / recalls.len().max(1) as f64;
    Ok(Recall {
        workspace: ws.workspace(),
        slug,
        chunks,
        questions: recalls.len(),
        plan,
        mean,
        worst: recalls.iter().copied().fold(1.0, f64::min),
        bounded,
        p50: median(times),
        exact_p50: median(exact_times),
    })
}

/// Returns passages of the workspace as questions, selected by a hash of their ids.
async fn questions(ws: &mut WorkspaceConnection, options: &VerifyOptions) -> Result<Vec<(DocumentChunkId, Question)>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    let seed = options.seed.cast_signed();
    let by_hash = sql::<BigInt>(&format!("hashtextextended(document_chunks.id::text, '{seed}'::bigint)"));
    // The vectors are read in a second step, because a sort would carry them along.
    let ids: Vec<DocumentChunkId> =
        chunks.select(document_chunks::id).order(by_hash).limit(options.questions.into()).load(ws).await?;
    let rows: Vec<(DocumentChunkId, String, Embedding)> = chunks
        .filter(document_chunks::id.eq_any(ids))
        .select((document_chunks::id, document_chunks::embedding_model, document_chunks::vector))
        .load(ws)
        .await?;
    Ok(rows.into_iter().map(|(id, model, vector)| (id, Question::new(vector, model))).collect())
}

/// Returns the share of the k nearest passages, except the passage itself, that the answer has.
fn recall(answer: &SearchResults, exact: &SearchResults, itself: DocumentChunkId, k: usize) -> f64 {
    let others = |answer: &SearchResults| -> Vec<f64> {
        answer.hits.iter().filter(|hit| hit.chunk_id != itself).map(|hit| hit.score).take(k).collect()
    };
    let expected = others(exact);
    let Some(farthest) = expected.last() else { return 1.0 };
    let right = others(answer).iter().filter(|score| **score >= farthest - TIE).count();
    #[expect(clippy::cast_precision_loss, reason = "at most 1,000")]
    let share = right as f64 / expected.len() as f64;
    share
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
