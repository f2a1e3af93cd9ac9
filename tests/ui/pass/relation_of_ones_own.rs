use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<Vec<String>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    chunks.inner_join(documents::table).select(documents::title).load(ws).await
}

pub fn main() {
    let _ = query;
}
