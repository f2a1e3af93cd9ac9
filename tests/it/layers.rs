//! Arrows run downward only: a module may name those below it, never those beside or above.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up; modules of one line may not name each other.
const LAYERS: &[&[&str]] = &[
    &["unreadable", "words"],
    &["error", "schema"],
    &["config", "id", "new_file"],
    &["sql_types", "db"],
    &["tenancy"],
    &["models"],
    &["embeddings", "jobs"],
    &["search", "ingest", "load", "reembed", "auth"],
    &["indexes", "retention", "transfer"],
    &["adopt", "doctor"],
    &["studio"],
];
/// What hangs off the side: each may name these.
const ASIDE: &[(&str, &[&str])] = &[
    ("embedded", &["error", "config", "db"]),
    ("testing", &["error", "config", "db", "doctor", "embedded", "id", "models", "schema", "sql_types", "tenancy"]),
];
/// `schema.rs` is generated and needs its SQL types, which know nothing of tables: the one arrow upward.
const GENERATED: (&str, &str) = ("schema", "sql_types");

fn sources(folder: &Path) -> Vec<PathBuf> {
    crate::docs::files(folder, ".rs")
}

/// The modules of this crate that a source names in its code, comments left out.
fn named(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    // A macro of this crate is found by its bare name, wherever it stands.
    let module = |rest: &str| (!rest[end(rest)..].starts_with('!')).then(|| rest[..end(rest)].to_owned());
    let mut modules: BTreeSet<String> = code.split("crate::").skip(1).filter_map(module).collect();
    modules.retain(|module| module.chars().next().is_some_and(char::is_lowercase));
    modules
}

fn may_name(from: &str, to: &str) -> bool {
    if from == to || (from, to) == GENERATED {
        return true;
    }
    if let Some((_, allowed)) = ASIDE.iter().find(|(name, _)| *name == from) {
        return allowed.contains(&to);
    }
    let level = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    match (level(from), level(to)) {
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

#[test]
fn no_module_names_one_beside_or_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut seen, mut isolation_violations) = (0, Vec::new());
    for path in sources(&root) {
        let below = path.strip_prefix(&root).unwrap();
        let from = below.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if matches!(from.as_str(), "lib" | "main" | "cli") {
            continue;
        }
        for to in named(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            if !may_name(&from, &to) {
                isolation_violations.push(format!("{} names crate::{to}", below.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} names were found: the test looks in the wrong place");
    assert!(isolation_violations.is_empty(), "{isolation_violations:#?}");
}

#[test]
fn every_layer_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let exists = |name: &str| root.join(name).is_dir() || root.join(format!("{name}.rs")).is_file();
    let listed: Vec<&str> =
        LAYERS.iter().copied().flatten().copied().chain(ASIDE.iter().map(|(name, _)| *name)).collect();
    let missing: Vec<&&str> = listed.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn modules_are_named_in_a_way_that_these_tests_see() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&path).unwrap();
        for hidden in ["crate::{", "super::super::"] {
            assert!(!source.contains(hidden), "{} in {}: name each module by its path", hidden, path.display());
        }
    }
}

#[test]
fn the_command_line_prints_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<_> = sources(&root)
        .into_iter()
        .filter(|path| !path.ends_with("schema.rs"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > 420)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn the_binary_reaches_the_library_by_its_public_front_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let main = fs::read_to_string(root.join("main.rs")).unwrap();
    assert!(main.lines().count() < 40, "main.rs parses and dispatches, nothing else");
    for path in sources(&root).into_iter().filter(|path| !path.starts_with(root.join("cli"))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("anyhow"), "anyhow lives in the binary alone, not in {}", path.display());
    }
}
