use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let row = (documents::workspace_id.eq(scope.workspace()), NewDocument::new("x"));
    documents::table.in_workspace(scope).insert(row).execute(ws).await?;
    Ok(())
}

fn main() {}
