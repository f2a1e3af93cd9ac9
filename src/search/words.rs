//! One list of passages by words.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;

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

/// The most distinct words of a text that are looked for. Each is read in up to three languages, and each lexeme costs a look
/// at every passage that is ranked.
pub const MAX_WORDS: usize = 64;
/// The most characters of a text.
pub const MAX_TEXT: usize = 10_000;

/// The text that is looked for, and how many of its words are left out.
///
/// A text of more words than [`MAX_WORDS`] is a message rather than a query: of it the longest words are looked for, which
/// are the rarest as a rule (G. Zipf, "Human Behavior and the Principle of Least Effort", 1949), and quotes and minuses mean
/// nothing there.
fn bounded(text: &str) -> (Cow<'_, str>, usize) {
    let runs = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    if runs().nth(MAX_WORDS).is_none() {
        return (Cow::Borrowed(text), 0);
    }
    let mut known = HashSet::new();
    let mut words: Vec<(usize, String)> =
        runs().map(str::to_lowercase).filter(|word| known.insert(word.clone())).enumerate().collect();
    let left_out = words.len().saturating_sub(MAX_WORDS);
    words.sort_by_key(|(_, word)| Reverse(word.chars().count()));
    words.truncate(MAX_WORDS);
    words.sort_unstable();
    (Cow::Owned(words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ")), left_out)
}

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
    let (text, words_left_out) = bounded(text);
    let mut widened = 0;
    loop {
        let matching = Matching {
            text: text.clone().into_owned(),
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
                // 1: divided by one plus the logarithm of the passage's length. `ts_rank_cd` looks for every cover of the
                // words, which takes minutes where a text has hundreds of them; this takes time by their number.
                sql::<Double>(
                    "ts_rank(document_chunks.search_text, (SELECT question FROM candidates LIMIT 1), 1)::float8",
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
        let list = List { plan: Plan::Words, candidates: Some(candidates), widened, bound_reached, words_left_out };
        return Ok((rows.into_iter().map(|row| row.found).collect(), list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_looked_for_as_it_is() {
        let query = r#""opening hours" or -sunday"#;
        assert_eq!(bounded(query), (Cow::Borrowed(query), 0));
    }

    #[test]
    fn of_a_message_the_longest_words_are_looked_for_once_each() {
        assert_eq!(bounded(&"Nine ".repeat(500)), (Cow::Owned("nine".to_owned()), 0));
        let message = (0..100).map(|n| format!("{}{n:02}", "w".repeat(1 + n % 2))).collect::<Vec<_>>().join("-");
        let (kept, left_out) = bounded(&message);
        assert_eq!(left_out, 36);
        let kept: Vec<&str> = kept.split(' ').collect();
        assert_eq!(kept.len(), MAX_WORDS);
        assert_eq!(kept.iter().filter(|word| word.starts_with("ww")).count(), 50);
        assert_eq!(kept.first(), Some(&"w00"), "in the order of the text");
    }
}
