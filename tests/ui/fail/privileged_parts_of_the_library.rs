use diesel_async::AsyncPgConnection;
use workspace_db::Result;
use workspace_db::id::WorkspaceId;
use workspace_db::tenancy::{Credential, Database, PooledSession, WorkspaceConnection, WorkspaceScope};

async fn raw(ws: &mut WorkspaceConnection) -> Result<()> {
    ws.internal_sql(async |_: &mut AsyncPgConnection| Ok(())).await
}

async fn every_workspace(db: &Database) -> Result<()> {
    db.platform(async |_: &mut AsyncPgConnection| Ok(())).await
}

fn another_workspace(ws: &mut WorkspaceConnection, workspace: WorkspaceId) {
    ws.workspace = workspace;
    ws.session.begin_with("BEGIN".to_owned(), std::time::Duration::ZERO);
}

fn scope(workspace: WorkspaceId) -> WorkspaceScope {
    WorkspaceScope { workspace, source: (), access: std::marker::PhantomData }
}

fn main() {}
