use diesel::pg::Pg;
use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn update(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let unscoped = document_chunks::table.select(document_chunks::content).into_boxed::<Pg>().single_value();
    documents::table.in_workspace(scope).update().set(documents::summary.eq(unscoped)).execute(ws).await?;
    Ok(())
}

fn main() {}
