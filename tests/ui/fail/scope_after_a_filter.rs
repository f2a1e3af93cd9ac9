use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let all: Vec<Document> = documents::table.filter(documents::title.eq("a")).in_workspace(&ws).load(ws).await?;
    drop(all);
    Ok(())
}

fn main() {}
