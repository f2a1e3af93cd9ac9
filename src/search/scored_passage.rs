//! Rows of a list of passages.

use diesel::prelude::*;
use serde_json::Value;

use super::results::{Hit, HitRank};
use crate::id::{DocumentChunkId, DocumentId};
use crate::schema::{document_chunks, documents};

/// Columns of a passage, which follow its score.
pub(super) const PASSAGE_COLUMNS: (
    document_chunks::id,
    document_chunks::document_id,
    documents::title,
    documents::external_id,
    document_chunks::chunk_index,
    document_chunks::content,
    document_chunks::metadata,
) = (
    document_chunks::id,
    document_chunks::document_id,
    documents::title,
    documents::external_id,
    document_chunks::chunk_index,
    document_chunks::content,
    document_chunks::metadata,
);

/// Row of a list: the score, and the passage.
#[derive(Queryable)]
pub(super) struct ScoredPassage {
    pub(super) score: f64,
    passage: PassageRow,
}

#[derive(Queryable)]
pub(super) struct PassageRow {
    chunk_id: DocumentChunkId,
    document_id: DocumentId,
    title: String,
    external_id: Option<String>,
    chunk_index: i32,
    content: String,
    metadata: Value,
}

/// Converts the rows of one list to hits with their ranks; `set` stores the rank for this list.
pub(super) fn hits(found: Vec<ScoredPassage>, set: fn(&mut Hit, HitRank)) -> Vec<Hit> {
    let hit = |(at, ScoredPassage { score, passage }): (usize, ScoredPassage)| {
        let mut hit = Hit {
            score,
            chunk_id: passage.chunk_id,
            document_id: passage.document_id,
            title: passage.title,
            external_id: passage.external_id,
            chunk_index: passage.chunk_index,
            content: passage.content,
            metadata: passage.metadata,
            excerpt: Vec::new(),
            by_vector: None,
            by_words: None,
            by_reranker: None,
            before: Vec::new(),
            after: Vec::new(),
        };
        set(&mut hit, HitRank { rank: at + 1, score });
        hit
    };
    found.into_iter().enumerate().map(hit).collect()
}
