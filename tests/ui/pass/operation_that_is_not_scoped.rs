use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let here = documents::table.in_workspace(scope).select(documents::title).distinct();
    let titles: Vec<String> = here.load(ws).await?;
    drop(titles);
    Ok(())
}

pub fn main() {
    let _ = query;
}
