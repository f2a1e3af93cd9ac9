use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    documents::table.in_workspace(scope).insert(&NewDocument::new("Opening hours")).execute(ws).await?;
    Ok(())
}

pub fn main() {
    let _ = query;
}
