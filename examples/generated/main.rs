//! A crate of your own with three tables that `workspace-db migrate generate` wrote, and a check that they keep workspaces
//! apart.
//!
//! `cargo run --example generated`. The generator and `diesel print-schema` wrote everything in `src` and `migrations`.
//! `generate::three_tables_are_generated_as_the_example_has_them` compares it with their output. Only this file was
//! written by hand.

#![expect(unreachable_pub, reason = "the models of a library are public, and an example is none")]
#![expect(clippy::option_option, reason = "in a changeset, nothing and NULL are two things")]
#![expect(clippy::wildcard_imports, reason = "as the Diesel CLI writes them")]

#[path = "src/models/mod.rs"]
mod models;
#[path = "src/registry.rs"]
mod registry;
#[path = "src/schema.rs"]
mod schema;

use diesel::prelude::*;
use workspace_db::Result;
use workspace_db::config::Environment;
use workspace_db::db::migrations::Migrator;
use workspace_db::schema::documents;
use workspace_db::sql_types::{DIMENSIONS, DocumentStatus, Embedding, TextArray};
use workspace_db::tenancy::{InWorkspace as _, TENANT_TABLES as OURS, WorkspaceScope};
use workspace_db_testing::{TestDatabase, conformance, seed};

use crate::models::{
    Caption, CaptionChanges, DocumentTag, DocumentTagChanges, NewCaption, NewDocumentTag, NewPicture, Picture,
    PictureChanges,
};
use crate::registry::TENANT_TABLES;
use crate::schema::{captions, document_tags, pictures};

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    let migrator = Migrator::new(&database.url()?, Environment::Development)
        .with_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/generated/migrations"))?;
    for name in migrator.run(|_| ()).await? {
        println!("applied {name}");
    }
    let mut conn = database.connect().await?;
    let db = database.open(2).await?;
    for seeded in [seed(&mut conn, "a").await?, seed(&mut conn, "b").await?] {
        let scope = WorkspaceScope::unchecked(seeded.workspace, "an example");
        let mut ws = db.workspace(&scope).await?;
        let tag = NewDocumentTag::new(seeded.document, "urgent".to_owned());
        document_tags::table.in_workspace(&ws).insert(&tag).execute(&mut ws).await?;
        let later = DocumentTagChanges { tag: Some("later".to_owned()), ..DocumentTagChanges::default() };
        document_tags::table.in_workspace(&ws).find(tag.id).update().set(&later).execute(&mut ws).await?;
        let look = Embedding::try_from([0.5; DIMENSIONS])?;
        let words = TextArray::from_iter(["cat"]);
        let picture = NewPicture::new(DocumentStatus::Ready, look, words, serde_json::json!({}), 640);
        pictures::table.in_workspace(&ws).insert(&picture).execute(&mut ws).await?;
        let changes = PictureChanges { width: Some(320), ..PictureChanges::default() };
        pictures::table.in_workspace(&ws).find(picture.id).update().set(&changes).execute(&mut ws).await?;
        let caption = NewCaption::new(picture.id, "A cat.".to_owned());
        captions::table.in_workspace(&ws).insert(&caption).execute(&mut ws).await?;
        let author = CaptionChanges { author: Some(Some(seeded.admin_user)), ..CaptionChanges::default() };
        captions::table.in_workspace(&ws).find(caption.id).update().set(&author).execute(&mut ws).await?;
        let found: Vec<(Caption, Picture)> = captions::table
            .in_workspace(&ws)
            .inner_join(pictures::table)
            .select((Caption::as_select(), Picture::as_select()))
            .load(&mut ws)
            .await?;
        let tagged: Vec<(String, DocumentTag)> = documents::table
            .in_workspace(&ws)
            .inner_join(document_tags::table)
            .select((documents::title, DocumentTag::as_select()))
            .load(&mut ws)
            .await?;
        for ((caption, picture), (title, tag)) in found.iter().zip(&tagged) {
            println!(
                "{:?} below a picture of {} pixels; {title:?} is tagged {:?}",
                caption.text, picture.width, tag.tag
            );
        }
        assert_eq!((found.len(), tagged.len()), (1, 1));
    }
    let tables: Vec<&str> = OURS.iter().chain(TENANT_TABLES).copied().collect();
    assert_eq!(conformance::violations(&database.config()?, &tables).await?, []);
    println!("{} tables keep workspaces apart", tables.len());
    Ok(())
}
