use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let named = documents::table.in_workspace(scope).filter(datasources::name.is_null());
    let some: Vec<Document> = named.load(ws).await?;
    drop(some);
    Ok(())
}

fn main() {}
