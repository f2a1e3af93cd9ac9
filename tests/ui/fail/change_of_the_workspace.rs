use diesel::prelude::*;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let elsewhere = WorkspaceId::generate();
    let update = documents::table.in_workspace(scope).update();
    update.set(documents::workspace_id.eq(elsewhere)).execute(ws).await?;
    Ok(())
}

fn main() {}
