use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn update(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let summary: String =
        document_chunks::table.in_workspace(scope).select(document_chunks::content).first(ws).await?;
    documents::table.in_workspace(scope).update().set(documents::summary.eq(summary)).execute(ws).await?;
    Ok(())
}

pub fn main() {
    let _ = update;
}
