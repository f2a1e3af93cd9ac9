use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let pairs: Vec<(i32, String)> = document_chunks::table
        .in_workspace(scope)
        .inner_join(documents::table)
        .select((document_chunks::chunk_index, documents::title))
        .load(ws)
        .await?;
    drop(pairs);
    Ok(())
}

pub fn main() {
    let _ = query;
}
