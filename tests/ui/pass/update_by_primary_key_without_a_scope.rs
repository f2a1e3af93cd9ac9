use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let id = NewDocument::new("x").id;
    documents::table.in_workspace(scope).find(id).update().set(documents::title.eq("y")).execute(ws).await?;
    Ok(())
}

pub fn main() {
    let _ = query;
}
