//! Vector search for passages.

use std::ops::RangeInclusive;

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::{BigInt, Bool, Double};

use super::filter::Filter;
use super::plan::{Attempt, Plan, choose_plan};
use super::question::Question;
use super::rescored::{CHUNK_COLUMNS, RESCORED_CTE, rescored, scored_passage_columns};
use super::results::RetrievalStats;
use super::scored_passage::{PASSAGE_COLUMNS, ScoredPassage};
use crate::config::SearchLimits;
use crate::error::Result;
use crate::schema::{document_chunks, documents};
use crate::sql_types::BitExpressionMethods as _;
use crate::tenancy::{Access, InWorkspace as _, Scoped, StatementSettings, WorkspaceConnection};

/// Bounds of `hnsw.ef_search`. Fewer miss groups of near copies: docs/decisions/vector-search.md. More are an error of pgvector.
const EF_SEARCH: RangeInclusive<u32> = 400..=1000;

/// Passage, the distance of its bits, and statistics of the candidates.
#[derive(Queryable)]
struct Candidate {
    passage: ScoredPassage,
    distance: f64,
    /// Median distance of the candidates. Hits at this distance count as the worse half, because equal distances have
    /// no order.
    median: f64,
    candidates: i64,
}

/// Returns the `k` passages nearest to the question, the nearest first, and how they were found.
pub(super) async fn nearest(
    ws: &mut WorkspaceConnection<impl Access>,
    question: &Question,
    filter: &Filter,
    k: u32,
    forced_plan: Option<Plan>,
    limits: SearchLimits,
) -> Result<(Vec<ScoredPassage>, RetrievalStats)> {
    // The signs of a sparse vector carry too little information to select candidates.
    let plan = match forced_plan {
        Some(plan) => plan,
        None if question.is_sparse() => Plan::Exact,
        None => choose_plan(ws, limits).await?,
    };
    if plan == Plan::Exact {
        let found = exactly(ws, question, filter, k).await?;
        return Ok((
            found,
            RetrievalStats { plan, candidates: None, widened: 0, bound_reached: false, words_left_out: 0 },
        ));
    }
    let mut attempt = Attempt::first(plan, k, limits, filter.is_selective());
    let mut widened = 0;
    loop {
        let rows = run_attempt(ws, question, filter, k, attempt).await?;
        let enough = is_enough(&rows, k, attempt);
        let wider = if enough { None } else { attempt.wider(limits) };
        if let Some(wider) = wider {
            (attempt, widened) = (wider, widened + 1);
            continue;
        }
        let candidates = rows.first().map_or(0, |row| row.candidates.unsigned_abs());
        let list = RetrievalStats {
            plan: attempt.plan,
            candidates: Some(candidates),
            widened,
            bound_reached: !enough,
            words_left_out: 0,
        };
        return Ok((rows.into_iter().map(|row| row.passage).collect(), list));
    }
}

/// Returns true if more candidates would probably bring no better hit.
///
/// If a hit is in the second half of the candidates, a passage outside of the candidates may be a hit as well. The rule
/// assumes nothing about the distribution of the vectors; docs/figures.md has the measured recall.
fn is_enough(rows: &[Candidate], k: u32, attempt: Attempt) -> bool {
    let Some(first) = rows.first() else {
        // No candidate passed the filters. This result is final only if the filters were applied first.
        return attempt.plan == Plan::Bits && attempt.filters_first;
    };
    let all_were_candidates = attempt.plan == Plan::Bits && first.candidates < i64::from(attempt.candidates);
    let is_full = rows.len() >= k as usize;
    all_were_candidates || (is_full && rows.iter().all(|row| row.distance < row.median))
}

