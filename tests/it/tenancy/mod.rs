//! Queries that stay in their workspace, on connections that could not leave it.

mod conformance;
mod connection;
mod inspection;
mod leaks;
pub(crate) mod pgbouncer;
mod pools;
mod query;
mod raw_sql;
mod related;
mod service_errors;
mod soak;
mod statements;
mod timeouts;
mod transactions;

use workspace_db::tenancy::{Database, WorkspaceConnection, WorkspaceScope};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

/// Two workspaces with a row in every table, and a connection as `a`. What comes back must be `a`'s alone.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) db: Database,
    pub(crate) a: SeededWorkspace,
    pub(crate) b: SeededWorkspace,
    pub(crate) scope: WorkspaceScope,
    pub(crate) ws: WorkspaceConnection,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = seed(&mut conn, "a").await.unwrap();
        let b = seed(&mut conn, "b").await.unwrap();
        let db = database.open(4).await.unwrap();
        let scope = scope_of(&a);
        let ws = db.workspace(&scope).await.unwrap();
        Self { database, db, a, b, scope, ws }
    }
}

pub(crate) fn scope_of(seeded: &SeededWorkspace) -> WorkspaceScope {
    WorkspaceScope::unchecked(seeded.workspace, "a test")
}
