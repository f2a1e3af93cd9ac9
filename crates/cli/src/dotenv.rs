//! Settings from the file `.env` of the working folder. Settings that name programs are ignored.

use std::fmt::Write as _;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result};

/// Settings that name programs, or a server's files, which name programs.
const NEVER: &[&str] = &["WORKSPACE_DB_CACHE_DIR", "WORKSPACE_DB_DATA_DIR", "WORKSPACE_DB_SYSTEM_POSTGRES"];

/// Sets the variables `WORKSPACE_DB_*` and `DATABASE_*` of `.env` that the environment does not set. Returns warnings.
///
/// The file is ignored if another user owns it, or if another user may write it. An endpoint for embeddings is ignored if
/// the environment has the key, so that a file can't redirect the key.
pub(super) fn load() -> Result<Vec<String>> {
    let broken = "the file .env can't be read";
    let file = match File::open(".env") {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.context(broken)?,
    };
    // The metadata is that of the open file, so the file can't be swapped between check and read.
    let of = file.metadata().context(broken)?;
    if ![0, nix::unistd::geteuid().as_raw()].contains(&of.uid()) || of.mode() & 0o022 != 0 {
        let warning = "the file .env is ignored: another user owns it or may write to it; run `chmod go-w .env`";
        return Ok(vec![warning.to_owned()]);
    }
    let (mut taken, mut warnings) = (String::new(), Vec::new());
    for pair in dotenvy::from_read_iter(file) {
        let (name, value) = pair.context(broken)?;
        if NEVER.contains(&name.as_str()) {
            warnings.push(format!("{name} in .env is ignored: it names programs; set it in the shell"));
        } else if name == "WORKSPACE_DB_EMBEDDINGS_URL" && std::env::var_os("WORKSPACE_DB_EMBEDDINGS_KEY").is_some() {
            warnings.push(format!(
                "{name} in .env is ignored: the API key of the environment is not sent to a URL from a file"
            ));
        } else if name.starts_with("WORKSPACE_DB_") || name.starts_with("DATABASE_") {
            // Writing to a string does not fail.
            let _ = writeln!(taken, "{name}=\"{}\"", escaped(&value));
        }
    }
    dotenvy::from_read(taken.as_bytes()).context(broken)?;
    Ok(warnings)
}

/// Escapes a value for double quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\n', "\\n")
}
