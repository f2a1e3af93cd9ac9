//! The file that identifies the server of a data folder, and its validation.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// `postmaster.pid` of a data folder. The file survives a crash, and a copy of the folder contains it too. Then its process
/// id belongs to another process, or to the server of another folder.
pub(super) struct PidFile<'a> {
    path: PathBuf,
    data: &'a Path,
}

impl<'a> PidFile<'a> {
    pub(super) fn new(data: &'a Path) -> Self {
        Self { path: data.join("postmaster.pid"), data }
    }

    /// Returns a line, counted from 0: process id, data folder, time of start, port, socket's folder, address, key, state.
    pub(super) fn line<T: FromStr>(&self, line: usize) -> Option<T> {
        fs::read_to_string(&self.path).ok()?.lines().nth(line)?.trim().parse().ok()
    }

    /// Returns the process id of this folder's server, if it is alive.
    pub(super) fn process(&self) -> Option<i32> {
        let pid: i32 = self.line(0)?;
        if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
            return None;
        }
        let is_ours = |folder: &Path| {
            fs::canonicalize(folder).is_ok_and(|folder| fs::canonicalize(self.data).is_ok_and(|data| data == folder))
        };
        // A server works in its data folder. If the link of the working folder can't be read, the file is trusted.
        let is_server = match fs::read_link(Path::new("/proc").join(pid.to_string()).join("cwd")) {
            Ok(folder) => is_ours(&folder),
            Err(_) => is_ours(&self.line::<PathBuf>(1)?),
        };
        is_server.then_some(pid)
    }

    /// Returns true while a server starts. Its file may not have a process id yet.
    pub(super) fn is_being_written(&self) -> bool {
        self.path.exists() && (self.line::<i32>(0).is_none() || self.process().is_some())
    }

    /// Removes the file of a server that has ended. PostgreSQL removes it itself, unless another process has the process id.
    pub(super) fn remove_if_stale(&self) -> std::io::Result<()> {
        if self.path.exists() && self.line::<i32>(0).is_some() && self.process().is_none() {
            return fs::remove_file(&self.path);
        }
        Ok(())
    }
}
