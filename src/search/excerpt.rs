//! The parts of passages that answer a question, with the matching words marked.

use std::collections::HashMap;

use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::results::{ExcerptPart, Hit};
use super::text_query::SearchText;
use crate::error::Result;
use crate::id::DocumentChunkId;
use crate::schema::document_chunks;
use crate::tenancy::{Access, InWorkspace as _, StatementSettings, WorkspaceConnection};

/// Punctuation that `workspace_db_normalize_words` replaces.
const PUNCTUATION: &str = "!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// First of the characters that stand for it, which Unicode never assigns.
const SUBSTITUTES: u32 = 0xFDD0;
/// Characters that stand around a match in the server's answer. The passage's own are removed before.
const BEFORE: char = '\u{2}';
const AFTER: char = '\u{3}';

/// Sets the excerpts of the hits: the best two fragments of each passage, or its beginning if no word matches.
///
/// In scripts without blanks between words, no word is marked.
pub(super) async fn bring_excerpts(
    ws: &mut WorkspaceConnection<impl Access>,
    text: &str,
    hits: &mut [Hit],
) -> Result<()> {
    let ids: Vec<DocumentChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
    let text = SearchText::new(text);
    let rows: Vec<(DocumentChunkId, String)> = document_chunks::table
        .in_workspace(&ws)
        .filter(document_chunks::id.eq_any(ids))
        .select((document_chunks::id, marked("document_chunks", &text)))
        .load_under(&StatementSettings::searching(), ws)
        .await?;
    let mut excerpts: HashMap<DocumentChunkId, Vec<ExcerptPart>> =
        rows.into_iter().map(|(id, marked)| (id, parts(&marked))).collect();
    for hit in hits {
        hit.excerpt = excerpts.remove(&hit.chunk_id).unwrap_or_default();
    }
    Ok(())
}

type Bind<Before> = SqlLiteral<Text, UncheckedBind<Before, AsExprOf<String, Text>>>;

/// Returns an expression of the best two fragments of a row's content, with the words of the text marked for [`parts`].
///
/// One word is sufficient, in the language of the row. Punctuation is replaced as in the index, or the server's parser would drop
/// tags and read a path as one word.
pub(super) fn marked(table: &str, text: &SearchText) -> Bind<Bind<Bind<SqlLiteral<Text>>>> {
    sql::<Text>(&format!(
        "ts_headline(
            workspace_db_text_config({table}.language),
            translate(left({table}.content, 131072), "
    ))
    .bind::<Text, _>(PUNCTUATION.chars().chain([BEFORE, AFTER]).collect::<String>())
    .sql(", ")
    .bind::<Text, _>(PUNCTUATION.chars().filter_map(substitute).collect::<String>())
    .sql(&format!(
        "),
            replace(plainto_tsquery(workspace_db_text_config({table}.language), workspace_db_normalize_words("
    ))
    .bind::<Text, _>(text.included.clone())
    .sql(
        "))::text, ' & ', ' | ')::tsquery,
            E'StartSel=\"\\x02\", StopSel=\"\\x03\", MaxFragments=2, MaxWords=30, MinWords=12, FragmentDelimiter=\" … \"')",
    )
}

/// Returns the character that stands for one of the punctuation.
fn substitute(character: char) -> Option<char> {
    let at = PUNCTUATION.chars().zip(SUBSTITUTES..).find(|(known, _)| *known == character)?.1;
    char::from_u32(at)
}

/// Returns the punctuation for which a character stands, or the character itself.
fn restored(character: char) -> char {
    let at = u32::from(character).checked_sub(SUBSTITUTES).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| PUNCTUATION.chars().nth(at)).unwrap_or(character)
}

/// Returns the parts of a marked text, with each run of white space as one blank.
pub(super) fn parts(marked: &str) -> Vec<ExcerptPart> {
    let mut parts: Vec<ExcerptPart> = Vec::new();
    let (mut is_match, mut is_blank) = (false, true);
    for character in marked.chars() {
        match character {
            BEFORE => is_match = true,
            AFTER => is_match = false,
            character => {
                let is_space = character.is_whitespace();
                if is_space && is_blank {
                    continue;
                }
                is_blank = is_space;
                let character = if is_space { ' ' } else { restored(character) };
                match parts.last_mut() {
                    Some(last) if last.is_match == is_match => last.text.push(character),
                    _ => parts.push(ExcerptPart { text: character.into(), is_match }),
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_parts_and_white_space_one_blank() {
        let part = |text: &str, is_match| ExcerptPart { text: text.to_owned(), is_match };
        assert_eq!(
            parts("\n a\n\n \u{2}flat\u{3}  \u{2}tyre\u{3}."),
            [part("a ", false), part("flat", true), part(" ", false), part("tyre", true), part(".", false)]
        );
        assert_eq!(parts(" \n"), []);
    }
}
