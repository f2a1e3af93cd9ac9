//! Texts into passages, at their structure: headings of Markdown, items of source, paragraphs of everything else.

use std::ops::Range;
use std::path::Path;

use text_splitter::{ChunkConfig, CodeSplitter, MarkdownSplitter, TextSplitter};
use tiktoken_rs::{CoreBPE, cl100k_base_singleton};
use tree_sitter_language::LanguageFn;

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
        let passages = match extension.as_str() {
            "md" | "markdown" | "mdx" => ranges(self.markdown.chunk_indices(text)),
            "rs" => self.code(tree_sitter_rust::LANGUAGE, text),
            "py" | "pyi" => self.code(tree_sitter_python::LANGUAGE, text),
            "go" => self.code(tree_sitter_go::LANGUAGE, text),
            "ts" | "mts" | "cts" => self.code(tree_sitter_typescript::LANGUAGE_TYPESCRIPT, text),
            // The grammar of TSX takes JavaScript as well.
            "tsx" | "jsx" | "js" | "mjs" | "cjs" => self.code(tree_sitter_typescript::LANGUAGE_TSX, text),
            _ => ranges(self.plain.chunk_indices(text)),
        };
        joined(text, passages)
    }

    fn code(&self, language: LanguageFn, text: &str) -> Vec<Range<usize>> {
        match CodeSplitter::new(language, config()) {
            Ok(splitter) => ranges(splitter.chunk_indices(text)),
            // A grammar of an ABI that this tree-sitter does not speak: split it as any text.
            Err(_) => ranges(self.plain.chunk_indices(text)),
        }
    }
}

fn ranges<'text>(passages: impl Iterator<Item = (usize, &'text str)>) -> Vec<Range<usize>> {
    passages.map(|(start, passage)| start..start + passage.len()).collect()
}

/// Joins a short passage with its neighbour where both fit: the splitter leaves the head of a long item on its own, and
/// a vector of five words is near to everything that has one of them.
fn joined(text: &str, passages: Vec<Range<usize>>) -> Vec<Chunk> {
    let mut chunks: Vec<(Range<usize>, Chunk)> = Vec::with_capacity(passages.len());
    for range in passages {
        let Some(chunk) = chunk_of(text, &range) else { continue };
        if let Some((last_range, last)) = chunks.last_mut()
            && (last.tokens < MIN_TOKENS || chunk.tokens < MIN_TOKENS)
            && let both = (last_range.start..range.end)
            && let Some(chunk) = chunk_of(text, &both)
            && chunk.tokens <= MAX_TOKENS
        {
            (*last_range, *last) = (both, chunk);
            continue;
        }
        chunks.push((range, chunk));
    }
    chunks.into_iter().map(|(_, chunk)| chunk).collect()
}

/// The passage, unless it has nothing that a question could find, as a ruler of dashes.
fn chunk_of(text: &str, range: &Range<usize>) -> Option<Chunk> {
    let passage = text.get(range.clone()).filter(|passage| passage.contains(char::is_alphanumeric))?;
    Some(Chunk { text: passage.to_owned(), tokens: cl100k_base_singleton().encode_ordinary(passage).len() })
}
