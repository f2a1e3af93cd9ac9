//! No two files of a crate import each other, directly or around a ring.
//!
//! A file imports another one if it names it, or an item of it, by a path that begins with `crate`, `self`, `super` or
//! a child, wherever that path stands. `mod child;` is no import. A name that a `mod.rs` re-exports belongs to the file that
//! defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path of modules from the root of the crate.
type Module = Vec<String>;

/// The paths that a file names, from the root of the crate, and the names under which `use` brings them in.
struct SourceFile {
    named: Vec<Module>,
    imported: BTreeMap<String, Module>,
}

impl SourceFile {
    fn parse(text: &str, module: &Module) -> Self {
        let mut source = Self { named: Vec::new(), imported: BTreeMap::new() };
        read(text.parse().unwrap(), module, &Vec::new(), &mut source);
        source
    }
}

/// Returns the first part of each path that the file at `path` below a `src` names: the modules at the root of the crate.
pub(crate) fn first_modules(path: &Path, text: &str) -> BTreeSet<String> {
    let named = SourceFile::parse(text, &module_of(path)).named;
    named.into_iter().filter_map(|path| path.into_iter().next()).collect()
}

/// Returns the module of a file below `src`.
fn module_of(file: &Path) -> Module {
    let mut parts: Module = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Collects every path in the tokens. `inline` are the modules within the file around them.
fn read(tokens: TokenStream, file: &Module, inline: &Module, source: &mut SourceFile) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            // `pub(super)` and `pub(in path)` import nothing.
            TokenTree::Ident(ident) if ident == "pub" => at += usize::from(is_group(tokens.get(at + 1))),
            TokenTree::Ident(ident) if ident == "mod" => {
                if let (Some(name), Some(TokenTree::Group(body))) = (word(at + 1), tokens.get(at + 2)) {
                    let within = inline.iter().cloned().chain([name]).collect();
                    read(body.stream(), file, &within, source);
                    at += 2;
                }
            }
            TokenTree::Ident(ident) if is_colons(&tokens, at + 1) && !is_method(&tokens, at) => {
                let module = file.iter().chain(inline).cloned();
                at = match ident.to_string().as_str() {
                    "crate" => tree(&tokens, at + 3, Vec::new(), source),
                    "self" => tree(&tokens, at + 3, module.collect(), source),
                    // A child of this file, if it has one of that name, or `super`.
                    _ => tree(&tokens, at, module.collect(), source),
                };
                continue;
            }
            TokenTree::Group(group) => read(group.stream(), file, inline, source),
            _ => {}
        }
        at += 1;
    }
}

/// Reads the rest of a path, or of a tree of paths in braces, and returns the place after it.
fn tree(tokens: &[TokenTree], mut at: usize, mut path: Module, source: &mut SourceFile) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) if ident == "super" => drop(path.pop()),
            Some(TokenTree::Ident(ident)) if ident == "self" => {}
            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut within = 0;
                while within < inner.len() {
                    within = tree(&inner, within, path.clone(), source) + 1;
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_colons(tokens, at) {
            break;
        }
        at += 2;
    }
    let mut name = path.last().cloned();
    if let (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(alias))) = (tokens.get(at), tokens.get(at + 1))
        && word == "as"
    {
        name = Some(alias.to_string());
        at += 2;
    }
    source.imported.extend(name.map(|name| (name, path.clone())));
    source.named.push(path);
    at
}

fn is_group(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

fn is_method(tokens: &[TokenTree], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| matches!(&tokens[before], TokenTree::Punct(punct) if punct.as_char() == '.'))
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}

/// Returns the file that a path leads to: past the re-exports, to the one that defines the item.
fn target(path: &[String], files: &BTreeMap<Module, SourceFile>, hops: u32) -> Option<Module> {
    let module = (0..=path.len()).rev().map(|length| &path[..length]).find(|module| files.contains_key(*module))?;
    match path.get(module.len()).and_then(|name| files[module].imported.get(name)) {
        Some(of_another) if hops > 0 && of_another != path => target(of_another, files, hops - 1),
        _ => Some(module.to_vec()),
    }
}

/// Returns the files of each ring with what they import within it: those that are left after every file is taken away
/// that imports none of the rest, or that none of the rest imports.
fn rings(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let files: BTreeMap<Module, SourceFile> =
        sources.iter().map(|(module, text)| (module.clone(), SourceFile::parse(text, module))).collect();
    let mut arrows: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, source) in &files {
        let to = source.named.iter().filter_map(|path| target(path, &files, 9)).filter(|to| to != module);
        arrows.insert(module, to.collect());
    }
    loop {
        let imported: BTreeSet<Module> = arrows.values().flatten().cloned().collect();
        let left: BTreeSet<Module> = arrows
            .iter()
            .filter(|(from, to)| !to.is_empty() && imported.contains(**from))
            .map(|(from, _)| (*from).clone())
            .collect();
        if left.len() == arrows.len() {
            break;
        }
        arrows.retain(|from, _| left.contains(*from));
        for to in arrows.values_mut() {
            to.retain(|to| left.contains(to));
        }
    }
    let name = |module: &Module| module.join("::");
    arrows
        .iter()
        .map(|(from, to)| format!("{} -> {}", name(from), to.iter().map(name).collect::<Vec<_>>().join(", ")))
        .collect()
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let mut files = 0;
    for root in crate::layers::source_folders() {
        let sources: BTreeMap<Module, String> = crate::docs::files(&root, ".rs")
            .into_iter()
            .map(|path| (module_of(path.strip_prefix(&root).unwrap()), fs::read_to_string(&path).unwrap()))
            .collect();
        files += sources.len();
        let rings = rings(&sources);
        assert!(rings.is_empty(), "{}: {rings:#?}", root.display());
    }
    assert!(files > 250, "only {files} files were found: the test looks in the wrong place");
}

#[test]
fn a_ring_is_found_in_whatever_way_a_file_names_another() {
    let ring = |files: &[(&str, &str)]| {
        let module = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        rings(&files.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect())
    };
    for back in [
        "use super::a;",
        "use super::a::A;",
        "pub(crate) use crate::a::{self as other, A};",
        "use super::{a::{A as C}};",
        "fn f(x: &crate::a::A) {}",
        "fn f() { html! { (super::a::text()) } }",
        "mod tests { use super::super::a::A; }",
        "use super::A;",
    ] {
        let files = [("", "mod a; mod b; use self::a::A;"), ("a", "use super::b::B;"), ("b", back)];
        assert_eq!(ring(&files), ["a -> b", "b -> a"], "{back}");
    }
    let child = [("p", "mod c; fn f() { c::g() }"), ("p::c", "use super::P;")];
    assert_eq!(ring(&child), ["p -> p::c", "p::c -> p"]);
    let around = [("a", "use crate::b::B;"), ("b", "use crate::c::C;"), ("c", "use crate::a::A;")];
    assert_eq!(ring(&around).len(), 3);
    for no_import in
        ["pub(in super::a) fn f() {}", "/// [`A`](super::a::A)\nfn f() {}", "mod c { use super::B; }", "use a::A;"]
    {
        assert_eq!(ring(&[("a", "use super::b::B;"), ("b", no_import)]), [""; 0], "{no_import}");
    }
}
