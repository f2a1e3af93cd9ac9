use diesel_async::RunQueryDsl;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let all: Vec<Document> = documents::table.load(ws).await?;
    drop((scope, all));
    Ok(())
}

fn main() {}
