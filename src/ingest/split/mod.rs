//! Texts into passages, at their structure: headings of Markdown, items of source, paragraphs of everything else.
//!
//! Each text is gone over once for the places where it may be cut, and once for its tokens, so that time grows with its
//! length and with nothing else: not with how deep it is nested, how long its lines are, or what they are made of. Where a
//! parser needs too long, the text is cut as a plain one.

mod code;
mod cuts;
mod markdown;

use std::ops::Range;
use std::path::Path;

use tiktoken_rs::cl100k_base_singleton;

use self::cuts::{LINE, Piece, SENTENCE, pieces};
pub(super) use self::markdown::{is_too_deep, options as markdown_options};

/// A passage is closed at the best place from here on, in tokens of `cl100k_base`.
pub const MIN_TOKENS: usize = 500;
/// No passage is longer, in tokens.
pub const MAX_TOKENS: usize = 1000;
/// At most so much of a passage stands at the beginning of the next one again, in tokens; nothing does where the next one
/// begins with a heading or an item of its own.
pub const OVERLAP_TOKENS: usize = 80;

/// Bytes between two short passages and in them, up to which they are looked at as one.
const MOST_BYTES: usize = 32 * MAX_TOKENS;

/// Raised when the splitter gives other passages for the same text, so that the next run replaces them.
const SPLITTER_VERSION: u32 = 2;

/// A passage.
pub(super) struct Chunk {
    pub(super) text: String,
    pub(super) tokens: usize,
}

/// What a document's chunks depend on besides its text.
pub(super) fn pipeline(model: &str) -> String {
    format!("split-v{SPLITTER_VERSION} {model}")
}

/// The passages of a text, in order; `path` tells its language.
pub(super) fn split(path: &Path, text: &str) -> Vec<Chunk> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let structure = match extension.as_str() {
        "md" | "markdown" | "mdx" => markdown::structure(text),
        extension => code::structure(extension, text),
    };
    joined(text, passages(text, &pieces(text, structure)))
}

fn tokens(text: &str) -> usize {
    // A run of white space has few tokens, and looking for them costs the stack of the tokenizer's regex.
    if text.trim().is_empty() {
        // Of blanks and line feeds many are one token; any other kind of white space may be two each.
        return text.len().div_ceil(16) + 2 * text.chars().filter(|c| !matches!(c, ' ' | '\n')).count();
    }
    cl100k_base_singleton().encode_ordinary(text).len()
}

/// From each beginning up to the best of the places at which the passage would be long enough and not too long; of equally
/// good ones the first.
fn passages(text: &str, pieces: &[Piece]) -> Vec<Range<usize>> {
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
        start = if end == pieces.len() { end } else { overlapping(start, end, &length, &|at| place(at).1) };
    }
    found
}

/// Where the next passage begins: within the last one, at a line or a sentence, unless it begins with something of its own.
fn overlapping(start: usize, end: usize, length: &dyn Fn(usize) -> usize, rank: &dyn Fn(usize) -> u8) -> usize {
    let (mut at, mut sum, mut begin) = (end, 0, end);
    while rank(end) >= LINE && at > start + 1 && sum + length(at - 1) <= OVERLAP_TOKENS {
        at -= 1;
        sum += length(at);
        if rank(at) <= SENTENCE {
            begin = at;
        }
    }
    begin
}

/// Joins a short passage with its neighbour where both fit: what is left at the end of a section may be a few words, and a
/// vector of five words is near to everything that has one of them.
fn joined(text: &str, passages: Vec<Range<usize>>) -> Vec<Chunk> {
    let mut chunks: Vec<(Range<usize>, Chunk)> = Vec::with_capacity(passages.len());
    for range in passages {
        let Some(chunk) = chunk_of(text, &range) else { continue };
        if let Some((last_range, last)) = chunks.last_mut()
            && (last.tokens < MIN_TOKENS || chunk.tokens < MIN_TOKENS)
            && let both = (last_range.start..range.end)
            && both.len() <= MOST_BYTES
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
    let passage = passage.trim_end().trim_start_matches(['\n', '\r']);
    Some(Chunk { text: passage.to_owned(), tokens: tokens(passage) })
}
