use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let new = NewDocument::new("a");
    messages::table.in_workspace(&ws).insert(&new).execute(ws).await?;
    Ok(())
}

fn main() {}
