//! One list of passages by words.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{BigInt, Bool, Double, Integer, Text, Uuid as SqlUuid};

use super::answer::List;
use super::filter::Filter;
use super::found::Found;
use super::picked::{OF_CHUNK, PICKED, found, picked};
use super::plan::Plan;
use crate::config::SearchLimits;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::schema::{document_chunks, documents};
use crate::tenancy::{Access, InWorkspace as _, ProvesWorkspace, Settings, WorkspaceConnection};

/// The ids of the passages that share words with a text, and the text as PostgreSQL reads it.
///
/// The text is read in the language that is asked for, else in the workspace's own and in the one that it falls back to,
/// and word for word beside: the passages may be of any of these.
struct Matching {
    text: String,
    workspace: WorkspaceId,
    language: Option<String>,
    /// Whether one word is enough, where all are asked for otherwise.
    any_word: bool,
    most: i32,
}

impl QueryFragment<Pg> for Matching {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT unnest(workspace_db_matching_chunks(question, ");
        out.push_bind_param::<Integer, _>(&self.most)?;
        out.push_sql(")), question FROM (SELECT ");
        // What must not be there can't be one of several that may; so such a text stays as it is.
        out.push_sql(if self.any_word {
            "CASE WHEN strpos(read::text, '!') > 0 THEN read ELSE replace(read::text, ' & ', ' | ')::tsquery END"
        } else {
            "read"
        });
        out.push_sql(" AS question FROM (SELECT ");
        if let Some(language) = &self.language {
            self.read_in(&mut out, |out| out.push_bind_param::<Text, _>(language))?;
        } else {
            let own = |out: &mut AstPass<'_, 'b, Pg>, sql: &str| {
                out.push_sql(sql);
                out.push_bind_param::<SqlUuid, _>(&self.workspace)?;
                out.push_sql(")");
                Ok(())
            };
            self.read_in(&mut out, |out| own(out, "(SELECT default_language FROM workspaces WHERE id = "))?;
            out.push_sql(" || ");
            let fallback = "(SELECT fallback_language FROM workspace_settings WHERE workspace_id = ";
            self.read_in(&mut out, |out| own(out, fallback))?;
        }
        out.push_sql(" || websearch_to_tsquery('simple', ");
        out.push_bind_param::<Text, _>(&self.text)?;
        out.push_sql(") AS read) AS text) AS asked");
        Ok(())
    }
}

impl Matching {
    fn read_in<'b, 'a>(
        &'b self,
        out: &mut AstPass<'a, 'b, Pg>,
        language: impl FnOnce(&mut AstPass<'a, 'b, Pg>) -> QueryResult<()>,
    ) -> QueryResult<()> {
        out.push_sql("websearch_to_tsquery(workspace_db_text_config(");
        language(out)?;
        out.push_sql("), ");
        out.push_bind_param::<Text, _>(&self.text)?;
        out.push_sql(")");
        Ok(())
    }
}

/// A passage, and how many share words with the text.
#[derive(Queryable)]
struct Match {
    found: Found,
    matches: i64,
}

/// The `k` passages that share most with the text, the best first, and how they were found.
///
/// Passages with all of its words, as a search engine reads them (quotes, `or`, a minus); where these are fewer than
/// `k`, passages with any.
pub(super) async fn matching(
    ws: &mut WorkspaceConnection<impl Access>,
    scope: &impl ProvesWorkspace,
    text: &str,
    filter: &Filter,
    k: u32,
    limits: SearchLimits,
) -> Result<(Vec<Found>, List)> {
    let most = i32::try_from(limits.most_matches).unwrap_or(i32::MAX);
    let mut widened = 0;
    loop {
        let matching = Matching {
            text: text.to_owned(),
            workspace: scope.workspace(),
            language: filter.language.as_ref().map(ToString::to_string),
            any_word: widened > 0,
            most,
        };
        let picked = document_chunks::table
            .in_workspace(scope)
            .filter(sql::<Bool>("document_chunks.id IN (SELECT id FROM candidates)"))
            .filter(filter.of_chunk())
            .select((
                OF_CHUNK,
                // 1: divided by one plus the logarithm of the passage's length.
                sql::<Double>(
                    "ts_rank_cd(document_chunks.search_text, (SELECT question FROM candidates LIMIT 1), 1)::float8",
                ),
                sql::<Double>("0::float8"),
                sql::<Double>("0::float8"),
                sql::<BigInt>("(SELECT count(*) FROM candidates)"),
            ))
            .order((sql::<Double>("5").desc(), document_chunks::id))
            .with_fragment("candidates (id, question)", matching);
        let rows: Vec<Match> = picked::table
            .in_workspace(scope)
            .inner_join(documents::table)
            .filter(filter.of_document())
            .order((picked::score.desc(), picked::id))
            .limit(k.into())
            .select((found(), picked::candidates))
            .with_candidates(PICKED, picked)
            .load_under(&Settings::searching(), ws)
            .await?;
        let candidates = rows.first().map_or(0, |row| row.matches.unsigned_abs());
        let bound_reached = candidates >= u64::from(limits.most_matches);
        if rows.len() < k as usize && !bound_reached && widened == 0 {
            widened = 1;
            continue;
        }
        let list = List { plan: Plan::Words, candidates: Some(candidates), widened, bound_reached };
        return Ok((rows.into_iter().map(|row| row.found).collect(), list));
    }
}
