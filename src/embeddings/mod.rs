//! Embedders, which turn texts into vectors, behind one trait.
//!
//! - [`FeatureHashing`] needs no network and no model: it finds passages that share words with the question.
//! - [`OpenAiEmbeddings`] calls any endpoint with OpenAI's protocol: it finds passages that share the meaning.

mod dimensions;
mod embedder;
mod feature_hashing;
#[cfg(feature = "openai")]
mod openai;

pub use self::dimensions::check_dimensions;
pub(crate) use self::dimensions::{StreamDimensions, reject_other_dimensions};
pub use self::embedder::{Embedder, REFUSED_INPUT, embed};
pub use self::feature_hashing::FeatureHashing;
#[cfg(feature = "openai")]
pub use self::openai::{OpenAiEmbeddings, OpenAiSettings};
