use workspace_db::schema::*;
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection, question: Embedding<768>) -> workspace_db::Result<Vec<f64>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    chunks.select(document_chunks::vector.cosine_distance(&question)).load(ws).await
}

fn main() {}
