//! A disk that is small enough to run full.

use std::path::PathBuf;
use std::process::Command;

use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};

use crate::folder::Folder;

/// A file system of so many megabytes in memory, where this account may mount one.
pub(crate) struct SmallDisk {
    path: PathBuf,
    _folder: Folder,
}

impl SmallDisk {
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = Folder::new();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m,mode=0777");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self { path, _folder: folder })
    }

    /// A tablespace on it, by the name.
    pub(crate) async fn make_tablespace(&self, superuser: &mut AsyncPgConnection, name: &str) {
        // The server runs as another account than root, and wants the folder to be its own.
        let folder = self.path.join("tablespace");
        std::fs::create_dir(&folder).unwrap();
        let data: String =
            diesel::select(sql::<Text>("current_setting('data_directory')")).get_result(superuser).await.unwrap();
        let like = format!("--reference={data}");
        assert!(Command::new("chown").arg(like).arg(&folder).status().unwrap().success());
        superuser.batch_execute(&format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display())).await.unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since the server may not have closed its last file yet.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
