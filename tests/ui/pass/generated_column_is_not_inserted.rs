use workspace_db::id::DocumentId;
use workspace_db::models::NewDocumentChunk;
use workspace_db::sql_types::Embedding;

pub fn main() {
    let vector = Embedding::try_from([0.5; 1536]).unwrap();
    let chunk = NewDocumentChunk::new(DocumentId::generate(), 0, "words", vector, "a-model");
    // The database makes the bits of it.
    let _ = &chunk.vector;
}
