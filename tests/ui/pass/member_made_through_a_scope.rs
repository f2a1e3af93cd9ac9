use workspace_db::auth::invite;
use workspace_db::sql_types::AdminRole;
use workspace_db::tenancy::{Administer, Database, WorkspaceScope};

async fn query(db: &Database, scope: &WorkspaceScope<Administer>) -> workspace_db::Result<()> {
    invite(db, scope, &"jane@example.com".parse()?, AdminRole::Superadmin).await?;
    Ok(())
}

pub fn main() {
    let _ = query;
}
