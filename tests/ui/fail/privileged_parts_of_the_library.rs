use diesel_async::AsyncPgConnection;
use workspace_db::Result;
use workspace_db::id::WorkspaceId;
use workspace_db::tenancy::scope::private::Sealed;
use workspace_db::tenancy::{Credential, Database, ProvesWorkspace, WorkspaceConnection, WorkspaceScope};

async fn raw(ws: &mut WorkspaceConnection) -> Result<()> {
    ws.internal_sql(async |_: &mut AsyncPgConnection| Ok(())).await
}

async fn every_workspace(db: &Database) -> Result<()> {
    db.platform(async |_: &mut AsyncPgConnection| Ok(())).await
}

fn another_workspace(ws: &mut WorkspaceConnection, workspace: WorkspaceId) {
    ws.workspace = workspace;
    ws.inner.begin_with("BEGIN".to_owned(), std::time::Duration::ZERO);
}

fn scope(workspace: WorkspaceId) -> WorkspaceScope {
    WorkspaceScope::granted(workspace)
}

struct Mine(WorkspaceId);

impl ProvesWorkspace for Mine {
    fn workspace(&self) -> WorkspaceId {
        self.0
    }
}

fn main() {}
