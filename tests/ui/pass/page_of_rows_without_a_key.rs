use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let page = documents::table
        .in_workspace(&ws)
        .load_page::<Document, _, _>(ws, documents::created_at, None, 10)
        .await?;
    drop(page);
    Ok(())
}

pub fn main() {
    let _ = query;
}
