//! What a database remembers of what was applied to it, by whom, and as what.

use workspace_db::db::catalog::Catalog;

use super::*;

async fn statuses(migrator: &Migrator) -> Vec<MigrationStatus> {
    migrator.status().await.unwrap().into_iter().map(|one| one.status).collect()
}

/// The stock Diesel CLI makes its table without our column, and its rows without a checksum.
#[tokio::test]
async fn what_the_stock_command_line_applied_is_taken_over() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut conn = connect(&url).await.unwrap();
    conn.batch_execute("ALTER TABLE __diesel_schema_migrations DROP COLUMN checksum").await.unwrap();
    assert!(statuses(&migrator(&url)).await.iter().all(|status| *status == MigrationStatus::Unrecorded));
    assert_eq!(run(&url).await, [""; 0]);
    assert!(statuses(&migrator(&url)).await.iter().all(|status| *status == MigrationStatus::Applied));
    // And it goes on inserting and deleting as it does.
    let theirs = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000'); DELETE FROM __diesel_schema_migrations WHERE version = '29990101000000'";
    conn.batch_execute(theirs).await.unwrap();
    assert_eq!(run(&url).await, [""; 0]);
}

#[tokio::test]
async fn one_edited_byte_is_refused_until_it_is_back_or_taken() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let name = "29990101000000_create_tags";
    let with = |up| migrator(&url).with([later(name, up, "DROP TABLE tags")]).unwrap();
    with("CREATE TABLE tags (tag text);").run(|_| ()).await.unwrap();
    let edited = with("CREATE TABLE tags (tag text); ");
    assert_eq!(statuses(&edited).await.last(), Some(&MigrationStatus::Edited));
    let next = later("29990102000000_create_more", "CREATE TABLE more (x int)", "DROP TABLE more");
    let error = edited.clone().with([next]).unwrap().run(|_| ()).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(name) && said.contains("new migration"), "{said}");
    assert!(!dump(&database, &["--schema-only"]).contains("TABLE public.more"), "what came behind it was run");

    with("CREATE TABLE tags (tag text);").run(|_| ()).await.unwrap();
    // As the message says, for a change that makes no difference.
    let take = said.split("accept the new text with ").nth(1).unwrap();
    connect(&url).await.unwrap().batch_execute(take).await.unwrap();
    edited.run(|_| ()).await.unwrap();
    assert_eq!(statuses(&edited).await.last(), Some(&MigrationStatus::Applied));
}

/// An older program on a newer database: content where it lacks nothing, and else not to go on by itself.
#[tokio::test]
async fn a_database_that_is_ahead_is_left_alone() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    run(&url).await;
    let all = migrator(&url).migrations().count();
    assert_eq!(only(&url, all - 1).run(|_| ()).await.unwrap(), [""; 0]);
    let pending = later("29990101000000_more", "CREATE TABLE more (x int)", "DROP TABLE more");
    let error = only(&url, all - 1).with([pending]).unwrap().run(|_| ()).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let last = migrator(&url).migrations().last().unwrap().version();
    let said = error.to_string();
    assert!(said.contains(&last) && said.contains("29990101000000_more") && said.contains("--migrations"), "{said}");
    let error = only(&url, all - 1).revert(RevertCount::Last(1)).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains(&last), "{error}");
}

#[tokio::test]
async fn migrations_of_ones_own_run_beside_ours_in_the_order_of_their_versions() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let tags = later("29990101000000_create_tags", "CREATE TABLE tags (tag text)", "DROP TABLE tags");
    let early = Migration::new("2000-01-01-000000_first", "CREATE TABLE first (x int)", "DROP TABLE first");
    let both = migrator(&url).with([tags, early]).unwrap();
    let ran = both.run(|_| ()).await.unwrap();
    assert_eq!(ran.first().map(String::as_str), Some("2000-01-01-000000_first"));
    assert_eq!(ran.last().map(String::as_str), Some("29990101000000_create_tags"));
    assert_eq!(both.revert(RevertCount::Last(1)).await.unwrap(), ["29990101000000_create_tags"]);
    assert_eq!(both.plan().await.unwrap().len(), 1);
    assert_eq!(both.revert(RevertCount::All).await.unwrap().len(), ran.len() - 1);
}

/// The commit whose migrations version 0.1.0 squashed, and the number of these.
const BEFORE_0_1_0: (&str, usize) = ("1fc5045", 24);

/// The folder of the migrations of before 0.1.0, from the history of this clone.
fn before_0_1_0() -> Option<crate::folder::Folder> {
    let root = env!("CARGO_MANIFEST_DIR");
    let archive = Command::new("git")
        .args(["-c", "safe.directory=*", "-C", root, "archive", BEFORE_0_1_0.0, "migrations"])
        .output()
        .unwrap();
    if !archive.status.success() {
        crate::skipped("the history of this clone does not have the migrations of before 0.1.0");
        return None;
    }
    let folder = crate::folder::Folder::new();
    tar::Archive::new(archive.stdout.as_slice()).unpack(folder.path()).unwrap();
    Some(folder)
}

#[tokio::test]
async fn a_database_of_before_0_1_0_is_taken_over_with_its_rows() {
    let Some(folder) = before_0_1_0() else { return };
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let old = || {
        Migrator::from_migrations(&url, Environment::Development, [])
            .unwrap()
            .with_folder(folder.path().join("migrations"))
            .unwrap()
    };
    let own = later("29990101000000_create_tags", "CREATE TABLE tags (tag text)", "DROP TABLE tags");
    let with_own = migrator(&url).with([own.clone()]).unwrap();
    // With one of them missing, nothing is taken over.
    let all: Vec<Migration> = old().migrations().cloned().collect();
    let first = all.len() - 1;
    Migrator::from_migrations(&url, Environment::Development, all.into_iter().take(first))
        .unwrap()
        .run(|_| ())
        .await
        .unwrap();
    let error = migrator(&url).run(|_| ()).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("23 of the 24"), "{error}");
    old().with([own]).unwrap().run(|_| ()).await.unwrap();
    assert_eq!(old().migrations().count(), BEFORE_0_1_0.1);
    seed(&mut database.connect().await.unwrap(), "a").await.unwrap();
    let rows = dump(&database, &["--data-only"]);

    assert_eq!(with_own.plan().await.unwrap(), []);
    assert_eq!(with_own.run(|_| ()).await.unwrap(), [""; 0]);
    assert!(statuses(&with_own).await.iter().all(|status| *status == MigrationStatus::Applied));
    assert_eq!(Catalog::expected().drift(&Catalog::read(&url).await.unwrap()), []);
    assert_eq!(dump(&database, &["--data-only"]), rows);
    with_own.revert(RevertCount::All).await.unwrap();
    assert_eq!(with_own.run(|_| ()).await.unwrap().len(), with_own.migrations().count());
}
