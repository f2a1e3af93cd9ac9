//! The vectors of the tokens, and their mean.

use half::f16;
use workspace_db::sql_types::Embedding;
use workspace_db::{Error, Result};

use super::tokenizer::Tokenizer;

/// Number of dimensions of the model.
pub(super) const DIMENSIONS: usize = 256;

/// Share of all tokens at which a token has half of its weight (Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence
/// Embeddings", 2017).
const COMMON: f32 = 1e-3;
/// First number in the vocabulary that is neither a sign nor a byte.
const FIRST_PIECE: u32 = 259;

/// A model in memory.
pub(super) struct Model {
    tokenizer: Tokenizer,
    /// A vector in half precision for each token, with a weight.
    vectors: Vec<f16>,
    weights: Vec<f32>,
}

impl Model {
    /// Reads a file of safetensors with one matrix: a header, whose length is in the first 8 bytes, and the numbers.
    pub(super) fn parse(tokenizer: Tokenizer, matrix: &[u8]) -> Result<Self> {
        let broken = || Error::invalid("the model's file is not the expected matrix");
        let (length, rest) = matrix.split_first_chunk::<8>().ok_or_else(broken)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| broken())?;
        let numbers = rest.get(length..).ok_or_else(broken)?;
        let (numbers, _) = numbers.as_chunks::<2>();
        let vectors: Vec<f16> = numbers.iter().map(|number| f16::from_le_bytes(*number)).collect();
        let tokens = u32::try_from(vectors.len() / DIMENSIONS).map_err(|_| broken())?;
        Ok(Self { tokenizer, vectors, weights: (0..tokens).map(|token| weight(token, tokens)).collect() })
    }

    /// Returns the weighted mean of the vectors of a text's tokens, of length 1.
    pub(super) fn embed(&self, text: &str) -> Result<Embedding> {
        let mut sum = vec![0.0_f32; DIMENSIONS];
        self.tokenizer.count(text, |token, times| {
            let token = token as usize;
            let vector = self.vectors.get(token * DIMENSIONS..(token + 1) * DIMENSIONS);
            let (Some(vector), Some(weight)) = (vector, self.weights.get(token)) else { return };
            for (sum, component) in sum.iter_mut().zip(vector) {
                *sum += times * weight * component.to_f32();
            }
        });
        let embedding = Embedding::placed(sum).map_err(|error| {
            Error::invalid("the text has no words, so it has no vector")
                .remedy("use a text with letters or digits")
                .caused_by(error)
        })?;
        Ok(embedding.normalized())
    }
}

/// Returns the weight of a token: frequent ones count less. The vocabulary is ordered by frequency, and by Zipf's law the
/// frequency is in inverse proportion to the rank.
fn weight(token: u32, tokens: u32) -> f32 {
    let rank = |token: u32| f64::from(token.saturating_sub(FIRST_PIECE) + 1);
    let share = 1.0 / (rank(token) * (f64::from(tokens).ln() + 0.577));
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
    let share = share as f32;
    COMMON / (COMMON + share)
}
