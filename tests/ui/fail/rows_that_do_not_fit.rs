use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let all: Vec<Document> = document_chunks::table.in_workspace(scope).load(ws).await?;
    drop(all);
    Ok(())
}

fn main() {}
