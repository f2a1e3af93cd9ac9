use workspace_db::auth::publish;
use workspace_db::tenancy::{Administer, Database, WorkspaceScope};

async fn query(db: &Database, scope: &WorkspaceScope<Administer>) -> workspace_db::Result<()> {
    publish(db, scope).await?;
    Ok(())
}

pub fn main() {
    let _ = query;
}
