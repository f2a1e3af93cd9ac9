//! Selection among the hits: few of one document, and no copies of a better one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::results::Hit;
use crate::id::DocumentId;

/// Number of words in a shingle.
const SHINGLE: usize = 3;
/// Number of shingles in a sketch, those with the smallest hashes.
const SKETCH: usize = 128;
/// Part of common shingles from which two passages are nearly equal.
const RESEMBLANCE: f64 = 0.8;
/// Number of words below which a sketch says too little: "C++" and "C#" have the same letters.
const FEW_WORDS: usize = 10;

/// Keeps the first `k` hits, at most `per_document` of one document. Without near duplicates, a hit that is nearly equal to a
/// kept one is left out, and does not count for its document.
pub(super) fn select(found: &mut Vec<Hit>, k: usize, per_document: Option<usize>, near_duplicates: bool) {
    let mut of_documents: HashMap<DocumentId, usize> = HashMap::new();
    let mut sketches: Vec<Vec<u64>> = Vec::new();
    let mut kept = 0;
    found.retain(|hit| {
        let of_document = of_documents.entry(hit.document_id).or_default();
        if kept == k || per_document.is_some_and(|most| *of_document >= most) {
            return false;
        }
        if !near_duplicates {
            let sketch = sketch(&hit.with_path());
            if sketches.iter().any(|other| resemblance(&sketch, other) >= RESEMBLANCE) {
                return false;
            }
            sketches.push(sketch);
        }
        *of_document += 1;
        kept += 1;
        true
    });
}

/// Returns the smallest hashes of a text's shingles, sorted. A text of few words is one shingle, with all its signs.
///
/// Source: A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
fn sketch(text: &str) -> Vec<u64> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.len() < FEW_WORDS {
        return vec![hashed(text.split_whitespace().collect::<Vec<_>>())];
    }
    let mut hashes: Vec<u64> = words.windows(SHINGLE).map(hashed).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SKETCH);
    hashes
}

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the part of the shingles that two passages have in common, from 0 to 1, among the smallest ones of both.
#[expect(clippy::cast_precision_loss, reason = "a sketch has at most 128 shingles")]
fn resemblance(mut one: &[u64], mut other: &[u64]) -> f64 {
    let (mut common, mut union) = (0, 0);
    while union < SKETCH {
        let order = match (one.first(), other.first()) {
            (Some(of_one), Some(of_other)) => of_one.cmp(of_other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        union += 1;
        common += usize::from(order == Ordering::Equal);
        one = one.get(usize::from(order.is_le())..).unwrap_or_default();
        other = other.get(usize::from(order.is_ge())..).unwrap_or_default();
    }
    common as f64 / union.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> f64 {
        resemblance(&sketch(one), &sketch(other))
    }

    #[test]
    fn resemblance_is_the_part_of_common_words_in_their_order() {
        let words = |numbers: &mut dyn Iterator<Item = u16>| {
            numbers.map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ")
        };
        let text = words(&mut (0..400));
        let changed = text.replace("word200 ", "other ").to_uppercase();
        assert!(alike(&text, &changed) > 0.9, "{}", alike(&text, &changed));
        let half = words(&mut (200..600));
        assert!((0.2..0.5).contains(&alike(&text, &half)), "{}", alike(&text, &half));
        let reversed = words(&mut (0..400).rev());
        assert!(alike(&text, &reversed) < 0.05);
        assert!((alike(&text, &text) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn short_texts_are_equal_only_with_their_signs() {
        assert!(alike("Open  from 9.", "Open from 9.") > 0.99);
        for (one, other) in [("C++", "C#"), ("-5", "5"), ("a < b", "a > b"), ("---", "***"), ("Open.", "open")] {
            assert!(alike(one, other) < 0.01, "{one} {other}");
        }
        assert!(alike("one two three", "one two three four five six seven eight nine ten") < RESEMBLANCE);
    }
}
