//! Splitting of texts into passages, at headings of markup, items of source code and paragraphs of other texts.
//!
//! Each text is searched once for the places at which it may be cut, and once for its tokens. So the time grows only with
//! the length of the text. It does not depend on the nesting, the length of the lines or the characters. If a parser takes
//! too long, the text is split as plain text.

mod asciidoc;
mod code;
mod cuts;
mod front_matter;
mod inline;
mod lines;
mod markdown;
mod restructured_text;

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};
use tiktoken_rs::cl100k_base_singleton;

use self::cuts::{LINE, Piece, SENTENCE, pieces};
use super::formats::{Converted, Unit, converted, converted_binary, extension};
use super::outline::{Heading, Metadata, Outline, one_line};

/// Default of the length from which a passage ends at the best place, in tokens of `cl100k_base`.
pub const MIN_TOKENS: usize = 150;
/// Default of the maximum length of a passage, in tokens.
pub const MAX_TOKENS: usize = 400;
/// Default of the maximum part of a passage that the next one repeats, in tokens. Nothing is repeated if the next one begins
/// with a heading, an item or a paragraph.
pub const OVERLAP_TOKENS: usize = 40;

/// Longest passage that can be asked for: the limit of the embedding models of OpenAI, in tokens.
const LONGEST_PASSAGE: usize = 8191;
/// Smallest maximum that can be asked for, in tokens.
const SHORTEST_PASSAGE: usize = 50;
/// Maximum number of bytes of a piece, so that a passage can end near the best place.
const LONGEST_PIECE: usize = 400;
/// Maximum number of bytes of a token, on average over a passage that is worth a search.
const BYTES_PER_TOKEN: usize = 32;

/// Version of the splitter and of the formats. Raise it if a text gets other passages, so that the next run replaces them.
const SPLITTER_VERSION: u32 = 6;

/// Sizes of passages, in tokens of `cl100k_base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitOptions {
    /// Length from which a passage ends at the best place.
    pub min_tokens: usize,
    /// Maximum length of a passage.
    pub max_tokens: usize,
    /// Maximum part of a passage that the next one repeats; never more than half of `min_tokens`.
    pub overlap_tokens: usize,
}

impl Default for SplitOptions {
    /// Returns [`MIN_TOKENS`], [`MAX_TOKENS`] and [`OVERLAP_TOKENS`].
    fn default() -> Self {
        Self { min_tokens: MIN_TOKENS, max_tokens: MAX_TOKENS, overlap_tokens: OVERLAP_TOKENS }
    }
}

impl SplitOptions {
    /// Rejects sizes for which there are no passages.
    pub(super) fn check(self) -> workspace_db::Result<()> {
        let (min, max) = (self.min_tokens, self.max_tokens);
        if (1..=max).contains(&min) && (SHORTEST_PASSAGE..=LONGEST_PASSAGE).contains(&max) {
            return Ok(());
        }
        let remedy = format!(
            "use a maximum of {SHORTEST_PASSAGE} to {LONGEST_PASSAGE} tokens, and a minimum from 1 up to the maximum"
        );
        Err(workspace_db::Error::invalid(format!("passages of {min} to {max} tokens can't be made")).remedy(remedy))
    }

    /// Returns the nearest sizes for which there are passages.
    fn possible(self) -> Self {
        let max_tokens = self.max_tokens.clamp(SHORTEST_PASSAGE, LONGEST_PASSAGE);
        Self { max_tokens, min_tokens: self.min_tokens.clamp(1, max_tokens), ..self }
    }

    /// Returns the version of the splitter, with sizes that are not the default.
    pub(super) fn version(self) -> String {
        let Self { min_tokens, max_tokens, overlap_tokens } = self;
        if self == Self::default() {
            return format!("split-v{SPLITTER_VERSION}");
        }
        format!("split-v{SPLITTER_VERSION} {min_tokens}-{max_tokens} overlap-{overlap_tokens}")
    }
}

/// Passage of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The passage.
    pub text: String,
    /// Its length in tokens of `cl100k_base`.
    pub tokens: usize,
    /// Headings above its beginning, the outermost first. A heading with which the passage begins is the last.
    pub headings: Vec<String>,
    /// First and last line in the text, from 1; cells of a notebook, or paragraphs of a document.
    pub lines: (usize, usize),
    /// Unit of `lines`.
    pub unit: Unit,
    /// Bytes in the text; none if its format was converted.
    pub bytes: Option<Range<usize>>,
}

