//! Full-text search for passages.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{BigInt, Bool, Double, Integer};

use super::filter::Filter;
use super::plan::Plan;
use super::rescored::{CHUNK_COLUMNS, RESCORED_CTE, rescored, scored_passage_columns};
use super::results::RetrievalStats;
use super::scored_passage::ScoredPassage;
use super::text_query::{SearchText, TextQuery};
use crate::config::SearchLimits;
use crate::error::Result;
use crate::schema::{document_chunks, documents};
use crate::tenancy::{Access, InWorkspace as _, StatementSettings, WorkspaceConnection};

/// Query of the ids of the passages that match a text, and of the text as PostgreSQL parses it.
struct MatchingChunks<'a> {
    text: TextQuery<'a>,
    max_matches: i32,
}

impl QueryFragment<Pg> for MatchingChunks<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let is_excluding = self.text.text.excluded.is_some();
        out.push_sql("SELECT unnest(workspace_db_matching_chunks(question");
        // The ranking ignores the exclusion.
        out.push_sql(if is_excluding { " && !! excluded, " } else { ", " });
        out.push_bind_param::<Integer, _>(&self.max_matches)?;
        out.push_sql(")), question FROM ");
        self.text.push_parsed(&mut out)
    }
}

/// Passage, and the number of passages that match the text.
#[derive(Queryable)]
struct FullTextRow {
    passage: ScoredPassage,
    matches: i64,
}

/// Returns the `k` passages that best match the text, the best first, and how they were found.
///
/// Searches for passages with all words, with the syntax of search engines (quotes, `or`, a minus). If there are fewer
/// than `k`, it searches for passages with any word.
pub(super) async fn full_text(
    ws: &mut WorkspaceConnection<impl Access>,
    text: &str,
    filter: &Filter,
    k: u32,
    limits: SearchLimits,
) -> Result<(Vec<ScoredPassage>, RetrievalStats)> {
    let max_matches = i32::try_from(limits.max_matches).unwrap_or(i32::MAX);
    let text = SearchText::new(text);
    let mut widened = 0;
    loop {
        let parsed = TextQuery {
            text: &text,
            table: "document_chunks",
            workspace: ws.workspace(),
            language: filter.language.as_ref().map(ToString::to_string),
            any_word: widened > 0,
        };
        let matching = MatchingChunks { text: parsed, max_matches };
        let rescored = document_chunks::table
            .in_workspace(&ws)
            .filter(sql::<Bool>("document_chunks.id IN (SELECT id FROM candidates)"))
            .filter(filter.chunk_conditions())
            .select((
                CHUNK_COLUMNS,
                // 1 divides by one plus the logarithm of the passage's length. `ts_rank_cd` searches every cover of the
                // words, which takes minutes for hundreds of words. The time of `ts_rank` grows with their number.
                sql::<Double>(
                    "ts_rank(document_chunks.search_text, (SELECT question FROM candidates LIMIT 1), 1)::float8",
                ),
                sql::<Double>("0::float8"),
                sql::<Double>("0::float8"),
                sql::<BigInt>("(SELECT count(*) FROM candidates)"),
            ))
            .order((sql::<Double>("5").desc(), document_chunks::id))
            .with_fragment("candidates (id, question)", matching);
        let rows: Vec<FullTextRow> = rescored::table
            .in_workspace(&ws)
            .inner_join(documents::table)
            .filter(filter.document_conditions())
            .order((rescored::score.desc(), rescored::id))
            .limit(k.into())
            .select((scored_passage_columns(), rescored::candidates))
            .with_candidates(RESCORED_CTE, rescored)
            .load_under(&StatementSettings::searching(), ws)
            .await?;
        let candidates = rows.first().map_or(0, |row| row.matches.unsigned_abs());
        let bound_reached = candidates >= u64::from(limits.max_matches);
        if rows.len() < k as usize && !bound_reached && widened == 0 {
            widened = 1;
            continue;
        }
        let list = RetrievalStats {
            plan: Plan::Words,
            candidates: Some(candidates),
            widened,
            bound_reached,
            words_left_out: text.words_left_out,
        };
        return Ok((rows.into_iter().map(|row| row.passage).collect(), list));
    }
}
