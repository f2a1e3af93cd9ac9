//! Documents of a stream, as many as go into one transaction.

use std::collections::HashSet;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::Stream;
use xxhash_rust::xxh3::xxh3_64;

use super::{SourceDocument, hash};
use crate::error::{Error, Result};
use crate::sql_types::DIMENSIONS;

/// The most passages of one document: all of them are in memory at once, some 60 MB of vectors.
pub const MAX_PASSAGES: usize = 10_000;

/// A batch is full with so many passages, or so many bytes. Measured: more are not faster (docs/figures.md).
const FULL_PASSAGES: usize = 1_000;
const FULL_BYTES: usize = 8 << 20;

/// Documents that are written together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) documents: Vec<PreparedDocument>,
    passages: usize,
    bytes: usize,
}

/// A document that may be written, with the names by which it is known.
pub(super) struct PreparedDocument {
    pub(super) source: SourceDocument,
    pub(super) external_id: String,
    pub(super) content_hash: String,
}

/// What has come of a stream so far.
#[derive(Default)]
pub(super) struct BatchBuilder {
    /// Hashes of the external ids that have come: a document that comes twice would replace itself.
    seen: HashSet<u64>,
}

impl BatchBuilder {
    /// The next batch, or none where the stream has ended. Nothing of a stream that fails is in one.
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
                .remedy("give it one: by it the document is known when it comes again"));
        };
        let refused = |why: String, remedy: &str| {
            Err(Error::invalid(format!("the document {external_id:?} {why}")).remedy(remedy))
        };
        if external_id.trim().is_empty() {
            return Err(Error::invalid(format!("the document {:?} has an empty external id", source.document.title))
                .remedy("give it one: by it the document is known when it comes again"));
        }
        if source.passages.iter().any(|passage| passage.content.trim().is_empty()) {
            return refused("has a passage without text".to_owned(), "leave that passage out");
        }
        match source.passages.len() {
            0 => return refused("has no passages".to_owned(), "leave it out"),
            1..=MAX_PASSAGES => {}
            many => {
                return refused(
                    format!("has {many} passages, more than {MAX_PASSAGES}"),
                    "split it into several documents",
                );
            }
        }
        if !self.seen.insert(xxh3_64(external_id.as_bytes())) {
            return refused("comes twice".to_owned(), "bring its passages one after the other, and each document once");
        }
        let content_hash = source.document.content_hash.take().unwrap_or_else(|| hash::of_passages(&source));
        Ok(PreparedDocument { source, external_id, content_hash })
    }
}

fn size(source: &SourceDocument) -> usize {
    source.passages.iter().map(|passage| passage.content.len() + DIMENSIONS * size_of::<f32>()).sum()
}
