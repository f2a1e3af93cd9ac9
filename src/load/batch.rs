//! Batches of a stream's documents, each for one transaction.

use std::collections::HashSet;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::Stream;
use xxhash_rust::xxh3::xxh3_64;

use super::hash;
use super::source_document::SourceDocument;
use crate::embeddings::StreamDimensions;
use crate::error::{Error, Result};
use crate::sql_types::DIMENSIONS;

/// Maximum number of passages in a document. All of them are in memory at once, with about 60 MB of vectors.
pub const MAX_PASSAGES: usize = 10_000;

/// Numbers of passages and of bytes with which a batch is full. Measured: larger batches are not faster (docs/figures.md).
const FULL_PASSAGES: usize = 1_000;
const FULL_BYTES: usize = 8 << 20;

/// Documents that are written together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) documents: Vec<PreparedDocument>,
    passages: usize,
    bytes: usize,
}

/// Valid document with its external id and content hash.
pub(super) struct PreparedDocument {
    pub(super) source: SourceDocument,
    pub(super) external_id: String,
    pub(super) content_hash: String,
}

/// Builder of batches from a stream.
#[derive(Default)]
pub(super) struct BatchBuilder {
    /// Hashes of the external ids so far. A document that comes twice would replace itself.
    seen: HashSet<u64>,
    dimensions: StreamDimensions,
}

impl BatchBuilder {
    /// Returns the next batch, or none at the end of the stream. If the stream fails, the unfinished batch is dropped.
    pub(super) async fn next(
        &mut self,
        documents: &mut Pin<&mut (impl Stream<Item = Result<SourceDocument>> + Send)>,
    ) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        while batch.passages < FULL_PASSAGES && batch.bytes < FULL_BYTES {
            let Some(source) = documents.next().await else { break };
            let prepared = self.prepare(source?)?;
            batch.passages += prepared.source.passages.len();
            batch.bytes += size(&prepared.source);
            batch.documents.push(prepared);
        }
        Ok((!batch.documents.is_empty()).then_some(batch))
    }

    fn prepare(&mut self, mut source: SourceDocument) -> Result<PreparedDocument> {
        let Some(external_id) = source.document.external_id.take() else {
            return Err(Error::invalid(format!("the document {:?} has no external id", source.document.title))
                .remedy("add an external id: it identifies the document when it is loaded again"));
        };
        let refused = |why: String, remedy: &str| {
            Err(Error::invalid(format!("the document {external_id:?} {why}")).remedy(remedy))
        };
        if external_id.trim().is_empty() {
            return Err(Error::invalid(format!("the document {:?} has an empty external id", source.document.title))
                .remedy("add an external id: it identifies the document when it is loaded again"));
        }
        if source.passages.iter().any(|passage| passage.content.trim().is_empty()) {
            return refused("has a passage without text".to_owned(), "remove this passage");
        }
        match source.passages.len() {
            0 => return refused("has no passages".to_owned(), "remove the document"),
            1..=MAX_PASSAGES => {}
            many => {
                return refused(
                    format!("has {many} passages; the maximum is {MAX_PASSAGES}"),
                    "split it into several documents",
                );
            }
        }
        if !self.seen.insert(xxh3_64(external_id.as_bytes())) {
            return refused(
                "occurs twice".to_owned(),
                "put its passages directly after one another, and load each document only once",
            );
        }
        for passage in &source.passages {
            self.dimensions.check(&source.model, &passage.vector)?;
        }
        let content_hash = source.document.content_hash.take().unwrap_or_else(|| hash::of_passages(&source));
        Ok(PreparedDocument { source, external_id, content_hash })
    }
}

fn size(source: &SourceDocument) -> usize {
    source.passages.iter().map(|passage| passage.content.len() + DIMENSIONS * size_of::<f32>()).sum()
}