impl Chunk {
    /// Returns the place of the passage, as its metadata state it.
    pub(super) fn metadata(&self) -> Map<String, Value> {
        let bytes = self.bytes.as_ref().map(|bytes| ("bytes", json!((bytes.start, bytes.end))));
        let place = [("headings", json!(self.headings)), (self.unit.key(), json!(self.lines))];
        place.into_iter().chain(bytes).map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A text's passages, and what it says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SplitText {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) language: Option<String>,
    /// Text without code and markup, if the text has such; otherwise empty.
    pub(super) prose: String,
    pub(super) chunks: Vec<Chunk>,
}

impl SplitText {
    /// Returns the texts to embed, one for each passage: the title of the document and the headings, which say what the
    /// passage is about, and the passage. `name` is the title of a document without its own.
    pub(super) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let title = self.title.as_deref().unwrap_or(name);
        self.chunks.iter().zip(0..).map(move |(chunk, at)| {
            let mut context: Vec<&str> = vec![title];
            context.extend(chunk.headings.iter().map(String::as_str).filter(|heading| *heading != title));
            context.extend(self.description.as_deref().filter(|_| at == 0));
            format!("{}\n\n{}", context.join("\n"), chunk.text)
        })
    }
}

/// Returns the passages of a text, in order, each of at most `options.max_tokens`. The extension of `path` selects the
/// structure: a markup language, a programming language, or paragraphs. HTML, tables and notebooks are converted first. Metadata
/// before a Markdown text, and what precedes the title of an AsciiDoc text, are in no passage. Sizes that [`SplitOptions`] can't have are
/// replaced by the nearest possible ones.
///
/// ```
/// use workspace_db_ingest::{SplitOptions, split};
///
/// let chunks = split("notes.md".as_ref(), "# One\n\nA paragraph.\n", SplitOptions::default());
/// assert_eq!(chunks[0].text, "# One\n\nA paragraph.");
/// assert_eq!((&chunks[0].headings[..], chunks[0].lines), (&["One".to_owned()][..], (1, 3)));
/// ```
#[must_use]
pub fn split(path: &Path, text: &str, options: SplitOptions) -> Vec<Chunk> {
    split_text(path, text, options).chunks
}

/// Returns the passages of a text as [`split`] does, and what it says about itself.
pub(super) fn split_text(path: &Path, text: &str, options: SplitOptions) -> SplitText {
    let options = options.possible();
    let extension = extension(path);
    match converted(&extension, text) {
        Some(converted) => split_converted(converted, options),
        None => split_structured(&extension, text, options),
    }
}

/// Returns the passages of a file whose bytes are no text, or the reason why it can't be read.
pub(super) fn split_binary(content: &[u8], options: SplitOptions) -> Result<SplitText, String> {
    Ok(split_converted(converted_binary(content)?, options.possible()))
}

/// Returns the passages of a text that was converted, with their places in the file.
fn split_converted(converted: Converted, options: SplitOptions) -> SplitText {
    let Converted { markdown, places, ends, unit, outline, title, description, language } = converted;
    // JSON can contain NUL, which PostgreSQL's text can't.
    let markdown = markdown.replace('\0', "\u{fffd}");
    let outline = outline.or_else(|| markdown::outline(&markdown, false)).unwrap_or_default();
    let split = split_outlined(&markdown, outline, options);
    let ends = if ends.is_empty() { &places } else { &ends };
    let place = |of: &[usize], line: usize| of.get(line.saturating_sub(1)).or(of.last()).copied().unwrap_or(1);
    let in_file = |chunk: Chunk| {
        let (first, last) = chunk.lines;
        Chunk { lines: (place(&places, first), place(ends, last)), unit, bytes: None, ..chunk }
    };
    SplitText {
        title: said(title).or(split.title),
        description: said(description),
        language: language.map(|language| language.trim().to_owned()),
        chunks: split.chunks.into_iter().map(in_file).collect(),
        ..split
    }
}

fn split_structured(extension: &str, text: &str, options: SplitOptions) -> SplitText {
    let outline = match extension {
        "md" | "markdown" | "mdx" => markdown::outline(text, true).unwrap_or_default(),
        "rst" | "rest" => restructured_text::outline(text),
        "adoc" | "asciidoc" | "asc" => asciidoc::outline(text),
        extension => Outline { structure: code::structure(extension, text).unwrap_or_default(), ..Outline::default() },
    };
    split_outlined(text, outline, options)
}

