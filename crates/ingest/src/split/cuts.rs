//! The places at which a text may be cut, and their ranks.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::outline::Structure;

/// Rank of a place; the smaller, the better. Headings and items have smaller ranks, by their depth.
pub(super) const PARAGRAPH: u8 = 30;
pub(super) const LINE: u8 = 40;
pub(super) const SENTENCE: u8 = 50;
const WORD: u8 = 60;
const CHARACTER: u8 = 70;

/// Minimum number of bytes between the last place and one at a word.
const WORDS_APART: usize = 100;

/// Text between two places, and the rank of the first one.
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) rank: u8,
}

/// Returns the pieces of a text in order, between the places that every text has. The structure improves their ranks. A line of
/// more than `apart` bytes is cut within, and no piece is longer by more than one character.
pub(super) fn pieces(text: &str, structure: &Structure, apart: usize) -> Vec<Piece> {
    let (mut places, mut start, mut is_behind_blank) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let plain = if is_behind_blank { PARAGRAPH } else { LINE };
        places.push((start, structure.get(&start).copied().unwrap_or(plain)));
        if line.len() > apart {
            cut_line(line, start, apart, &mut places);
        }
        is_behind_blank = line.trim().is_empty();
        start += line.len();
    }
    let ends = places.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    places.iter().zip(ends).map(|((start, rank), end)| Piece { range: *start..end, rank: *rank }).collect()
}

/// Adds the sentences and words of a long line, and characters if it has none of those.
fn cut_line(line: &str, start: usize, apart: usize, places: &mut Vec<(usize, u8)>) {
    let (mut last, mut before) = (0, ['\0'; 2]);
    for (at, char) in line.char_indices().skip(1) {
        let [ended, end] = before;
        let rank =
            if matches!(end, '。' | '！' | '？' | '．') || matches!(ended, '.' | '!' | '?') && end.is_whitespace() {
                Some(SENTENCE)
            } else if char.is_whitespace() && !end.is_whitespace() && at - last >= WORDS_APART.min(apart / 2) {
                Some(WORD)
            } else {
                (at - last >= apart).then_some(CHARACTER)
            };
        if let Some(rank) = rank {
            places.push((start + at, rank));
            last = at;
        }
        before = [end, char];
    }
}

/// Beginning of each line, by the position of its first character that is not white space.
pub(super) struct LineStarts(BTreeMap<usize, usize>);

impl LineStarts {
    pub(super) fn new(text: &str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let first = start + (line.len() - line.trim_start().len());
            let begins = (first, start);
            start += line.len();
            begins
        });
        Self(lines.collect())
    }

    /// Returns the beginning of the line whose first character that is not white space is at this position.
    pub(super) fn before(&self, first: usize) -> Option<usize> {
        self.0.get(&first).copied()
    }

    /// Returns the beginnings of the lines in a range.
    pub(super) fn within(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        self.0.range(range).map(|(_, start)| *start)
    }
}
