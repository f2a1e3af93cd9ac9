use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let pairs: Vec<(Document, Job)> = documents::table.in_workspace(scope).inner_join(jobs::table).load(ws).await?;
    drop(pairs);
    Ok(())
}

fn main() {}
