//! Texts into passages, at their structure: headings of Markdown, items of source, paragraphs of everything else.

use std::path::Path;

use text_splitter::{ChunkConfig, CodeSplitter, MarkdownSplitter, TextSplitter};
use tiktoken_rs::{CoreBPE, cl100k_base_singleton};

/// A passage is closed at the first good place from here on, in tokens of `cl100k_base`.
pub const MIN_TOKENS: usize = 500;
/// No passage is longer, in tokens.
pub const MAX_TOKENS: usize = 1000;
/// At most so much of a passage stands at the beginning of the next one again, in tokens.
pub const OVERLAP_TOKENS: usize = 80;

/// Raised when the splitter gives other passages for the same text, so that the next run replaces them.
const SPLITTER_VERSION: u32 = 1;

/// A passage.
pub(super) struct Chunk {
    pub(super) text: String,
    pub(super) tokens: usize,
}

/// What a document's chunks depend on besides its text.
pub(super) fn pipeline(model: &str) -> String {
    format!("split-v{SPLITTER_VERSION} {model}")
}

fn config() -> ChunkConfig<&'static CoreBPE> {
    let config = ChunkConfig::new(MIN_TOKENS..MAX_TOKENS).with_sizer(cl100k_base_singleton());
    // The constants above leave the overlap below the capacity, which is all that can be refused.
    config.with_overlap(OVERLAP_TOKENS).unwrap_or_else(|error| unreachable!("{error}"))
}

pub(super) struct Splitter {
    plain: TextSplitter<&'static CoreBPE>,
    markdown: MarkdownSplitter<&'static CoreBPE>,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self { plain: TextSplitter::new(config()), markdown: MarkdownSplitter::new(config()) }
    }

    /// The passages of a text, in order; `path` tells its language.
    pub(super) fn split(&self, path: &Path, text: &str) -> Vec<Chunk> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let passages: Vec<&str> = match extension.as_str() {
            "md" | "markdown" | "mdx" => self.markdown.chunks(text).collect(),
            "rs" => self.code(tree_sitter_rust::LANGUAGE, text),
            "py" | "pyi" => self.code(tree_sitter_python::LANGUAGE, text),
            "go" => self.code(tree_sitter_go::LANGUAGE, text),
            "ts" | "mts" | "cts" => self.code(tree_sitter_typescript::LANGUAGE_TYPESCRIPT, text),
            // The grammar of TSX takes JavaScript as well.
            "tsx" | "jsx" | "js" | "mjs" | "cjs" => self.code(tree_sitter_typescript::LANGUAGE_TSX, text),
            _ => self.plain.chunks(text).collect(),
        };
        passages
            .into_iter()
            .map(|passage| Chunk {
                text: passage.to_owned(),
                tokens: cl100k_base_singleton().encode_ordinary(passage).len(),
            })
            .collect()
    }

    fn code<'text>(&self, language: tree_sitter_language::LanguageFn, text: &'text str) -> Vec<&'text str> {
        match CodeSplitter::new(language, config()) {
            Ok(splitter) => splitter.chunks(text).collect(),
            // A grammar of an ABI that this tree-sitter does not speak: split it as any text.
            Err(_) => self.plain.chunks(text).collect(),
        }
    }
}
