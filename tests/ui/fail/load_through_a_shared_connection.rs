use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let shared = &*ws;
    let all: Vec<Document> = documents::table.in_workspace(shared).load(shared).await?;
    drop(all);
    Ok(())
}

fn main() {}
