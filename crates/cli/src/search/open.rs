//! Opening of the best hit's file in the user's editor.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use diesel::prelude::*;
use workspace_db::schema::{datasources, documents};
use workspace_db::search::Hit;
use workspace_db::sql_types::DatasourceType;
use workspace_db::tenancy::{InWorkspace as _, OptionalRow as _, WorkspaceConnection};

use crate::error::NotFound;

/// Opens the file of a hit at its line, by `VISUAL` or `EDITOR`, and waits for the editor.
///
/// Only a text editor is started: what a desktop does with a file depends on the file, and its name comes from the database.
pub(super) async fn open(ws: &mut WorkspaceConnection, hit: &Hit) -> Result<()> {
    let path = file(ws, hit).await?;
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let editor = editor.context("no editor is named; set VISUAL or EDITOR")?;
    let words = shlex::split(&editor).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        bail!("{editor:?} is not a command; set VISUAL or EDITOR to one, with its quotes closed")
    };
    let status = Command::new(program).args(arguments).args(place(program, &path, hit.line())).status();
    let status = status.with_context(|| format!("the editor {program} can't be started"))?;
    if status.success() { Ok(()) } else { bail!("the editor {program} ended with {status}") }
}

/// Returns the path of the file that a hit's document was made from.
async fn file(ws: &mut WorkspaceConnection, hit: &Hit) -> Result<PathBuf> {
    let root: Option<Option<String>> = documents::table
        .in_workspace(&ws)
        .inner_join(datasources::table)
        .filter(documents::id.eq(hit.document_id))
        .filter(datasources::type_.eq(DatasourceType::File))
        .select(datasources::config.retrieve_as_text("root").nullable())
        .first(ws)
        .await
        .optional()?;
    let no_file = || NotFound(format!("the document {:?} was not made from a file", hit.title));
    let (root, name) = root.flatten().zip(hit.external_id.as_ref()).ok_or_else(no_file)?;
    let root = PathBuf::from(root);
    // A root that is a file has its own name.
    let path = if root.is_file() { root.clone() } else { root.join(name) };
    let found = path.canonicalize().ok().filter(|found| found.is_file() && found.starts_with(&root));
    found.ok_or_else(|| NotFound(format!("there is no file {} any more", path.display())).into())
}

/// Returns the arguments that open a file at a line, in the form of the editor.
fn place(program: &str, path: &Path, line: Option<u64>) -> Vec<OsString> {
    let editor = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let at_line = |line: u64| {
        let mut place = path.as_os_str().to_owned();
        place.push(format!(":{line}"));
        place
    };
    match (&*editor, line) {
        (_, None) => vec![path.into()],
        ("code" | "codium" | "cursor", Some(line)) => vec!["--goto".into(), at_line(line)],
        ("hx" | "helix" | "subl" | "zed", Some(line)) => vec![at_line(line)],
        // The form of vi, which nano and Emacs have too.
        (_, Some(line)) => vec![format!("+{line}").into(), path.into()],
    }
}
