//! The places where a text may be cut, and how good each is.

use std::collections::BTreeMap;
use std::ops::Range;

/// How good a place is; the smaller, the better. Below are headings and items, by their depth.
pub(super) const PARAGRAPH: u8 = 30;
pub(super) const LINE: u8 = 40;
/// A line of something that belongs together, as a block of code in Markdown.
pub(super) const INNER_LINE: u8 = 45;
pub(super) const SENTENCE: u8 = 50;
const WORD: u8 = 60;
const CHARACTER: u8 = 70;

/// Bytes from which on a line is looked into for places.
const LONG_LINE: usize = 400;
/// A word is a place of its own where the last one is so many bytes away.
const WORDS_APART: usize = 100;
/// Wherever there is no better place within so many bytes, one is made between two characters: less than a passage's tokens.
const APART: usize = 400;

/// What a parser knows of the beginnings of lines.
pub(super) type Structure = BTreeMap<usize, u8>;

/// A text between two places, and how good the first of them is.
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) rank: u8,
}

/// The pieces of a text, in order: between the places that every text has, which are better where its structure says so.
pub(super) fn pieces(text: &str, structure: Option<Structure>) -> Vec<Piece> {
    let structure = structure.unwrap_or_default();
    let (mut places, mut start, mut is_behind_blank) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let plain = if is_behind_blank { PARAGRAPH } else { LINE };
        places.push((start, structure.get(&start).copied().unwrap_or(plain)));
        if line.len() > LONG_LINE {
            cut_line(line, start, &mut places);
        }
        is_behind_blank = line.trim().is_empty();
        start += line.len();
    }
    let ends = places.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    places.iter().zip(ends).map(|((start, rank), end)| Piece { range: *start..end, rank: *rank }).collect()
}

/// Sentences, words and, where there are none, characters of a long line.
fn cut_line(line: &str, start: usize, places: &mut Vec<(usize, u8)>) {
    let (mut last, mut before) = (0, ['\0'; 2]);
    for (at, char) in line.char_indices().skip(1) {
        let [ended, end] = before;
        let rank =
            if matches!(end, '。' | '！' | '？' | '．') || matches!(ended, '.' | '!' | '?') && end.is_whitespace() {
                Some(SENTENCE)
            } else if char.is_whitespace() && !end.is_whitespace() && at - last >= WORDS_APART {
                Some(WORD)
            } else {
                (at - last >= APART).then_some(CHARACTER)
            };
        if let Some(rank) = rank {
            places.push((start + at, rank));
            last = at;
        }
        before = [end, char];
    }
}

/// The first character of each line that is no white space, and where its line begins.
pub(super) struct LineStarts(BTreeMap<usize, usize>);

impl LineStarts {
    pub(super) fn of(text: &str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let first = start + (line.len() - line.trim_start().len());
            let begins = (first, start);
            start += line.len();
            begins
        });
        Self(lines.collect())
    }

    /// Where the line begins whose first character is there.
    pub(super) fn before(&self, first: usize) -> Option<usize> {
        self.0.get(&first).copied()
    }

    /// The beginnings of the lines of a range.
    pub(super) fn within(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        self.0.range(range).map(|(_, start)| *start)
    }
}
