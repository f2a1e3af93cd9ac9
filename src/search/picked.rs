//! Candidates that have been compared, as a part of the statement that Diesel takes for a table.
//!
//! They meet their documents only once they are picked. Where the planner had the choice, and took a workspace of forty
//! documents for one of a single document, it read every candidate once for each of the forty.

#![expect(dead_code, unreachable_pub, reason = "what `tenant_tables!` writes is meant for a crate's own list")]

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Text;

use crate::schema::{document_chunks, documents};

diesel::table! {
    /// The rows of [`PICKED`].
    picked (workspace_id, id) {
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

diesel::allow_tables_to_appear_in_same_query!(picked, documents);
crate::tenant_tables! {
    picked,
}
crate::relations! {
    picked.document_id => documents;
}

/// Its name and columns, as the statement defines them.
pub(super) const PICKED: &str =
    "picked (workspace_id, id, document_id, chunk_index, score, distance, median, candidates)";

/// The first of its columns, as they come from the chunk.
pub(super) const OF_CHUNK: (
    document_chunks::workspace_id,
    document_chunks::id,
    document_chunks::document_id,
    document_chunks::chunk_index,
) = (document_chunks::workspace_id, document_chunks::id, document_chunks::document_id, document_chunks::chunk_index);

type Passage =
    (picked::id, picked::document_id, documents::title, documents::external_id, picked::chunk_index, SqlLiteral<Text>);

/// What a [`Found`](super::found::Found) is read from. The text is read for those rows alone that are given: thousands may
/// be picked, and all of them are sorted.
pub(super) fn found() -> (picked::score, Passage) {
    let content = "(SELECT of_passage.content FROM document_chunks AS of_passage
        WHERE of_passage.workspace_id = picked.workspace_id AND of_passage.id = picked.id)";
    let passage =
        (picked::id, picked::document_id, documents::title, documents::external_id, picked::chunk_index, sql(content));
    (picked::score, passage)
}
