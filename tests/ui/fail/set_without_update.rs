use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    documents::table.in_workspace(&ws).filter(documents::title.eq("a")).set(documents::title.eq("b")).execute(ws).await?;
    Ok(())
}

fn main() {}
