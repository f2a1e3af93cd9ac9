//! Writing: one row, a thousand rows, an upsert, an update, a delete, and the result of each.
//!
//! `cargo run --example writing`

use diesel::prelude::*;
use workspace_db::id::DocumentId;
use workspace_db::models::{Document, DocumentChanges, NewDocument};
use workspace_db::schema::documents;
use workspace_db::sql_types::{DocumentStatus, StatementTime};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope, excluded};
use workspace_db_testing::{TestDatabase, seed};

#[tokio::main]
async fn main() -> workspace_db::Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    // The connection supplies the workspace; `NewDocument` has none.
    let new = NewDocument::new("Holidays");
    let inserted: Document = documents::table.in_workspace(&ws).insert(&new).get_result(&mut ws).await?;
    println!("inserted {}", inserted.title);

    let thousand: Vec<_> = (0..1000).map(|n| NewDocument::new(format!("Page {n}"))).collect();
    let count = documents::table.in_workspace(&ws).insert(&thousand).execute(&mut ws).await?;
    println!("inserted {count}");

    let again = NewDocument { id: new.id, ..NewDocument::new("Holidays, revised") };
    let title: String = documents::table
        .in_workspace(&ws)
        .insert(&again)
        .on_conflict((documents::workspace_id, documents::id))
        .do_update()
        .set((documents::title.eq(excluded(documents::title)), documents::updated_at.eq(StatementTime)))
        .returning(documents::title)
        .get_result(&mut ws)
        .await?;
    println!("upserted {title}");

    let archive = DocumentChanges { status: Some(DocumentStatus::Archived), ..Default::default() };
    let archived = documents::table
        .in_workspace(&ws)
        .filter(documents::title.like("Page %"))
        .update()
        .set(&archive)
        .execute(&mut ws)
        .await?;
    println!("archived {archived}");

    let gone: Vec<DocumentId> = documents::table
        .in_workspace(&ws)
        .filter(documents::status.eq(DocumentStatus::Archived))
        .delete()
        .returning(documents::id)
        .load(&mut ws)
        .await?;
    println!("deleted {}", gone.len());
    Ok(())
}
