use workspace_db::schema::*;
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection, question: Embedding) -> workspace_db::Result<Vec<f64>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    chunks.select(document_chunks::vector.cosine_distance(&question)).load(ws).await
}

pub fn main() {
    let _ = query;
}
