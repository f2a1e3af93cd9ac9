use diesel::prelude::*;
use workspace_db::schema::*;
use workspace_db::sql_types::AdminRole;
use workspace_db::tenancy::{InWorkspace, WorkspaceConnection, WorkspaceScope};

async fn query(scope: &WorkspaceScope, ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
    let mine = workspace_admins::table.in_workspace(scope);
    mine.update().set(workspace_admins::role.eq(AdminRole::Superadmin)).execute(ws).await?;
    Ok(())
}

fn main() {}
