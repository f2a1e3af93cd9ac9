//! The tokenizer of Llama 2: byte pair encoding of words, and bytes for what the vocabulary lacks.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use workspace_db::{Error, Result};

/// The vocabulary's sign for a blank in front of a word.
const BLANK: char = '\u{2581}';

/// Number of characters after which a word is cut. The time of merging grows with the square of the length, and only data that
/// is no text has such words.
const LONGEST_WORD: usize = 100;

/// Pieces of words with their numbers.
pub(super) struct Tokenizer {
    pieces: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct File {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
}

impl Tokenizer {
    /// Reads the vocabulary of a tokenizer's JSON file.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let file: File = serde_json::from_slice(json)
            .map_err(|error| Error::invalid("the tokenizer's file is not the expected JSON").caused_by(error))?;
        Ok(Self { pieces: file.model.vocab })
    }

    /// Calls `count` with each token of the text and how often it occurs.
    ///
    /// No piece of the vocabulary has a blank behind a letter, so the text can be cut before each run of blanks. Each distinct
    /// word is encoded once.
    pub(super) fn count(&self, text: &str, mut count: impl FnMut(u32, f32)) {
        let mut words: BTreeMap<String, f32> = BTreeMap::new();
        for word in text.split_whitespace() {
            let mut characters = word.chars().peekable();
            let mut is_first = true;
            while characters.peek().is_some() {
                let mut part: String = if is_first { BLANK.into() } else { String::new() };
                part.extend(characters.by_ref().take(LONGEST_WORD));
                *words.entry(part).or_default() += 1.0;
                is_first = false;
            }
        }
        for (word, times) in words {
            for piece in self.merged(&word) {
                match self.pieces.get(piece) {
                    Some(token) => count(*token, times),
                    None => self.bytes(piece).for_each(|token| count(token, times)),
                }
            }
        }
    }

    /// Returns the pieces of a word. The adjacent pair whose union has the lowest number in the vocabulary is merged first.
    fn merged<'a>(&self, word: &'a str) -> Vec<&'a str> {
        // The start of each piece, and the end of the word.
        let mut starts: Vec<usize> = word.char_indices().map(|(start, _)| start).chain([word.len()]).collect();
        loop {
            let unions = starts.windows(3).enumerate().filter_map(|(at, bounds)| {
                let [start, _, end] = bounds else { return None };
                Some((*self.pieces.get(word.get(*start..*end)?)?, at))
            });
            let Some((_, at)) = unions.min() else { break };
            starts.remove(at + 1);
        }
        starts.windows(2).filter_map(|bounds| word.get(*bounds.first()?..*bounds.last()?)).collect()
    }

    fn bytes<'a>(&'a self, piece: &'a str) -> impl Iterator<Item = u32> + 'a {
        piece.bytes().filter_map(|byte| self.pieces.get(&format!("<0x{byte:02X}>")).copied())
    }
}
