use workspace_db::models::WorkspaceSettings;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let settings: WorkspaceSettings =
        workspace_settings::table.in_workspace(scope).find(scope.workspace()).first(ws).await?;
    drop(settings);
    Ok(())
}

fn main() {}
