use workspace_db::Result;
use workspace_db::id::WorkspaceId;
use workspace_db::tenancy::{Database, RawConnection, WorkspaceConnection, WorkspaceScope};

async fn raw(ws: &mut WorkspaceConnection) -> Result<()> {
    ws.under_row_security("an example", async |_: &mut RawConnection| Ok(())).await
}

async fn every_workspace(db: &Database) -> Result<()> {
    db.across_workspaces("an example", async |_: &mut RawConnection| Ok(())).await
}

async fn another_workspace(db: &Database, workspace: WorkspaceId) -> Result<()> {
    let _ = db.workspace(&scope(workspace)).await?;
    Ok(())
}

fn scope(workspace: WorkspaceId) -> WorkspaceScope {
    WorkspaceScope::unchecked(workspace, "an example")
}

pub fn main() {
    let _ = (raw, every_workspace, another_workspace);
}
