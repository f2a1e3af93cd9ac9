use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let all: Vec<Document> = documents::table.in_workspace(&ws).filter(documents::title == "a").load(ws).await?;
    drop(all);
    Ok(())
}

fn main() {}
