//! Passages that say the same as a better one.

use std::hash::{DefaultHasher, Hasher as _};

use super::results::Hit;

/// Number of words in a shingle.
const SHINGLE: usize = 3;
/// Number of shingles that stand for a passage, those with the smallest hashes.
const SKETCH: usize = 128;
/// Part of common shingles from which two passages are nearly equal.
const RESEMBLANCE: f64 = 0.8;

/// Removes the hits that are nearly equal to one before them, until `k` are left, and all hits after those.
///
/// Nearly equal are passages that have four of five runs of three words in common, as a sketch of both estimates it, whatever the
/// punctuation and capital letters.
///
/// Source: A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
pub(super) fn remove_near_duplicates(found: &mut Vec<Hit>, k: usize) {
    let mut kept: Vec<Vec<u64>> = Vec::new();
    found.retain(|hit| {
        if kept.len() == k {
            return false;
        }
        let sketch = sketch(&hit.content);
        let is_new = kept.iter().all(|other| resemblance(&sketch, other) < RESEMBLANCE);
        if is_new {
            kept.push(sketch);
        }
        is_new
    });
}

/// Returns the smallest hashes of a text's shingles, sorted. A text shorter than a shingle is one.
fn sketch(text: &str) -> Vec<u64> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    // A text of signs alone is compared by them.
    if words.is_empty() {
        return vec![hashed(text.trim())];
    }
    let mut hashes: Vec<u64> = words.windows(SHINGLE.min(words.len())).map(hashed).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SKETCH);
    hashes
}

fn hashed(value: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the part of the shingles that two passages have in common, from 0 to 1, among the smallest ones of both.
#[expect(clippy::cast_precision_loss, reason = "a sketch has at most 128 shingles")]
fn resemblance(one: &[u64], other: &[u64]) -> f64 {
    let mut union: Vec<u64> = one.iter().chain(other).copied().collect();
    union.sort_unstable();
    union.dedup();
    union.truncate(SKETCH);
    let common = union.iter().filter(|hash| one.binary_search(hash).is_ok() && other.binary_search(hash).is_ok());
    common.count() as f64 / union.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> f64 {
        resemblance(&sketch(one), &sketch(other))
    }

    #[test]
    fn resemblance_is_the_part_of_common_words_in_their_order() {
        let text: String = (0..400).map(|n| format!("word{n} ")).collect();
        let changed = text.replace("word200 ", "other ").to_uppercase();
        assert!(alike(&text, &changed) > 0.9, "{}", alike(&text, &changed));
        let half: String = (200..600).map(|n| format!("word{n} ")).collect();
        assert!((0.2..0.5).contains(&alike(&text, &half)), "{}", alike(&text, &half));
        let reversed: String = (0..400).rev().map(|n| format!("word{n} ")).collect();
        assert!(alike(&text, &reversed) < 0.05);
    }

    #[test]
    fn short_texts_are_compared_too() {
        assert!(alike("Open.", "open") > 0.99);
        assert!(alike("open", "closed") < 0.01);
        assert!(alike("---", "***") < 0.01);
        assert!(alike("one two three", "one two three four five six seven eight nine ten") < RESEMBLANCE);
    }
}