async fn run_attempt(
    ws: &mut WorkspaceConnection<impl Access>,
    question: &Question,
    filter: &Filter,
    k: u32,
    attempt: Attempt,
) -> Result<Vec<Candidate>> {
    let settings = match attempt.plan {
        Plan::Approximate => {
            let settings = StatementSettings::searching()
                .and("hnsw.iterative_scan", "relaxed_order")
                .and("hnsw.ef_search", attempt.candidates.clamp(*EF_SEARCH.start(), *EF_SEARCH.end()));
            // Without statistics, the planner would sort what it takes for one row: all passages of the workspace. A filter
            // may leave so few that sorting them is better.
            if attempt.filters_first { settings } else { settings.and("enable_sort", "off") }
        }
        _ => StatementSettings::searching(),
    };
    // An index supports an order by the distance itself, and no order by a sum.
    let distance = document_chunks::vector_bits.hamming_distance(&question.bits);
    let scanned = document_chunks::vector_bits.hamming_distance_scanned(&question.bits);
    let by_index = attempt.plan == Plan::Approximate;
    let chunks = document_chunks::table.in_workspace(&ws);
    let of_model =
        || chunks.filter(document_chunks::embedding_model.eq(&question.model)).filter(filter.chunk_conditions());
    macro_rules! rescore_candidates {
        ($passages:expr, $distance:expr) => {{
            let candidates = $passages
                .select((document_chunks::id, $distance))
                .order(sql::<Double>("2"))
                .limit(attempt.candidates.into());
            rescore(ws, question, filter, k, candidates, &settings).await
        }};
    }
    let with_documents = || of_model().inner_join(documents::table).filter(filter.document_conditions());
    match (attempt.filters_first, by_index) {
        (false, true) => rescore_candidates!(of_model(), distance),
        (false, false) => rescore_candidates!(of_model(), scanned),
        (true, true) => rescore_candidates!(with_documents(), distance),
        (true, false) => rescore_candidates!(with_documents(), scanned),
    }
}

async fn rescore<C, T>(
    ws: &mut WorkspaceConnection<impl Access>,
    question: &Question,
    filter: &Filter,
    k: u32,
    candidates: Scoped<C, T>,
    settings: &StatementSettings,
) -> Result<Vec<Candidate>>
where
    C: QueryFragment<Pg> + Send,
{
    let rescored = document_chunks::table
        .in_workspace(&ws)
        .filter(sql::<Bool>("document_chunks.id IN (SELECT id FROM candidates)"))
        .select((
            CHUNK_COLUMNS,
            document_chunks::vector.cosine_similarity(&question.vector),
            document_chunks::vector_bits.hamming_distance(&question.bits),
            sql::<Double>("(SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY distance) FROM candidates)"),
            sql::<BigInt>("(SELECT count(*) FROM candidates)"),
        ))
        // Sorted like the result: PostgreSQL 17 and later know the order of a CTE, and then read the documents of the
        // first k rows only.
        .order((sql::<Double>("5").desc(), document_chunks::id))
        .with_candidates("candidates (id, distance)", candidates);
    rescored::table
        .in_workspace(&ws)
        .inner_join(documents::table)
        .filter(filter.document_conditions())
        .order((rescored::score.desc(), rescored::id))
        .limit(k.into())
        .select((scored_passage_columns(), rescored::distance, rescored::median, rescored::candidates))
        .with_candidates(RESCORED_CTE, rescored)
        .load_under(settings, ws)
        .await
}

async fn exactly(
    ws: &mut WorkspaceConnection<impl Access>,
    question: &Question,
    filter: &Filter,
    k: u32,
) -> Result<Vec<ScoredPassage>> {
    document_chunks::table
        .in_workspace(&ws)
        .inner_join(documents::table)
        .filter(document_chunks::embedding_model.eq(&question.model))
        .filter(filter.chunk_conditions())
        .filter(filter.document_conditions())
        // 1 is the first column of the select, the similarity: no index has that order, so the scan is exact.
        .order((sql::<Double>("1").desc(), document_chunks::id))
        .limit(k.into())
        .select((document_chunks::vector.cosine_similarity(&question.vector), PASSAGE_COLUMNS))
        .load_under(&StatementSettings::searching(), ws)
        .await
}
