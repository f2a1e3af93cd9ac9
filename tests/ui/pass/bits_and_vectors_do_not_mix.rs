use workspace_db::schema::document_chunks;
use workspace_db::sql_types::{BitExpressionMethods, Embedding};

pub fn main() {
    let question: Embedding<1536> = Embedding::try_from([0.5; 1536]).unwrap();
    let _ = document_chunks::vector.cosine_distance(&question);
    let _ = document_chunks::vector_bits.hamming_distance(question.sign_bits());
}
