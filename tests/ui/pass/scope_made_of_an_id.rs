use workspace_db::id::WorkspaceId;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let id: WorkspaceId = "00000000-0000-7000-8000-000000000002".parse()?;
    let vouched = WorkspaceScope::unchecked(id, "an example");
    let all: Vec<Document> = documents::table.in_workspace(&vouched).load(ws).await?;
    drop((scope, all));
    Ok(())
}

pub fn main() {
    let _ = query;
}
