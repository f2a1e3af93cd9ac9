//! Merge of the lists of a hybrid search.

use std::collections::HashMap;

use super::results::{Hit, HitRank};
use crate::id::DocumentChunkId;

/// Merges two lists by the mean of their scores, each on the scale of its own list from 0 to 1; a hit that a list lacks has 0
/// there. With equal scores, hits of the vector search come first.
///
/// Source: J. Lee, "Analyses of multiple evidence combination", SIGIR 1997. Ranks alone lose how much better one passage is:
/// docs/decisions/search-quality.md compares both.
pub(super) fn fused(near: Vec<Hit>, shared: Vec<Hit>) -> Vec<Hit> {
    let mut both: Vec<Hit> = near;
    let places: HashMap<DocumentChunkId, usize> = both.iter().enumerate().map(|(at, hit)| (hit.chunk_id, at)).collect();
    for hit in shared {
        match places.get(&hit.chunk_id).and_then(|&at| both.get_mut(at)) {
            Some(known) => known.by_words = hit.by_words,
            None => both.push(hit),
        }
    }
    let vectors = ScoreRange::of(both.iter().filter_map(|hit| hit.by_vector));
    let words = ScoreRange::of(both.iter().filter_map(|hit| hit.by_words));
    for hit in &mut both {
        let by_vector = hit.by_vector.map_or(0.0, |place| vectors.scaled(place.score));
        let by_words = hit.by_words.map_or(0.0, |place| words.scaled(place.score));
        hit.score = f64::midpoint(by_vector, by_words);
    }
    both.sort_by(|one, other| other.score.total_cmp(&one.score));
    both
}

/// Lowest and highest score of a list.
struct ScoreRange {
    lowest: f64,
    highest: f64,
}

impl ScoreRange {
    fn of(places: impl Iterator<Item = HitRank>) -> Self {
        let none = Self { lowest: f64::INFINITY, highest: f64::NEG_INFINITY };
        places.fold(none, |range, place| Self {
            lowest: range.lowest.min(place.score),
            highest: range.highest.max(place.score),
        })
    }

    /// Returns a score of the list on a scale from 0, its lowest, to 1, its highest.
    fn scaled(&self, score: f64) -> f64 {
        let width = self.highest - self.lowest;
        if width > 0.0 { (score - self.lowest) / width } else { 1.0 }
    }
}
