//! Vectors without a model: the hashing trick.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use stop_words::Language;
use xxhash_rust::xxh3::xxh3_64;

use super::embedder::Embedder;
use super::threads::embed_on_every_core;
use crate::error::{Error, Result};
use crate::sql_types::{DIMENSIONS, Embedding};
use crate::words::{normalize, words};

/// Signed feature hashing of words and pairs of adjacent words into 1536 dimensions.
///
/// It is **lexical**: two texts are near if they share words. It ignores synonyms, inflection and language, and takes
/// microseconds.
///
/// Words are runs of letters and digits in lower case. Scripts without blanks between words (Han, Kana, Hangul, Thai,
/// Lao, Khmer, Myanmar) give pairs of adjacent characters. English function words ("the", "how") are left out if other
/// words remain. A word that occurs n times counts 1 + ln n.
///
/// A hash selects a dimension for each word and pair, and one bit of it a sign. Collisions therefore cancel out on
/// average (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009).
///
/// ```
/// use workspace_db::embeddings::FeatureHashing;
///
/// let question = FeatureHashing::vector("opening hours")?;
/// let near = FeatureHashing::vector("Our opening hours are nine to five.")?;
/// let far = FeatureHashing::vector("Bring the cat to the vet.")?;
/// let cosine = |other: &workspace_db::sql_types::Embedding| -> f32 {
///     question.as_slice().iter().zip(other.as_slice()).map(|(a, b)| a * b).sum()
/// };
/// assert!(cosine(&near) > cosine(&far));
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FeatureHashing;

/// Number of texts from which they are hashed on other threads.
const MANY_TEXTS: usize = 16;

static FUNCTION_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| stop_words::get(Language::English).iter().copied().collect());

fn words_of(text: &str) -> Vec<String> {
    let all: Vec<String> = words(&normalize(text)).map(|word| word.to_lowercase()).collect();
    let said: Vec<String> = all.iter().filter(|word| !FUNCTION_WORDS.contains(word.as_str())).cloned().collect();
    if said.is_empty() { all } else { said }
}

impl FeatureHashing {
    /// Returns the vector of one text, of length 1.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the text has neither letters nor digits.
    pub fn vector(text: &str) -> Result<Embedding> {
        let words = words_of(text);
        let pairs = words.iter().zip(words.iter().skip(1)).map(|(first, second)| format!("{first} {second}"));
        // Sorted by hash: if features share a dimension, the last bit of the sum depends on the order.
        let mut counts: BTreeMap<u64, f32> = BTreeMap::new();
        for feature in words.iter().cloned().chain(pairs) {
            *counts.entry(xxh3_64(feature.as_bytes())).or_default() += 1.0;
        }
        let mut components = vec![0.0_f32; DIMENSIONS];
        for (hash, count) in counts {
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            // The remainder is below 1536, so it fits and the component exists.
            let place = usize::try_from(hash % DIMENSIONS as u64).unwrap_or_default();
            if let Some(component) = components.get_mut(place) {
                *component += sign * (1.0 + count.ln());
            }
        }
        let embedding = Embedding::try_from(components).map_err(|error| {
            Error::invalid("the text has no words, so it has no vector")
                .remedy("use a text with letters or digits")
                .caused_by(error)
        })?;
        Ok(embedding.normalized())
    }
}

impl Embedder for FeatureHashing {
    fn model(&self) -> &'static str {
        "feature-hashing-v2"
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        if texts.len() < MANY_TEXTS {
            return ready(texts.iter().map(|text| Self::vector(text)).collect()).boxed();
        }
        // The words of a run of passages take longer than their rows, so every core hashes.
        embed_on_every_core(texts, Self::vector).boxed()
    }
}
