use workspace_db::auth::publish;
use workspace_db::tenancy::{Database, WorkspaceScope};

async fn query(db: &Database, scope: &WorkspaceScope) -> workspace_db::Result<()> {
    publish(db, scope).await?;
    Ok(())
}

fn main() {}
