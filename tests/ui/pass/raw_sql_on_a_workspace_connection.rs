use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    ws.under_row_security("an example", async |conn| {
        diesel_async::RunQueryDsl::execute(diesel::sql_query("DELETE FROM documents"), conn).await?;
        Ok::<_, workspace_db::Error>(())
    })
    .await?;
    let _ = scope;
    Ok(())
}

pub fn main() {
    let _ = query;
}
