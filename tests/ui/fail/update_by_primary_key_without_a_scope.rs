use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let id = NewDocument::new("x").id;
    diesel::update(documents::table.find((scope.workspace(), id))).set(documents::title.eq("y")).execute(ws).await?;
    Ok(())
}

fn main() {}
