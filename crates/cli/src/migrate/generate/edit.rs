//! Edits of existing source files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Inserts a line once before the closing brace of the block that begins with `opening`. If the lines of the block are
/// sorted, it inserts the line in alphabetical order.
pub(super) fn into_block(text: &str, opening: &str, lines: &str) -> Result<String> {
    if text.contains(lines.trim()) {
        return Ok(text.to_owned());
    }
    let begins =
        text.find(&format!("\n{opening}")).with_context(|| format!("there is no `{opening}`"))? + 1 + opening.len();
    let (before, rest) = text.split_at_checked(begins).context("the block is incomplete")?;
    let ends = rest.find("\n}").context("the block has no end")? + 1;
    let (block, after) = rest.split_at_checked(ends).context("the block has no end")?;
    let is_before = |line: &str| line.trim_start() > lines.trim_start();
    // A comment belongs to the line after it, so a block with comments grows at its end.
    let at = if block.contains("//") {
        None
    } else {
        block
            .split_inclusive('\n')
            .scan(0, |at, line| {
                let from = *at;
                *at += line.len();
                Some((from, line))
            })
            .find(|(_, line)| is_before(line))
            .map(|(at, _)| at)
    };
    let (first, second) = block.split_at_checked(at.unwrap_or(block.len())).context("the block has no end")?;
    Ok(format!("{before}{first}{lines}\n{second}{after}"))
}

/// Adds a name to `use path::{...};` in alphabetical order; rustfmt breaks the lines.
pub(super) fn into_import(text: &str, opening: &str, name: &str) -> Result<String> {
    let begins = text.find(opening).with_context(|| format!("there is no `{opening}`"))? + opening.len();
    let (before, rest) = text.split_at_checked(begins).context("the import is incomplete")?;
    let (names, after) = rest.split_once('}').context("the import has no end")?;
    let mut all: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).chain([name]).collect();
    all.sort_unstable();
    all.dedup();
    Ok(format!("{before}{}}}{after}", all.join(", ")))
}

/// Changes a file and formats it with rustfmt. A missing file starts with the content `new`.
pub(super) fn file(path: &Path, new: &str, change: impl FnOnce(String) -> Result<String>) -> Result<()> {
    let text = if path.exists() { fs::read_to_string(path)? } else { new.to_owned() };
    let text = change(text).with_context(|| path.display().to_string())?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    // Without rustfmt the file is correct and has longer lines.
    let _ = std::process::Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=120,use_small_heuristics=Max"])
        .arg(path)
        .output();
    Ok(())
}

/// Appends an empty block if the text has none.
pub(super) fn with_block(text: String, opening: &str) -> String {
    if text.contains(&format!("\n{opening}")) { text } else { format!("{text}\n{opening}\n}}\n") }
}
