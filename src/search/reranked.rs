//! Candidates that have been compared, as a part of the statement that Diesel takes for a table.
//!
//! They meet their documents only once they are reranked. Where the planner had the choice, and took a workspace of forty
//! documents for one of a single document, it read every candidate once for each of the forty.

#![expect(dead_code, unreachable_pub, reason = "what `tenant_tables!` writes is meant for a crate's own list")]

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Text;

use crate::schema::{document_chunks, documents};

diesel::table! {
    /// The rows of [`RERANKED_CTE`].
    reranked (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        document_id -> Uuid,
        chunk_index -> Int4,
        score -> Double,
        distance -> Double,
        median -> Double,
        candidates -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(reranked, documents);
crate::tenant_tables! {
    reranked,
}
crate::relations! {
    reranked.document_id => documents;
}

/// Its name and columns, as the statement defines them.
pub(super) const RERANKED_CTE: &str =
    "reranked (workspace_id, id, document_id, chunk_index, score, distance, median, candidates)";

/// The first of its columns, as they come from the chunk.
pub(super) const CHUNK_COLUMNS: (
    document_chunks::workspace_id,
    document_chunks::id,
    document_chunks::document_id,
    document_chunks::chunk_index,
) = (document_chunks::workspace_id, document_chunks::id, document_chunks::document_id, document_chunks::chunk_index);

type PassageColumns = (
    reranked::id,
    reranked::document_id,
    documents::title,
    documents::external_id,
    reranked::chunk_index,
    SqlLiteral<Text>,
);

/// What a [`ScoredPassage`](super::scored_passage::ScoredPassage) is read from. The text is read for those rows alone that are given: thousands may
/// be reranked, and all of them are sorted.
pub(super) fn scored_passage_columns() -> (reranked::score, PassageColumns) {
    let content = "(SELECT of_passage.content FROM document_chunks AS of_passage
        WHERE of_passage.workspace_id = reranked.workspace_id AND of_passage.id = reranked.id)";
    let passage = (
        reranked::id,
        reranked::document_id,
        documents::title,
        documents::external_id,
        reranked::chunk_index,
        sql(content),
    );
    (reranked::score, passage)
}
