//! Texts of searches, as PostgreSQL parses them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;

use diesel::pg::Pg;
use diesel::prelude::QueryResult;
use diesel::query_builder::AstPass;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};

use crate::id::WorkspaceId;
use crate::words::{normalize, words};

/// Maximum number of distinct words of a text that are searched. Each word is parsed in the languages of the passages,
/// and each lexeme adds a lookup in every ranked passage.
pub const MAX_WORDS: usize = 64;
/// Maximum number of characters of a text.
pub const MAX_TEXT: usize = 10_000;

/// Returns the text to search, and the number of words left out.
///
/// A text of more words than [`MAX_WORDS`] is a message rather than a query. Only its longest words are searched, which
/// are usually the rarest (G. Zipf, "Human Behavior and the Principle of Least Effort", 1949). Quotes and minus signs
/// have no meaning there.
fn bounded(text: &str) -> (Cow<'_, str>, usize) {
    if words(text).nth(MAX_WORDS).is_none() {
        return (Cow::Borrowed(text), 0);
    }
    let mut known = HashSet::new();
    let mut words: Vec<(usize, String)> =
        words(text).map(|word| word.to_lowercase()).filter(|word| known.insert(word.clone())).enumerate().collect();
    let left_out = words.len().saturating_sub(MAX_WORDS);
    words.sort_by_key(|(_, word)| Reverse(word.chars().count()));
    words.truncate(MAX_WORDS);
    words.sort_unstable();
    (Cow::Owned(words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ")), left_out)
}

/// Splits a text into wanted and excluded terms. Excluded terms are words and quoted phrases after one minus sign. Any
/// other dash is punctuation.
///
/// Quotes a word of several parts (a path, an identifier), because the parts are adjacent in the passage too.
fn apart(text: &str) -> (String, Option<String>) {
    let (mut included, mut excluded): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut rest, mut is_behind_excluded) = (text.trim_start(), false);
    while let Some(first) = rest.chars().next() {
        let dashes = rest.len() - rest.trim_start_matches('-').len();
        let term = rest.get(dashes..).unwrap_or_default();
        let length = if first == '"' || dashes > 0 && term.starts_with('"') {
            term.get(1..).and_then(|phrase| phrase.find('"')).map_or(term.len(), |end| end + 2)
        } else {
            term.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(term.len())
        };
        let (term, behind) = term.split_at_checked(length).unwrap_or((term, ""));
        if term.contains(char::is_alphanumeric) {
            let term = if has_parts(term) { format!("\"{term}\"") } else { term.to_owned() };
            let is_or = dashes == 0 && term.eq_ignore_ascii_case("or");
            if dashes == 1 {
                // An `or` needs two terms, and this one is excluded.
                included.pop_if(|last| last.eq_ignore_ascii_case("or"));
                excluded.push(term);
            } else if !(is_or && (is_behind_excluded || included.is_empty())) {
                included.push(term);
            }
            is_behind_excluded = dashes == 1;
        }
        rest = behind.trim_start();
    }
    included.pop_if(|last| last.eq_ignore_ascii_case("or"));
    (included.join(" "), (!excluded.is_empty()).then(|| excluded.join(" or ")))
}

/// Returns true if a word outside of quotes has ASCII punctuation within it, or camel case as in `fromText`.
fn has_parts(term: &str) -> bool {
    let word = term.trim_matches(|c: char| !c.is_alphanumeric());
    !term.starts_with('"') && (word.contains(|c: char| c.is_ascii_punctuation()) || is_camel_case(word))
}

/// Returns true if `workspace_db_split_identifiers` may split the word.
fn is_camel_case(word: &str) -> bool {
    let pairs = word.as_bytes().windows(2);
    word.contains(|c: char| c.is_ascii_lowercase())
        && pairs
            .into_iter()
            .any(|pair| matches!(pair, [one, next] if one.is_ascii_alphanumeric() && next.is_ascii_uppercase()))
}

/// Text of a search, as it is parsed.
pub(super) struct SearchText {
    /// Terms to find.
    pub(super) included: String,
    /// Terms to exclude.
    pub(super) excluded: Option<String>,
    /// Number of words that are not searched.
    pub(super) words_left_out: usize,
}

impl SearchText {
    pub(super) fn new(text: &str) -> Self {
        // Normalize first: one character can become several words.
        let text: String = normalize(text).chars().take(MAX_TEXT).collect();
        let (text, words_left_out) = bounded(&text);
        let (included, excluded) = apart(&text);
        Self { included, excluded, words_left_out }
    }
}

/// Maximum number of text search configurations by which a text is parsed. Each distinct parse adds lookups.
const MAX_CONFIGS: i64 = 16;

/// A text to find in a table of the workspace whose rows have a `language`.
///
/// The text is parsed in the requested language, or else in every language of the workspace's rows. It is also parsed without
/// stemming, for rows without a language.
pub(super) struct TextQuery<'a> {
    pub(super) text: &'a SearchText,
    /// Table whose index on `workspace_id` and `language` knows the languages.
    pub(super) table: &'static str,
    pub(super) workspace: WorkspaceId,
    pub(super) language: Option<String>,
    /// True if one word is sufficient; otherwise all words must match.
    pub(super) any_word: bool,
}

