//! Tests of the documents: links lead to files, named tests exist, and the first pages are short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// Returns every file below a folder whose name ends with `ending`. Skips the folders of builds and downloads.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
                found.extend(files(&entry.path(), ending));
            }
        } else if name.ends_with(ending) {
            found.push(entry.path());
        }
    }
    found
}

/// Returns the targets of `[text](target)`, except in code.
fn links(text: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Parser, Tag};
    Parser::new(text)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let documents = files(repository(), ".md");
    assert!(documents.len() > 30, "{}", documents.len());
    let mut broken = Vec::new();
    for document in documents {
        for link in links(&fs::read_to_string(&document).unwrap()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !document.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {link}", document.strip_prefix(repository()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_tests_of_the_invariants_exist() {
    let mut names = BTreeSet::new();
    for file in files(&repository().join("tests"), ".rs") {
        names.insert(file.file_stem().unwrap().to_str().unwrap().to_owned());
        names.insert(file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned());
        for line in fs::read_to_string(&file).unwrap().lines() {
            let Some((_, rest)) = line.split_once("fn ") else { continue };
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    let text = fs::read_to_string(repository().join("docs/invariants.md")).unwrap();
    let is_name = |span: &&str| {
        (span.contains("::") || span.matches('_').count() > 2)
            && span.chars().all(|c| c.is_alphanumeric() || "_:".contains(c))
    };
    let spans: Vec<&str> = text.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(spans.len() > 60, "{}", spans.len());
    let not_there: Vec<&str> = spans
        .into_iter()
        .filter(|span| {
            let last = span.rsplit("::").next().unwrap();
            !names.contains(last) && !repository().join(format!("tests/ui/fail/{last}.rs")).exists()
        })
        .collect();
    assert!(not_there.is_empty(), "{not_there:#?}");
}

#[test]
fn what_a_stranger_reads_first_is_short() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    assert!(read("README.md").lines().count() <= 150);
    assert!(read("ARCHITECTURE.md").len() <= 15_000);
}

/// README.md and the first page of the documentation show what `workspace-db init` writes.
#[test]
fn the_dependencies_are_those_that_init_writes() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let block = read("crates/cli/src/init/template/dependencies.toml");
    assert!(read("README.md").contains(&block), "{block}");
    let in_docs: String = block.lines().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    assert!(read("src/lib.rs").contains(&in_docs), "{in_docs}");
}
