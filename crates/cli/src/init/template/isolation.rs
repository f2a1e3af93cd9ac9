//! The tables of this crate keep workspaces apart, on a real PostgreSQL server that the test starts.

use workspace_db::Result;
use workspace_db::db::migrations::Migrator;
use workspace_db::tenancy::{InWorkspace, TENANT_TABLES, WorkspaceScope};
use workspace_db_testing::{TestDatabase, conformance, seed};

use {crate}::models::{NewNote, Note};
use {crate}::schema::notes;

#[tokio::test]
async fn a_note_is_seen_in_its_workspace_and_in_no_other() -> Result<()> {
    let database = TestDatabase::new().await?;
    let config = database.config()?;
    Migrator::new(&database.url()?, config.environment).with_folder("migrations")?.run(|_| ()).await?;
    let mut conn = database.connect().await?;
    let db = database.open(2).await?;
    for seeded in [seed(&mut conn, "a").await?, seed(&mut conn, "b").await?] {
        let scope = WorkspaceScope::unchecked(seeded.workspace, "a test");
        let mut ws = db.workspace(&scope).await?;
        let new = NewNote::new(seeded.document, "read this first");
        notes::table.in_workspace(&ws).insert(&new).execute(&mut ws).await?;
        let found: Vec<Note> = notes::table.in_workspace(&ws).load(&mut ws).await?;
        assert_eq!(found.iter().map(|note| note.id).collect::<Vec<_>>(), [new.id]);
    }
    // The suite tries to break the isolation of every table, those of workspace-db too.
    let tables: Vec<&str> = TENANT_TABLES.iter().chain({crate}::registry::TENANT_TABLES).copied().collect();
    assert_eq!(conformance::violations(&config, &tables).await?, []);
    Ok(())
}
