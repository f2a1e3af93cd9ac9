//! A disk that runs full in the middle of a COPY.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::folder::Folder;
use crate::skipped;

/// A file system of so many megabytes in memory, where this account may mount one.
struct SmallDisk {
    path: PathBuf,
    _folder: Folder,
}

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = Folder::new();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m,mode=0777");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self { path, _folder: folder })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since the server may not have closed its last file yet.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_what_was_told_as_done_is_there() {
    let Some(disk) = SmallDisk::mount(48) else {
        skipped("a full disk: this account may not mount a file system");
        return;
    };
    let mut scene = Scene::new().await;
    // The server runs as another account than root, and wants the folder to be its own.
    let folder = disk.path().join("tablespace");
    std::fs::create_dir(&folder).unwrap();
    let mut superuser = workspace_db::db::connect(&scene.database.superuser_url().unwrap()).await.unwrap();
    let data: String = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("current_setting('data_directory')"))
        .get_result(&mut superuser)
        .await
        .unwrap();
    let like = format!("--reference={data}");
    assert!(Command::new("chown").arg(like).arg(&folder).status().unwrap().success());
    let name = format!("small_{}", scene.a.as_uuid().simple());
    superuser.batch_execute(&format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display())).await.unwrap();
    superuser.batch_execute(&format!("ALTER TABLE document_chunks SET TABLESPACE {name}")).await.unwrap();

    let scope = WorkspaceScope::vouched_for(scene.a, "a test");
    let done = AtomicUsize::new(0);
    let tell = |report: &LoadReport| done.store(report.chunks, Ordering::Relaxed);
    let many = || stream::iter(documents_of_ten(800).map(Ok));
    let error = load(&scene.db, &scope, &scene.options(), many(), &tell).await.unwrap_err();
    assert!(error.is_database_failure() && error.to_string().contains("No space left on device"), "{error}");
    let told = count_of(&done);
    assert!(told >= 1000, "the disk was full before the first batch was kept: {told}");
    let there: i64 = document_chunks::table.count().get_result(&mut scene.conn).await.unwrap();
    assert_eq!(usize::try_from(there).unwrap(), told);

    // With room again, the next run goes on.
    superuser.batch_execute("ALTER TABLE document_chunks SET TABLESPACE pg_default").await.unwrap();
    let rest = load(&scene.db, &scope, &scene.options(), many(), &|_| ()).await.unwrap();
    assert_eq!((rest.unchanged, rest.added), (told / 10, 800 - told / 10));
    superuser.batch_execute(&format!("DROP TABLESPACE {name}")).await.unwrap();
}
