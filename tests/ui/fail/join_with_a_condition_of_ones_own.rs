use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let joined = documents::table.on(documents::id.eq(document_chunks::document_id));
    let pairs: Vec<(i32, String)> = document_chunks::table
        .in_workspace(scope)
        .inner_join(joined)
        .select((document_chunks::chunk_index, documents::title))
        .load(ws)
        .await?;
    drop(pairs);
    Ok(())
}

fn main() {}
