//! Arrows run downward only: a crate, a module or a file may name those below it, never those beside or above.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up; modules of one line may not name each other.
const LAYERS: &[&[&str]] = &[
    &["noun", "unreadable", "words"],
    &["error", "schema"],
    &["config", "id", "model_endpoint"],
    &["sql_types", "db"],
    &["tenancy"],
    &["models"],
    &["conversations"],
    &["embeddings", "jobs", "reranking"],
    &["search", "load", "reembed", "auth"],
    &["indexes", "retention", "transfer"],
    &["doctor"],
];
/// `schema.rs` is generated and needs its SQL types, which know nothing of tables: the one arrow upward.
const GENERATED: (&str, &str) = ("schema", "sql_types");

fn sources(folder: &Path) -> Vec<PathBuf> {
    crate::docs::files(folder, ".rs")
}

fn is_module(root: &Path, name: &str) -> bool {
    root.join(name).is_dir() || root.join(format!("{name}.rs")).is_file()
}

fn may_name(from: &str, to: &str) -> bool {
    if from == to || (from, to) == GENERATED {
        return true;
    }
    let level = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    match (level(from), level(to)) {
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

#[test]
fn no_module_names_one_beside_or_above_it() {
    let root = crate::repository().join("src");
    let (mut seen, mut upward) = (0, Vec::new());
    for path in sources(&root) {
        let below = path.strip_prefix(&root).unwrap();
        let from = below.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if from == "lib" {
            continue;
        }
        let named = crate::rings::first_modules(below, &fs::read_to_string(&path).unwrap());
        // The rest are items of the root and macros.
        for to in named.into_iter().filter(|name| is_module(&root, name)) {
            seen += 1;
            if !may_name(&from, &to) {
                upward.push(format!("{} names crate::{to}", below.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} names were found: the test looks in the wrong place");
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn every_layer_exists() {
    let root = crate::repository().join("src");
    let missing: Vec<&&str> = LAYERS.iter().copied().flatten().filter(|name| !is_module(&root, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn modules_are_named_in_a_way_that_these_tests_see() {
    for path in all_sources() {
        let source = fs::read_to_string(&path).unwrap();
        for hidden in ["crate::{", "super::super::"] {
            assert!(!source.contains(hidden), "{} in {}: name each module by its path", hidden, path.display());
        }
    }
}

#[test]
fn the_command_line_prints_in_one_place() {
    let root = crate::repository().join("crates/cli/src");
    for path in sources(&root).into_iter().filter(|path| !path.ends_with("output.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for way in ["print!(", "println!(", "dbg!(", ".set_message(", "stdout()", "io::stderr"] {
            let remedy = "print by output.rs, which escapes what acts on terminals";
            assert!(!text.contains(way), "{way} in {}: {remedy}", path.display());
        }
    }
}

#[test]
fn a_file_is_short_enough_to_be_read() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .filter(|path| !path.ends_with("schema.rs"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > 420)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn the_crates_around_the_library_use_its_public_api_alone() {
    for (name, manifest) in crates() {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(name == "cli" || !text.contains("anyhow"), "anyhow lives in the command line alone, not in {name}");
        for path in sources(&manifest.parent().unwrap().join("src")) {
            let source = fs::read_to_string(&path).unwrap();
            assert!(!source.contains("__private"), "{} uses what macros expand to", path.display());
        }
    }
}

#[test]
fn no_crate_depends_on_one_beside_or_above_it() {
    const ORDER: &[&[&str]] =
        &[&["embedded"], &["adopt", "ingest", "static_embeddings", "studio", "testing"], &["cli"]];
    let level = |name: &str| ORDER.iter().position(|level| level.contains(&name)).expect(name);
    for (name, manifest) in crates() {
        let text = fs::read_to_string(manifest).unwrap();
        let normal = text.split("[dev-dependencies]").next().unwrap();
        for other in normal.lines().filter_map(|line| line.strip_prefix("workspace-db-")) {
            let other = other[..other.find(['.', ' ']).unwrap()].replace('-', "_");
            assert!(level(&other) < level(&name), "{name} depends on {other}");
        }
    }
}

/// The name and the manifest of each crate around the library.
fn crates() -> Vec<(String, PathBuf)> {
    let found = fs::read_dir(crate::repository().join("crates")).unwrap().map(|folder| folder.unwrap());
    let found: Vec<_> =
        found.map(|folder| (folder.file_name().into_string().unwrap(), folder.path().join("Cargo.toml"))).collect();
    assert!(found.len() >= 6, "{found:?}");
    found
}

/// The sources of the library and of the crates around it.
fn all_sources() -> Vec<PathBuf> {
    source_folders().iter().flat_map(|folder| sources(folder)).collect()
}

/// The folder of sources of each crate.
pub(crate) fn source_folders() -> Vec<PathBuf> {
    let mut folders = vec![crate::repository().join("src")];
    folders.extend(crates().iter().map(|(_, manifest)| manifest.with_file_name("src")));
    folders
}
