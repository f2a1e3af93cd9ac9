use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::models::AdminUser;
use workspace_db::tenancy::Database;

async fn query(db: &Database) -> workspace_db::Result<()> {
    let all: Vec<AdminUser> = db
        .across_workspaces("an example", async |conn| Ok::<_, workspace_db::Error>(AdminUser::query().load(conn).await?))
        .await?;
    drop(all);
    Ok(())
}

pub fn main() {
    let _ = query;
}
