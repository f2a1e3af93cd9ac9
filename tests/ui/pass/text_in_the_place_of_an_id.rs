use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let id: workspace_db::id::DocumentId = "0191d0b0-0000-7000-8000-000000000000".parse()?;
    let one: Document = documents::table.in_workspace(&ws).find(id).first(ws).await?;
    drop(one);
    Ok(())
}

pub fn main() {
    let _ = query;
}
