//! From one database into another.

use std::fs;

use diesel::prelude::*;
use diesel_async::SimpleAsyncConnection as _;
use workspace_db::schema::workspaces;
use workspace_db::transfer::{DatabaseSide, RelocationReport, relocate};
use workspace_db_testing::TestDatabase;

use super::{Fixture, audit_actions, key, platform, rows};

pub(super) async fn to(fixture: &Fixture, target: &TestDatabase) -> workspace_db::Result<RelocationReport> {
    let (platform, target) = (platform(), target.open(4).await.unwrap());
    let (from, to) =
        (DatabaseSide { db: &fixture.db, platform: &platform }, DatabaseSide { db: &target, platform: &platform });
    relocate(from, to, fixture.a.workspace, &fixture.path("a.tar"), &key(), &|_| ()).await
}

async fn state(database: &TestDatabase, fixture: &Fixture) -> Option<(bool, bool)> {
    let query = workspaces::table.find(fixture.a.workspace).select((workspaces::is_active, workspaces::is_published));
    diesel_async::RunQueryDsl::get_result(query, &mut database.connect().await.unwrap()).await.optional().unwrap()
}

#[tokio::test]
async fn a_workspace_is_there_as_it_was_and_here_no_more() {
    let (fixture, other) = (Fixture::that_hurts().await, TestDatabase::new().await.unwrap());
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute("UPDATE workspaces SET is_published = true").await.unwrap();
    let (mut of_a, of_b) = (fixture.rows(fixture.a.workspace).await, fixture.rows(fixture.b.workspace).await);
    let moved = to(&fixture, &other).await.unwrap();
    let receipt = moved.receipt.verified(&key().public()).unwrap();
    assert!(receipt.tables.values().all(|rows| rows.left == 0));
    let mut target = rows(&mut other.connect().await.unwrap(), fixture.a.workspace).await;
    assert_eq!(state(&other, &fixture).await, Some((true, true)));
    // Its own row was written when it went out of use.
    assert_eq!(target.remove("workspaces").unwrap().count, of_a.remove("workspaces").unwrap().count);
    // No token was brought, and nobody has joined there.
    assert_eq!(target.remove("workspace_admins").unwrap().count, of_a.remove("workspace_admins").unwrap().count);
    assert_eq!(target, super::imported(of_a));
    assert_eq!(fixture.rows(fixture.b.workspace).await, of_b);
    let expected = [
        "workspace.create",
        "workspace.move_begin",
        "workspace.export",
        "workspace.move_compared",
        "workspace.erase_begin",
        "workspace.erase",
    ];
    assert_eq!(audit_actions(&fixture.database, fixture.a.workspace).await, expected);
    // With what the archive brought.
    let expected =
        ["workspace.create", "workspace.move_begin", "workspace.import_begin", "workspace.import", "workspace.move"];
    assert_eq!(audit_actions(&other, fixture.a.workspace).await, expected);
    // Again: it is done, and says so.
    let again = to(&fixture, &other).await.unwrap();
    assert_eq!(again.imported, moved.imported);
    assert_eq!(state(&other, &fixture).await, Some((true, true)));
}

#[tokio::test]
async fn nothing_is_erased_where_somebody_wrote_after_the_archive() {
    let (fixture, other) = (Fixture::new().await, TestDatabase::new().await.unwrap());
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute("UPDATE workspaces SET is_active = false WHERE slug = 'a'").await.unwrap();
    fixture.export("a.tar").await.unwrap();
    let late = format!("INSERT INTO documents (workspace_id, title) VALUES ('{}', 'late')", fixture.a.workspace);
    conn.batch_execute(&late).await.unwrap();
    let before = fixture.rows(fixture.a.workspace).await;
    let error = to(&fixture, &other).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("rows of documents were written after"), "{error}");
    assert_eq!(fixture.rows(fixture.a.workspace).await, before);
    assert_eq!(state(&other, &fixture).await, Some((false, false)), "the copy is not in use");
    // As the error says.
    other.connect().await.unwrap().batch_execute("DELETE FROM workspaces").await.unwrap();
    fs::remove_file(fixture.path("a.tar")).unwrap();
    to(&fixture, &other).await.unwrap();
    assert_eq!(rows(&mut other.connect().await.unwrap(), fixture.a.workspace).await["documents"].count, 2);
}

#[tokio::test]
async fn nothing_is_erased_where_it_can_not_be_imported() {
    let (fixture, other) = (Fixture::new().await, TestDatabase::new().await.unwrap());
    other
        .connect()
        .await
        .unwrap()
        .batch_execute("INSERT INTO workspaces (slug, name) VALUES ('a', 'Another')")
        .await
        .unwrap();
    let mut before = fixture.rows(fixture.a.workspace).await;
    let error = to(&fixture, &other).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("has the slug \"a\""), "{error}");
    let mut after = fixture.rows(fixture.a.workspace).await;
    assert_eq!(
        state(&fixture.database, &fixture).await,
        Some((false, false)),
        "out of use until it is moved or restored"
    );
    assert_eq!(after.remove("workspaces").unwrap().count, before.remove("workspaces").unwrap().count);
    assert_eq!(after, before);
}