impl<'a> TextQuery<'a> {
    /// Writes a table of one row with the column `question`, and `excluded` if terms are excluded.
    ///
    /// Exclusion is a separate condition, or another parse of the same word could admit a row again.
    pub(super) fn push_parsed<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>
    where
        'a: 'b,
    {
        out.push_sql("(SELECT ");
        out.push_sql(if self.any_word { "replace(read::text, ' & ', ' | ')::tsquery" } else { "read" });
        out.push_sql(" AS question");
        out.push_sql(if self.text.excluded.is_some() { ", excluded FROM (SELECT " } else { " FROM (SELECT " });
        self.push_parses(out, &self.text.included)?;
        out.push_sql(" AS read");
        if let Some(excluded) = &self.text.excluded {
            out.push_sql(", ");
            self.push_parses(out, excluded)?;
            out.push_sql(" AS excluded");
        }
        out.push_sql(") AS text) AS question_text");
        Ok(())
    }

    /// Writes a text as one query, of its distinct parses: in each language of the rows, and without stemming; with
    /// identifiers whole and split.
    fn push_parses<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, text: &'b String) -> QueryResult<()> {
        // A text without words has no parse, and the empty query matches nothing.
        out.push_sql(
            "(SELECT coalesce(string_agg('(' || parse || ')', ' | ' ORDER BY parse), '')::tsquery FROM (
                SELECT DISTINCT websearch_to_tsquery(config, form)::text AS parse
                FROM (SELECT workspace_db_normalize_words(",
        );
        out.push_bind_param::<Text, _>(text)?;
        // The OFFSET keeps the planner from normalizing the text once for each parse.
        out.push_sql(") AS words OFFSET 0) AS normalized, LATERAL (VALUES (words)");
        if text.split_whitespace().any(is_camel_case) {
            out.push_sql(", (workspace_db_split_identifiers(words))");
        }
        out.push_sql(") AS forms (form), (");
        self.push_configs(out)?;
        out.push_sql(") AS configs (config)) AS parses WHERE parse <> '')");
        Ok(())
    }

    /// Writes a query of the text search configurations of the languages, and `simple` for those without a stemmer. It reads
    /// one entry of the index for each language, not the rows.
    fn push_configs<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if let Some(language) = &self.language {
            out.push_sql("SELECT workspace_db_text_config(");
            out.push_bind_param::<Text, _>(language)?;
            out.push_sql(")");
        } else {
            out.push_sql(
                "WITH RECURSIVE of_rows (language) AS (
                    (SELECT language FROM ",
            );
            out.push_sql(self.table);
            out.push_sql(" WHERE workspace_id = ");
            out.push_bind_param::<SqlUuid, _>(&self.workspace)?;
            out.push_sql(
                " ORDER BY language LIMIT 1)
                UNION ALL
                    SELECT (SELECT c.language FROM ",
            );
            out.push_sql(self.table);
            out.push_sql(" AS c WHERE c.workspace_id = ");
            out.push_bind_param::<SqlUuid, _>(&self.workspace)?;
            out.push_sql(
                " AND c.language > of_rows.language ORDER BY c.language LIMIT 1)
                    FROM of_rows WHERE of_rows.language IS NOT NULL
                ) (SELECT DISTINCT workspace_db_text_config(language) FROM of_rows LIMIT ",
            );
            out.push_bind_param::<BigInt, _>(&MAX_CONFIGS)?;
            out.push_sql(")");
        }
        out.push_sql(" UNION SELECT 'simple'");
        Ok(())
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
    fn what_must_not_be_there_stands_apart() {
        for (text, included, excluded) in [
            ("garden -dogs", "garden", Some("dogs")),
            ("-dogs garden -\"two cats\" house", "garden house", Some("dogs or \"two cats\"")),
            ("\"opening hours\" or well-known", "\"opening hours\" or \"well-known\"", None),
            ("src/search/words.rs fromText HTTP (x)", "\"src/search/words.rs\" \"fromText\" HTTP (x)", None),
            ("x -fromText -a.b", "x", Some("\"fromText\" or \"a.b\"")),
            ("use --force -- or - not", "use force or not", None),
            ("-dogs or -cats", "", Some("dogs or cats")),
            ("cats or -dogs garden", "cats garden", Some("dogs")),
            ("|----------------------------------|---| cursors ---- - -", "cursors", None),
            ("a----------------------------------b", "\"a----------------------------------b\"", None),
            ("\"an open phrase", "\"an open phrase", None),
            ("-\"an open phrase", "", Some("\"an open phrase")),
            ("????? !!! *** ()", "", None),
        ] {
            assert_eq!(apart(text), (included.to_owned(), excluded.map(str::to_owned)), "{text}");
        }
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
