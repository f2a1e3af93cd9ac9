//! `workspace-db init` in crates of several kinds. `.ci/run` builds and tests what it writes.

use std::fs;

use crate::cli::Shell;

const MANIFEST: &str = "[package]\nname = \"my-service\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n";

fn files(shell: &Shell, folder: &str) -> Vec<(String, String)> {
    let root = shell.path(folder);
    let mut found: Vec<(String, String)> = crate::docs::files(&root, "")
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn a_crate_gets_what_it_lacks_and_a_second_run_changes_nothing() {
    let shell = Shell::new();
    let write = |file: &str, text: &str| {
        let path = shell.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("crate/Cargo.toml", &format!("{MANIFEST}# Of the first day.\ntokio = \"1.40\"\n"));
    write(
        "crate/src/lib.rs",
        "// A head.\n\n//! A service.\n\n#![forbid(unsafe_code)]\n\npub(crate) mod schema;\n\npub fn run() {}\n",
    );
    write("crate/diesel.toml", "# mine\n");
    let report = shell.json(&["init", "crate"]);
    assert_eq!(report["kept"], serde_json::json!(["diesel.toml"]));
    let after = files(&shell, "crate");
    let names: Vec<&str> =
        after.iter().map(|(name, _)| name.as_str()).filter(|name| !name.contains("_create_notes")).collect();
    assert_eq!(
        names,
        [
            "Cargo.toml",
            "diesel.toml",
            "src/lib.rs",
            "src/models/mod.rs",
            "src/models/notes.rs",
            "src/registry.rs",
            "src/schema.rs",
            "tests/isolation.rs"
        ]
    );
    let of = |name: &str| after.iter().find(|(one, _)| one == name).map(|(_, text)| text.as_str()).unwrap();
    let manifest = of("Cargo.toml");
    assert!(
        manifest.contains("# Of the first day.\ntokio = \"1.40\"\n") && !manifest.contains("rt-multi-thread"),
        "{manifest}"
    );
    let block = fs::read_to_string(crate::repository().join("crates/cli/src/init/template/dependencies.toml")).unwrap();
    for line in block.lines().filter(|line| !line.starts_with("tokio")) {
        assert!(manifest.lines().any(|one| one == line), "{line:?} is not in {manifest}");
    }
    assert!(manifest.contains("[dev-dependencies]\nworkspace-db-testing = "), "{manifest}");
    assert_eq!(
        of("src/lib.rs"),
        "// A head.\n\n//! A service.\n\n#![forbid(unsafe_code)]\n\npub(crate) mod schema;\n\npub fn run() {}\n\npub mod models;\npub mod registry;\n"
    );
    assert!(of("tests/isolation.rs").contains("use my_service::models::{NewNote, Note};"));
    let again = shell.json(&["init", "crate"]);
    assert_eq!(again["written"], serde_json::json!([]));
    assert_eq!(files(&shell, "crate"), after);
}

#[test]
fn a_folder_without_a_crate_is_refused_and_stays_empty() {
    let shell = Shell::new();
    let error = shell.fails(&["init"], 1);
    assert!(error.contains("cargo new --lib"), "{error}");
    fs::write(shell.path("Cargo.toml"), "[workspace]\nmembers = [\"one\"]\n").unwrap();
    let error = shell.fails(&["init"], 1);
    assert!(error.contains("has no package"), "{error}");
    assert_eq!(files(&shell, ".").len(), 1);
}

#[test]
fn the_path_of_the_library_and_a_name_of_its_own_are_used() {
    let shell = Shell::new();
    fs::create_dir(shell.path("a")).unwrap();
    fs::write(shell.path("a/Cargo.toml"), format!("{MANIFEST}[lib]\nname = \"core_of_it\"\n")).unwrap();
    shell.succeed(&["init", "a", "--library", "../../the \"vendor\"/workspace-db"]);
    let read = |file: &str| fs::read_to_string(shell.path(file)).unwrap();
    assert!(
        read("a/Cargo.toml").contains("../../the \"vendor\"/workspace-db/crates/testing"),
        "{}",
        read("a/Cargo.toml")
    );
    assert!(read("a/tests/isolation.rs").contains("use core_of_it::schema::notes;"));
    assert_eq!(read("a/src/lib.rs"), "pub mod models;\npub mod registry;\npub mod schema;\n");
}