fn split_outlined(text: &str, outline: Outline, options: SplitOptions) -> SplitText {
    let Outline { structure, headings, front_matter: block, metadata, prose } = outline;
    let Metadata { title, description, language } = metadata;
    // A character has at most four bytes, and a token at least one.
    let mut pieces = pieces(text, &structure, options.max_tokens.min(LONGEST_PIECE) - 4);
    pieces.retain(|piece| piece.range.start >= block.end);
    let ranges = joined(text, passages(text, &pieces, options), options);
    let chunks = with_places(text, ranges, &headings);
    let title = said(title).or_else(|| headings.into_iter().next().map(|heading| heading.text));
    SplitText { title, description: said(description), language, prose, chunks }
}

/// Returns a title or a description on one line. It stands before passages, so it must not be long.
fn said(text: Option<String>) -> Option<String> {
    text.map(|text| one_line(&text)).filter(|text| !text.is_empty())
}

/// Adds the headings and lines of each passage.
fn with_places(text: &str, passages: Vec<Passage>, headings: &[Heading]) -> Vec<Chunk> {
    let (mut path, mut headings): (Vec<&Heading>, _) = (Vec::new(), headings.iter().peekable());
    let (mut line, mut counted) = (1, 0);
    let mut lines_to = |at: usize| {
        // An overlapping passage begins before the end of the last one.
        let between = |range: Range<usize>| text.get(range).unwrap_or_default().matches('\n').count();
        line = if at >= counted { line + between(counted..at) } else { line - between(at..counted) };
        counted = at;
        line
    };
    let chunk = |Passage { range, text, tokens }: Passage| {
        while let Some(heading) = headings.next_if(|heading| heading.start <= range.start) {
            path.retain(|above| above.level < heading.level);
            path.push(heading);
        }
        Chunk {
            text,
            tokens,
            headings: path.iter().map(|heading| heading.text.clone()).collect(),
            lines: (lines_to(range.start), lines_to(range.end)),
            unit: Unit::Lines,
            bytes: Some(range),
        }
    };
    passages.into_iter().map(chunk).collect()
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
fn passages(text: &str, pieces: &[Piece], options: SplitOptions) -> Vec<Range<usize>> {
    let SplitOptions { min_tokens, max_tokens, overlap_tokens } = options;
    let overlap = overlap_tokens.min(min_tokens / 2);
    let lengths: Vec<usize> =
        pieces.iter().map(|piece| tokens(text.get(piece.range.clone()).unwrap_or_default())).collect();
    let length = |at: usize| lengths.get(at).copied().unwrap_or_default();
    let place = |at: usize| pieces.get(at).map_or((text.len(), 0), |piece| (piece.range.start, piece.rank));
    let (mut found, mut start) = (Vec::new(), 0);
    while start < pieces.len() {
        let (mut at, mut sum, mut best) = (start, 0, None);
        while at < pieces.len() && (at == start || sum + length(at) <= max_tokens) {
            sum += length(at);
            at += 1;
            let (_, rank) = place(at);
            if sum >= min_tokens && at < pieces.len() && best.is_none_or(|(best, _)| rank < best) {
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

/// A passage before its place is known.
struct Passage {
    range: Range<usize>,
    text: String,
    tokens: usize,
}

/// Joins a short passage with its neighbour if both fit. The rest of a section may be a few words, and a vector of five
/// words is near to everything that has one of them.
fn joined(text: &str, passages: Vec<Range<usize>>, options: SplitOptions) -> Vec<Passage> {
    let SplitOptions { min_tokens, max_tokens, .. } = options;
    let mut joined: Vec<Passage> = Vec::with_capacity(passages.len());
    for range in passages {
        let Some(passage) = passage_of(text, &range) else { continue };
        if let Some(last) = joined.last_mut()
            && (last.tokens < min_tokens || passage.tokens < min_tokens)
            && let both = (last.range.start..range.end)
            && both.len() <= BYTES_PER_TOKEN * max_tokens
            && let Some(both) = passage_of(text, &both)
            && both.tokens <= max_tokens
        {
            *last = both;
            continue;
        }
        joined.push(passage);
    }
    joined
}

/// Returns the passage, or none if it has nothing that a query could find, such as a ruler of dashes.
fn passage_of(text: &str, range: &Range<usize>) -> Option<Passage> {
    let whole = text.get(range.clone()).filter(|passage| passage.contains(char::is_alphanumeric))?;
    let passage = whole.trim_end().trim_start_matches(['\n', '\r']);
    let start = range.start + (whole.trim_end().len() - passage.len());
    Some(Passage { range: start..start + passage.len(), text: passage.to_owned(), tokens: tokens(passage) })
}
