//! PostgreSQL from the machine's own packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::installation::{InstallSource, Installation, MajorVersion};

/// Folders that contain one folder per major version, in the packages of Debian, Red Hat and Homebrew.
const PARENTS: &[&str] = &["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt"];

/// Variable that skips the machine's own PostgreSQL if it is `off`, to use the same server everywhere.
const SWITCH: &str = "WORKSPACE_DB_SYSTEM_POSTGRES";

/// Returns the newest usable system server, of the requested version if there is one, and the reasons why others were skipped.
pub(super) fn find(requested: Option<MajorVersion>) -> (Option<Installation>, Vec<String>) {
    let mut refused = Vec::new();
    if std::env::var(SWITCH).is_ok_and(|switch| switch == "off") {
        return (None, refused);
    }
    let mut usable = Vec::new();
    for pg_config in candidates() {
        match Installation::of_pg_config(&pg_config, InstallSource::System) {
            Ok(install) if requested.is_none_or(|requested| requested == install.major) => usable.push(install),
            Ok(_) => {}
            Err(reason) => refused.push(reason),
        }
    }
    (usable.into_iter().max_by_key(|install| install.major), refused)
}

fn candidates() -> BTreeSet<PathBuf> {
    let on_path = which::which("pg_config").ok();
    let in_packages = PARENTS.iter().flat_map(|parent| fs::read_dir(parent).into_iter().flatten()).flatten();
    let in_packages = in_packages.map(|entry| entry.path()).filter(|folder| looks_like_postgres(folder));
    in_packages
        .map(|folder| folder.join("bin/pg_config"))
        .chain(on_path)
        .filter(|path| path.is_file())
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}

/// Returns true for `16` on Debian, `pgsql-16` on Red Hat and `postgresql@16` in Homebrew.
fn looks_like_postgres(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let number = name.trim_start_matches("pgsql-").trim_start_matches("postgresql@");
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}
