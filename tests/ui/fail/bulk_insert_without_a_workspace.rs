use diesel_async::RunQueryDsl;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let rows = vec![NewDocument::new("x"), NewDocument::new("y")];
    diesel::insert_into(documents::table).values(&rows).execute(ws).await?;
    drop(scope);
    Ok(())
}

fn main() {}
