use workspace_db::models::NewDocumentChunk;

fn bits(chunk: &NewDocumentChunk) {
    let _ = &chunk.vector_bits;
}

fn main() {}
