//! Rescored candidates, as a CTE that Diesel treats as a table.
//!
//! The statement joins documents only after that. With a free choice of order, the planner estimated one document
//! for a workspace of forty. It then read every candidate once for each of the forty.

#![expect(dead_code, unreachable_pub, reason = "what `tenant_tables!` writes is meant for a crate's own list")]

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{Jsonb, Text};

use crate::schema::{document_chunks, documents};

diesel::table! {
    /// Rows of [`RESCORED_CTE`].
    rescored (workspace_id, id) {
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

diesel::allow_tables_to_appear_in_same_query!(rescored, documents);
crate::tenant_tables!(@register rescored);
crate::relations! {
    rescored.document_id => documents;
}

/// Name and columns of the CTE, as the statement defines them.
pub(super) const RESCORED_CTE: &str =
    "rescored (workspace_id, id, document_id, chunk_index, score, distance, median, candidates)";

/// First columns of the CTE, which come from the chunk.
pub(super) const CHUNK_COLUMNS: (
    document_chunks::workspace_id,
    document_chunks::id,
    document_chunks::document_id,
    document_chunks::chunk_index,
) = (document_chunks::workspace_id, document_chunks::id, document_chunks::document_id, document_chunks::chunk_index);

type PassageColumns = (
    rescored::id,
    rescored::document_id,
    documents::title,
    documents::external_id,
    rescored::chunk_index,
    SqlLiteral<Text>,
    SqlLiteral<Jsonb>,
);

/// Returns the columns of a [`ScoredPassage`](super::scored_passage::ScoredPassage). The text is read for the returned
/// rows only: thousands may be rescored, and all of them are sorted.
pub(super) fn scored_passage_columns() -> (rescored::score, PassageColumns) {
    let content = "(SELECT of_passage.content FROM document_chunks AS of_passage
        WHERE of_passage.workspace_id = rescored.workspace_id AND of_passage.id = rescored.id)";
    let metadata = "(SELECT of_passage.metadata FROM document_chunks AS of_passage
        WHERE of_passage.workspace_id = rescored.workspace_id AND of_passage.id = rescored.id)";
    let passage = (
        rescored::id,
        rescored::document_id,
        documents::title,
        documents::external_id,
        rescored::chunk_index,
        sql(content),
        sql(metadata),
    );
    (rescored::score, passage)
}
