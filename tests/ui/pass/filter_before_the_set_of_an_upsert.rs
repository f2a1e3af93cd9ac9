use diesel::prelude::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};

async fn query(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let new = NewDocument::new("a");
    let upsert = documents::table.in_workspace(&ws).insert(&new).on_conflict((documents::workspace_id, documents::id));
    upsert.do_update().set(documents::title.eq("b")).filter(documents::title.eq("a")).execute(ws).await?;
    Ok(())
}

pub fn main() {
    let _ = query;
}
