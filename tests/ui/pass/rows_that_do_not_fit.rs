use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let all: Vec<DocumentChunk> =
        document_chunks::table.in_workspace(scope).select(DocumentChunk::as_select()).load(ws).await?;
    drop(all);
    Ok(())
}

pub fn main() {
    let _ = query;
}
