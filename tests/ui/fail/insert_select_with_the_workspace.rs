use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let titles = documents::table.in_workspace(&ws).select((documents::workspace_id, documents::title));
    documents::table.in_workspace(&ws).insert_select((documents::workspace_id, documents::title), titles).execute(ws).await?;
    Ok(())
}

fn main() {}
