use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let pairs: Vec<(Document, Datasource)> =
        documents::table.in_workspace(scope).inner_join(datasources::table).load(ws).await?;
    drop(pairs);
    Ok(())
}

pub fn main() {
    let _ = query;
}
