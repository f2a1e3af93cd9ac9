//! A disk that runs full in the middle of a COPY.

use super::*;
use crate::disk::SmallDisk;
use crate::skipped;

#[tokio::test]
async fn a_full_disk_is_told_and_what_was_told_as_done_is_there() {
    let Some(disk) = SmallDisk::mount(48) else {
        skipped("a full disk: this account may not mount a file system");
        return;
    };
    let mut fixture = Fixture::new().await;
    let mut superuser = workspace_db::db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let name = format!("small_{}", fixture.a.as_uuid().simple());
    disk.make_tablespace(&mut superuser, &name).await;
    superuser.batch_execute(&format!("ALTER TABLE document_chunks SET TABLESPACE {name}")).await.unwrap();

    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let done = AtomicUsize::new(0);
    let tell = |report: &LoadReport| done.store(report.chunks, Ordering::Relaxed);
    let many = || stream::iter(documents_of_ten(800).map(Ok));
    let error = load(&fixture.db, &scope, &fixture.options(), many(), &tell).await.unwrap_err();
    assert!(error.is_database_failure() && error.to_string().contains("No space left on device"), "{error}");
    let reported = count_of(&done);
    assert!(reported >= 1000, "the disk was full before the first batch was kept: {reported}");
    let stored: i64 = document_chunks::table.count().get_result(&mut fixture.conn).await.unwrap();
    assert_eq!(usize::try_from(stored).unwrap(), reported);

    // With room again, the next run goes on.
    superuser.batch_execute("ALTER TABLE document_chunks SET TABLESPACE pg_default").await.unwrap();
    let rest = load(&fixture.db, &scope, &fixture.options(), many(), &|_| ()).await.unwrap();
    assert_eq!((rest.unchanged, rest.added), (reported / 10, 800 - reported / 10));
    superuser.batch_execute(&format!("DROP TABLESPACE {name}")).await.unwrap();
}
