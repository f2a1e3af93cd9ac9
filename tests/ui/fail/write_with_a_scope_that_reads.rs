use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, Read, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope<Read>, ws: &mut WorkspaceConnection<Read>) -> workspace_db::Result<()> {
    documents::table.in_workspace(scope).insert(&NewDocument::new("Opening hours")).execute(ws).await?;
    Ok(())
}

fn main() {}
