use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let unscoped = document_chunks::table.select(document_chunks::document_id);
    let some: Vec<Document> =
        documents::table.in_workspace(scope).filter(documents::id.eq_any(unscoped)).load(ws).await?;
    drop(some);
    Ok(())
}

fn main() {}
