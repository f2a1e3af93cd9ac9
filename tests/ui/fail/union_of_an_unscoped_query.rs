use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let titles: Vec<String> = documents::table
        .in_workspace(&ws)
        .select(documents::title)
        .union(documents::table.select(documents::title))
        .load(ws)
        .await?;
    drop(titles);
    Ok(())
}

fn main() {}
