//! A table of your own, from the migration to the check that it keeps workspaces apart.
//!
//! `cargo run --example add_a_table`. CONTRIBUTING.md explains the steps.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::schema::documents;
use workspace_db::tenancy::{InWorkspace as _, TENANT_TABLES as OURS, WorkspaceScope};
use workspace_db::{Result, db};
use workspace_db_testing::{TestDatabase, conformance, seed};

/// 1. The migration: a `workspace_id` in every key; the last line enables row-level security for the table.
const UP: &str = include_str!("up.sql");

// 2. The output of `diesel print-schema`.
diesel::table! {
    /// Words that a workspace puts on its documents.
    document_tags (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The document.
        document_id -> Uuid,
        /// The word.
        tag -> Text,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

// 3. A type for its id, its entry in the registry, and the relation for joins.
workspace_db::typed_ids! {
    /// Names a row of `document_tags` within its workspace.
    pub DocumentTagId, "a tag";
}
workspace_db::tenant_tables! {
    document_tags: DocumentTagId,
}
workspace_db::relations! {
    document_tags.document_id => documents;
}

/// 4. The row, the row to insert, and the changes; the last two have no workspace.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = document_tags)]
struct DocumentTag {
    id: DocumentTagId,
    workspace_id: WorkspaceId,
    document_id: DocumentId,
    tag: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = document_tags)]
struct NewDocumentTag {
    id: DocumentTagId,
    document_id: DocumentId,
    tag: String,
}

#[derive(Debug, AsChangeset)]
#[diesel(table_name = document_tags)]
struct DocumentTagChanges {
    tag: Option<String>,
}

workspace_db::tenant_rows! {
    document_tags: NewDocumentTag, DocumentTagChanges;
}

#[tokio::main]
async fn main() -> Result<()> {
    let database = TestDatabase::new().await?;
    db::connect(&database.url()?).await?.batch_execute(UP).await?;
    let mut conn = database.connect().await?;
    let (a, b) = (seed(&mut conn, "a").await?, seed(&mut conn, "b").await?);

    let db = database.open(2).await?;
    for (seeded, tag) in [(&a, "urgent"), (&b, "later")] {
        let scope = WorkspaceScope::unchecked(seeded.workspace, "an example");
        let mut ws = db.workspace(&scope).await?;
        let new = NewDocumentTag { id: DocumentTagId::generate(), document_id: seeded.document, tag: tag.to_owned() };
        let tags = document_tags::table.in_workspace(&ws);
        let inserted: DocumentTag = tags.insert(&new).get_result(&mut ws).await?;
        println!("{} {} of {}: {:?}", inserted.created_at, inserted.id, inserted.document_id, inserted.tag);
        assert_eq!(inserted.workspace_id, seeded.workspace);
        let shouted = DocumentTagChanges { tag: Some(tag.to_uppercase()) };
        tags.find(new.id).update().set(&shouted).execute(&mut ws).await?;
        let tagged: Vec<(String, String)> = documents::table
            .in_workspace(&ws)
            .inner_join(document_tags::table)
            .select((documents::title, document_tags::tag))
            .load(&mut ws)
            .await?;
        println!("{tagged:?}");
    }

    // 5. The check of this crate's tables and yours. Without a row of `b`, or without `workspace_db_isolate`, it fails.
    let tables: Vec<&str> = OURS.iter().chain(TENANT_TABLES).copied().collect();
    let violations = conformance::violations(&database.config()?, &tables).await?;
    assert_eq!(violations, []);
    println!("{} tables keep workspaces apart", tables.len());
    Ok(())
}
