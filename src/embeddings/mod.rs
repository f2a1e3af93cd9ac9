//! Embedders, which turn texts into vectors, behind one trait.
//!
//! - [`FeatureHashing`] needs no network and no model: it finds passages that share words with the question.
//! - `StaticEmbeddings` of the crate `workspace-db-static-embeddings` has a small model of its own: it finds passages of similar
//!   meaning, in English.
//! - [`OpenAiEmbeddings`] calls any endpoint with OpenAI's protocol: it finds passages that share the meaning.

mod dimensions;
mod embedder;
mod feature_hashing;
#[cfg(feature = "openai")]
mod openai;
mod selection;
mod threads;

pub(crate) use self::dimensions::{StreamDimensions, check_dimensions_within};
pub use self::dimensions::{check_dimensions, reject_other_dimensions};
pub use self::embedder::{Embedder, REFUSED_INPUT, embed};
pub use self::feature_hashing::FeatureHashing;
#[cfg(feature = "openai")]
pub use self::openai::{OpenAiEmbeddings, OpenAiSettings};
pub use self::selection::{choose_embedder, embedder_for_workspace, live_models};
pub use self::threads::embed_on_every_core;
