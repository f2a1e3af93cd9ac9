//! Edits of existing source files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Inserts lines once before the closing brace of the macro's first block, which is `{ ... }` after `name!`, with any path
/// before it. If the text has no such block, it appends one. If the lines of the block are sorted, it inserts the line in
/// alphabetical order.
pub(super) fn into_block(text: &str, opening: &str, lines: &str) -> Result<String> {
    let is_there = if lines.contains('\n') {
        text.contains(lines.trim())
    } else {
        text.lines().any(|line| line.trim() == lines.trim())
    };
    if is_there {
        return Ok(text.to_owned());
    }
    let Some(begins) = block(text, opening) else { return Ok(format!("{text}\n{opening}\n{lines}\n}}\n")) };
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

/// Adds a name to the import of a module in alphabetical order, or an import before those of the crate. rustfmt breaks the
/// lines.
pub(super) fn into_import(text: &str, module: &str, name: &str) -> String {
    let opening = format!("use {module}::");
    let of_names = |(at, _): &(usize, &str)| text.get(at + opening.len()..).is_some_and(|rest| !rest.starts_with('*'));
    let import = text.match_indices(&opening).find(of_names).and_then(|(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        Some((before, rest.split_once(';')?))
    });
    let Some((before, (import, after))) = import else {
        let line = format!("{opening}{name};\n\n");
        let at = text.find("use crate::").unwrap_or_default();
        return text.split_at_checked(at).map_or_else(String::new, |(before, after)| format!("{before}{line}{after}"));
    };
    let listed = import.strip_prefix(&opening).unwrap_or_default();
    let mut names: Vec<&str> = listed.split(['{', '}', ',']).map(str::trim).filter(|one| !one.is_empty()).collect();
    names.push(name);
    names.sort_unstable();
    names.dedup();
    let names = if let [one] = names[..] { one.to_owned() } else { format!("{{{}}}", names.join(", ")) };
    format!("{before}{opening}{names};{after}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gets_into_a_block_that_a_person_wrote() {
        let opening = "workspace_db::tenant_tables! {";
        let insert = |text: &str| into_block(text, opening, "    b: BId,").unwrap();
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
    #[test]
    fn a_name_gets_into_an_import_of_any_form() {
        let add = |text: &str| into_import(text, "workspace_db::schema", "jobs");
        let own = "use crate::schema::*;\n";
        assert_eq!(add(own), format!("use workspace_db::schema::jobs;\n\n{own}"));
        let one = |names: &str| format!("use workspace_db::schema::{names};\n\n{own}");
        assert_eq!(add(&one("documents")), one("{documents, jobs}"));
        assert_eq!(add(&one("{documents, jobs}")), one("{documents, jobs}"));
        assert_eq!(add(&one("{\n    documents,\n    messages,\n}")), one("{documents, jobs, messages}"));
        let glob = one("*");
        assert_eq!(add(&glob), format!("use workspace_db::schema::*;\n\nuse workspace_db::schema::jobs;\n\n{own}"));
    }
}
