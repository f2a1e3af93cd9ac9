use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let page = documents::table
        .in_workspace(&ws)
        .select(documents::title)
        .load_page::<String, _, _>(ws, documents::created_at, None, 10)
        .await?;
    drop(page);
    Ok(())
}

fn main() {}
