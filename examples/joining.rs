//! Joins along declared relations: inner, left, several deep. Each join includes the workspace automatically.
//!
//! `cargo run --example joining`

use diesel::prelude::*;
use workspace_db::models::{Document, DocumentChunk};
use workspace_db::schema::{conversations, datasources, document_chunks, documents, feedback, messages};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db_testing::{TestDatabase, seed};

#[tokio::main]
async fn main() -> workspace_db::Result<()> {
    let database = TestDatabase::new().await?;
    let here = seed(&mut database.connect().await?, "here").await?;
    let db = database.open(2).await?;
    let scope = WorkspaceScope::unchecked(here.workspace, "an example");
    let mut ws = db.workspace(&scope).await?;

    let passages: Vec<(Document, DocumentChunk)> = documents::table
        .in_workspace(&ws)
        .inner_join(document_chunks::table)
        .order(document_chunks::chunk_index)
        .select((Document::as_select(), DocumentChunk::as_select()))
        .load(&mut ws)
        .await?;
    for (document, passage) in passages {
        println!("{} #{}: {}", document.title, passage.chunk_index, passage.content);
    }

    let sources: Vec<(String, Option<String>)> = documents::table
        .in_workspace(&ws)
        .left_join(datasources::table)
        .select((documents::title, datasources::name.nullable()))
        .load(&mut ws)
        .await?;
    println!("{sources:?}");

    let judged: Vec<(i16, String, Option<String>)> = feedback::table
        .in_workspace(&ws)
        .inner_join(messages::table)
        .inner_join(conversations::table)
        .select((feedback::score, messages::content, conversations::title))
        .load(&mut ws)
        .await?;
    println!("{judged:?}");
    Ok(())
}
