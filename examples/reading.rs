//! Reading: one row, several rows, a count, groups, conditional filters, a subquery.
//!
//! `cargo run --example reading`

use diesel::dsl::count_star;
use diesel::prelude::*;
use workspace_db::models::Document;
use workspace_db::schema::{document_chunks, documents};
use workspace_db::sql_types::DocumentStatus;
use workspace_db::tenancy::{InWorkspace as _, OptionalRow as _, WorkspaceScope};
use workspace_db_testing::{TestDatabase, seed};

#[tokio::main]
async fn main() -> workspace_db::Result<()> {
    let database = TestDatabase::new().await?;
    let mine = seed(&mut database.connect().await?, "here").await?;
    let theirs = seed(&mut database.connect().await?, "there").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(mine.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    let one: Document = documents::table.in_workspace(&ws).find(mine.document).first(&mut ws).await?;
    println!("by id: {}", one.title);

    // Another workspace's row is not found, as an unknown id is not.
    let theirs: Option<Document> =
        documents::table.in_workspace(&ws).find(theirs.document).first(&mut ws).await.optional()?;
    assert_eq!(theirs, None);

    let titles: Vec<String> = documents::table
        .in_workspace(&ws)
        .filter(documents::title.like("Open%").or(documents::title.like("Clos%")))
        .filter(documents::status.eq(DocumentStatus::Ready))
        .order(documents::created_at.desc())
        .limit(50)
        .select(documents::title)
        .load(&mut ws)
        .await?;
    println!("some: {titles:?}");

    let count: i64 = documents::table.in_workspace(&ws).count().get_result(&mut ws).await?;
    let by_status: Vec<(DocumentStatus, i64)> = documents::table
        .in_workspace(&ws)
        .group_by(documents::status)
        .select((documents::status, count_star()))
        .load(&mut ws)
        .await?;
    println!("{count} in all, {by_status:?}");

    let title = Some("Opening hours");
    let mut query = documents::table.in_workspace(&ws).into_boxed();
    if let Some(title) = title {
        query = query.filter(documents::title.eq(title));
    }
    let found: Vec<Document> = query.load(&mut ws).await?;
    println!("under a condition: {}", found.len());

    let with_passages = document_chunks::table.in_workspace(&ws).select(document_chunks::document_id);
    let found: Vec<Document> =
        documents::table.in_workspace(&ws).filter(documents::id.eq_any(with_passages)).load(&mut ws).await?;
    println!("with passages: {}", found.len());
    Ok(())
}
