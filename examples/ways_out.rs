//! The two explicit ways out of a scoped query, each with its reason: raw SQL under row-level security, and the platform
//! as a whole.
//!
//! `cargo run --example ways_out`

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use workspace_db::Error;
use workspace_db::models::Workspace;
use workspace_db::schema::workspaces;
use workspace_db::tenancy::WorkspaceScope;
use workspace_db_testing::{TestDatabase, seed};

#[derive(Debug, QueryableByName)]
struct Kind {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[tokio::main]
async fn main() -> workspace_db::Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    seed(&mut database.connect().await?, "there").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    let kinds: Vec<Kind> = ws
        .under_row_security("a union of two tables has no scoped query", async |conn| {
            let query = "SELECT 'documents' AS kind, count(*) AS rows FROM documents
                         UNION ALL SELECT 'messages', count(*) FROM messages";
            Ok::<_, Error>(diesel::sql_query(query).load(conn).await?)
        })
        .await?;
    for kind in kinds {
        println!("{} {}: this workspace alone", kind.rows, kind.kind);
    }

    let all: Vec<Workspace> = db
        .across_workspaces("the operator lists the workspaces", async |conn| {
            Ok::<_, Error>(Workspace::query().order(workspaces::slug).load(conn).await?)
        })
        .await?;
    println!("{:?}", all.iter().map(|workspace| &workspace.slug).collect::<Vec<_>>());
    Ok(())
}
