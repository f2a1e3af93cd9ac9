//! Splitting of texts into passages, at headings of Markdown, items of source code and paragraphs of other texts.
//!
//! Each text is searched once for the places at which it may be cut, and once for its tokens. So the time grows only with
//! the length of the text. It does not depend on the nesting, the length of the lines or the characters. If a parser takes
//! too long, the text is split as plain text.

mod code;
mod cuts;
mod markdown;

use std::ops::Range;
use std::path::Path;

use tiktoken_rs::cl100k_base_singleton;

use self::cuts::{LINE, Piece, SENTENCE, pieces};
pub(super) use self::markdown::{is_too_deep, options as markdown_options};

/// Length from which a passage ends at the best place, in tokens of `cl100k_base`.
pub const MIN_TOKENS: usize = 500;
/// Maximum length of a passage, in tokens.
pub const MAX_TOKENS: usize = 1000;
/// Default of the maximum part of a passage that the next one repeats, in tokens. Nothing is repeated if the next one begins
/// with a heading, an item or a paragraph.
pub const OVERLAP_TOKENS: usize = 80;

/// Maximum number of bytes, with those between them, up to which two passages are considered for a join.
const MAX_BYTES: usize = 32 * MAX_TOKENS;

/// Version of the splitter. Raise it if the splitter gives other passages for a text, so that the next run replaces them.
const SPLITTER_VERSION: u32 = 2;

/// Passage of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The passage.
    pub text: String,
    /// Its length in tokens of `cl100k_base`.
    pub tokens: usize,
}

/// Returns everything that a document's chunks depend on in addition to its text.
pub(super) fn pipeline(model: &str, overlap_tokens: usize) -> String {
    match overlap_tokens {
        OVERLAP_TOKENS => format!("split-v{SPLITTER_VERSION} {model}"),
        other => format!("split-v{SPLITTER_VERSION} overlap-{other} {model}"),
    }
}

/// Returns the passages of a text, in order, each of at most [`MAX_TOKENS`]. The extension of `path` selects the structure:
/// Markdown, a programming language, or paragraphs. A passage repeats at most `overlap_tokens` of the previous one, and
/// never more than half of [`MIN_TOKENS`].
///
/// ```
/// use workspace_db_ingest::{OVERLAP_TOKENS, split};
///
/// let chunks = split("notes.md".as_ref(), "# One\n\nA paragraph.\n", OVERLAP_TOKENS);
/// assert_eq!(chunks[0].text, "# One\n\nA paragraph.");
/// ```
#[must_use]
pub fn split(path: &Path, text: &str, overlap_tokens: usize) -> Vec<Chunk> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let structure = match extension.as_str() {
        "md" | "markdown" | "mdx" => markdown::structure(text),
        extension => code::structure(extension, text),
    };
    joined(text, passages(text, &pieces(text, structure), overlap_tokens.min(MIN_TOKENS / 2)))
}

fn tokens(text: &str) -> usize {
    // White space has few tokens, and searching for them uses much of the stack in the tokenizer's regex.
    if text.trim().is_empty() {
        // Many blanks and line feeds make one token; each character of other white space may be two.
        return text.len().div_ceil(16) + 2 * text.chars().filter(|c| !matches!(c, ' ' | '\n')).count();
    }
    cl100k_base_singleton().encode_ordinary(text).len()
}

/// Returns the passages. Each ends at the best of the places at which it is long enough and not too long. Of equally good
/// places, it ends at the first.
fn passages(text: &str, pieces: &[Piece], overlap: usize) -> Vec<Range<usize>> {
    let lengths: Vec<usize> =
        pieces.iter().map(|piece| tokens(text.get(piece.range.clone()).unwrap_or_default())).collect();
    let length = |at: usize| lengths.get(at).copied().unwrap_or_default();
    let place = |at: usize| pieces.get(at).map_or((text.len(), 0), |piece| (piece.range.start, piece.rank));
    let (mut found, mut start) = (Vec::new(), 0);
    while start < pieces.len() {
        let (mut at, mut sum, mut best) = (start, 0, None);
        while at < pieces.len() && (at == start || sum + length(at) <= MAX_TOKENS) {
            sum += length(at);
            at += 1;
            let (_, rank) = place(at);
            if sum >= MIN_TOKENS && at < pieces.len() && best.is_none_or(|(best, _)| rank < best) {
                best = Some((rank, at));
            }
        }
        let end = if at == pieces.len() { at } else { best.map_or(at, |(_, at)| at) };
        found.push(place(start).0..place(end).0);
        start = if end == pieces.len() { end } else { overlapping(start, end, overlap, &length, &|at| place(at).1) };
    }
    found
}

/// Returns the beginning of the next passage: within the last one, at a line or a sentence, if they overlap.
fn overlapping(
    start: usize,
    end: usize,
    overlap: usize,
    length: &dyn Fn(usize) -> usize,
    rank: &dyn Fn(usize) -> u8,
) -> usize {
    let (mut at, mut sum, mut begin) = (end, 0, end);
    while rank(end) >= LINE && at > start + 1 && sum + length(at - 1) <= overlap {
        at -= 1;
        sum += length(at);
        if rank(at) <= SENTENCE {
            begin = at;
        }
    }
    begin
}

/// Joins a short passage with its neighbour if both fit. The rest of a section may be a few words, and a vector of five
/// words is near to everything that has one of them.
fn joined(text: &str, passages: Vec<Range<usize>>) -> Vec<Chunk> {
    let mut chunks: Vec<(Range<usize>, Chunk)> = Vec::with_capacity(passages.len());
    for range in passages {
        let Some(chunk) = chunk_of(text, &range) else { continue };
        if let Some((last_range, last)) = chunks.last_mut()
            && (last.tokens < MIN_TOKENS || chunk.tokens < MIN_TOKENS)
            && let both = (last_range.start..range.end)
            && both.len() <= MAX_BYTES
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

/// Returns the passage, or none if it has nothing that a query could find, such as a ruler of dashes.
fn chunk_of(text: &str, range: &Range<usize>) -> Option<Chunk> {
    let passage = text.get(range.clone()).filter(|passage| passage.contains(char::is_alphanumeric))?;
    let passage = passage.trim_end().trim_start_matches(['\n', '\r']);
    Some(Chunk { text: passage.to_owned(), tokens: tokens(passage) })
}
