use diesel_async::RunQueryDsl;
use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    diesel::sql_query("DELETE FROM documents").execute(ws).await?;
    drop(scope);
    Ok(())
}

fn main() {}
