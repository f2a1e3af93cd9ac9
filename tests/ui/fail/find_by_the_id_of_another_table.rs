use workspace_db::id::JobId;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let job = JobId::generate();
    let found: Document = documents::table.in_workspace(scope).find(job).first(ws).await?;
    drop(found);
    Ok(())
}

fn main() {}
