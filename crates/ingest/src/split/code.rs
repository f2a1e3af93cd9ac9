//! The structure of source code: its items, by their depth.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};
use tree_sitter_language::LanguageFn;

use super::cuts::LineStarts;
use crate::outline::{DEEPEST, Structure};

/// Maximum time of a parser. A file that takes longer is generated or malicious.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns the structure of a file with that extension, if this crate has a grammar for it.
pub(super) fn structure(extension: &str, text: &str) -> Option<Structure> {
    let language: LanguageFn = match extension {
        "rs" => tree_sitter_rust::LANGUAGE,
        "py" | "pyi" => tree_sitter_python::LANGUAGE,
        "go" => tree_sitter_go::LANGUAGE,
        "ts" | "mts" | "cts" => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        // The grammar of TSX also parses JavaScript.
        "tsx" | "jsx" | "js" | "mjs" | "cjs" => tree_sitter_typescript::LANGUAGE_TSX,
        _ => return None,
    };
    Some(items(&parse(language, text)?, &LineStarts::new(text)))
}

fn parse(language: LanguageFn, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    // This tree-sitter may not support the grammar's ABI.
    parser.set_language(&language.into()).ok()?;
    let until = Instant::now() + PATIENCE;
    let mut go_on = |_: &ParseState| {
        if Instant::now() < until { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut read = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    parser.parse_with_options(&mut read, None, Some(ParseOptions::new().progress_callback(&mut go_on)))
}

/// Returns the nodes that begin a line. A node after a comment or an attribute belongs to it.
fn items(tree: &Tree, starts: &LineStarts) -> Structure {
    let mut structure = Structure::new();
    let mut cursor = tree.walk();
    // For each level, true if the previous node belongs to the next one.
    let mut introduced = vec![false];
    loop {
        let node = cursor.node();
        let depth = u8::try_from(introduced.len()).unwrap_or(u8::MAX).min(DEEPEST);
        let follows = introduced.last().copied().unwrap_or_default();
        if let Some(start) = starts.before(node.start_byte()).filter(|_| node.is_named() && !follows) {
            // Of several nodes that begin there, the outermost counts.
            structure.entry(start).or_insert(depth);
        }
        if cursor.goto_first_child() {
            introduced.push(false);
            continue;
        }
        loop {
            let kind = cursor.node().kind();
            let is_about_the_next =
                kind.contains("comment") || kind.contains("attribute") || kind.contains("decorator");
            if cursor.goto_next_sibling() {
                introduced.pop();
                introduced.push(is_about_the_next);
                break;
            }
            if !cursor.goto_parent() {
                return structure;
            }
            introduced.pop();
        }
    }
}
