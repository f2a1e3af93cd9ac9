//! Edits of existing source files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Inserts lines once before the closing brace of the macro's first block, which is `{ ... }` after `name!`, with any path
/// before it. If the lines of the block are sorted, it inserts the line in alphabetical order.
pub(super) fn into_block(text: &str, opening: &str, lines: &str) -> Result<String> {
    let is_there = if lines.contains('\n') {
        text.contains(lines.trim())
    } else {
        text.lines().any(|line| line.trim() == lines.trim())
    };
    if is_there {
        return Ok(text.to_owned());
    }
    let begins = block(text, opening).with_context(|| format!("there is no `{opening}`"))?;
    let (before, rest) = text.split_at_checked(begins).context("the block is incomplete")?;
    let ends = closing_brace(rest).with_context(|| format!("`{opening}` has no end"))?;
    let (content, after) = rest.split_at_checked(ends).context("the block has no end")?;
    // An entry on the line of a brace gets a line of its own, and the last one its comma.
    let mut content = content.trim_end().to_owned();
    if !content.is_empty() && !content.ends_with([',', ';', '}', '\n']) {
        content.push(',');
    }
    if !content.starts_with('\n') && !content.is_empty() {
        content = format!("\n    {}", content.trim_start());
    }
    content.push('\n');
    let is_before = |line: &str| !line.trim().is_empty() && line.trim_start() > lines.trim_start();
    // A comment belongs to the line after it, so a block with comments grows at its end.
    let at = if content.contains("//") {
        None
    } else {
        content
            .split_inclusive('\n')
            .scan(0, |at, line| {
                let from = *at;
                *at += line.len();
                Some((from, line))
            })
            .find(|(_, line)| is_before(line))
            .map(|(at, _)| at)
    };
    let (first, second) = content.split_at_checked(at.unwrap_or(content.len())).context("the block has no end")?;
    Ok(format!("{before}{first}{lines}\n{second}{after}"))
}

/// Returns the position after the opening brace of the first block that begins a line, such as `path::name! {`.
fn block(text: &str, opening: &str) -> Option<usize> {
    let name = opening.trim_end_matches('{').trim_end();
    let name = name.rsplit("::").next().unwrap_or(name);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let path = trimmed.split('!').next().unwrap_or_default();
        let macro_name = path.rsplit("::").next().unwrap_or_default();
        let rest = trimmed.strip_prefix(path).unwrap_or_default();
        if format!("{macro_name}!") == name && rest.trim_start_matches('!').trim_start().starts_with('{') {
            return line.find('{').map(|brace| at + brace + 1);
        }
        at += line.len();
    }
    None
}

/// Returns the position of the brace that closes a block, whose content begins here.
fn closing_brace(content: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in content.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
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
    if block(&text, opening).is_some() { text } else { format!("{text}\n{opening}\n}}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gets_into_a_block_that_a_person_wrote() {
        let opening = "workspace_db::tenant_tables! {";
        let insert = |text: &str| into_block(&with_block(text.to_owned(), opening), opening, "    b: BId,").unwrap();
        assert_eq!(insert("x();\n"), "x();\n\nworkspace_db::tenant_tables! {\n    b: BId,\n}\n");
        assert_eq!(insert("tenant_tables! { a: AId }\n"), "tenant_tables! {\n    a: AId,\n    b: BId,\n}\n");
        assert_eq!(insert("tenant_tables!{\n    c: CId\n}\n"), "tenant_tables!{\n    b: BId,\n    c: CId,\n}\n");
        assert_eq!(insert("tenant_tables! {\n    b: BId,\n}\n"), "tenant_tables! {\n    b: BId,\n}\n");
        let relation =
            |text: &str| into_block(text, "workspace_db::relations! {", "    tags.id => documents;").unwrap();
        assert_eq!(
            relation("workspace_db::relations! {\n    document_tags.id => documents;\n}\n"),
            "workspace_db::relations! {\n    document_tags.id => documents;\n    tags.id => documents;\n}\n"
        );
    }
}
