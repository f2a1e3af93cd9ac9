use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::schema::*;
use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let everywhere = documents::table.select(documents::title).distinct();
    let titles: Vec<String> = everywhere.load(ws).await?;
    drop((scope, titles));
    Ok(())
}

fn main() {}
