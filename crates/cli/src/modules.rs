//! The `mod` lines of a crate.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Adds the missing `mod` lines at the end of a crate's root, and creates it if it is missing. Returns false if no line is
/// missing.
pub(super) fn declare(path: &Path, modules: &[&str]) -> Result<bool> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => bail!("can't read {}: {error}", path.display()),
    };
    // A binary has no public API.
    let visibility = if path.ends_with("main.rs") { "" } else { "pub " };
    let missing: Vec<String> = modules
        .iter()
        .filter(|module| !is_declared(&text, module))
        .map(|module| format!("{visibility}mod {module};\n"))
        .collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let follows_modules = text.lines().last().is_some_and(|line| line.contains("mod ") && line.ends_with(';'));
    let gap = if text.is_empty() || follows_modules { "" } else { "\n" };
    fs::write(path, format!("{text}{end}{gap}{}", missing.concat()))
        .with_context(|| format!("can't write {}", path.display()))?;
    Ok(true)
}

/// Returns true if the file declares the module, with any visibility, in a file or in braces. A file that does not parse is
/// read line by line.
fn is_declared(text: &str, module: &str) -> bool {
    match syn::parse_file(text) {
        Ok(file) => file.items.iter().any(|item| matches!(item, syn::Item::Mod(one) if one.ident == module)),
        Err(_) => text.lines().any(|line| line.contains(&format!("mod {module};"))),
    }
}
