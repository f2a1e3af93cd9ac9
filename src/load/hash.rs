//! The content hash that identifies unchanged documents.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::source_document::SourceDocument;

/// Returns the SHA-256, in hexadecimal, of everything that a document's chunks are created from. Each part follows its
/// length, so that no two documents give the same bytes.
pub(super) fn of_passages(source: &SourceDocument) -> String {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(source.model.as_bytes());
    for passage in &source.passages {
        part(passage.content.as_bytes());
        part(passage.language.as_ref().map_or("", |tag| tag.as_str()).as_bytes());
        let vector: Vec<u8> = passage.vector.as_slice().iter().flat_map(|component| component.to_le_bytes()).collect();
        part(&vector);
        if !passage.metadata.is_empty() {
            part(Value::Object(passage.metadata.clone()).to_string().as_bytes());
        }
    }
    base16ct::lower::encode_string(&hasher.finalize())
}
