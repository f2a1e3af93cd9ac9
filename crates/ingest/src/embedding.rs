//! The embedding of texts, also of those of which the embedder refuses some.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use workspace_db::embeddings::{Embedder, REFUSED_INPUT, embed};
use workspace_db::sql_types::Embedding;
use workspace_db::{Error, Result};

/// Returns true if the embedder might accept another text, or fewer texts at once.
pub(super) fn refuses_texts(error: &Error) -> bool {
    error.is_invalid_input() || error.field() == Some(REFUSED_INPUT)
}

/// Embeds as [`embed`] does, in smaller and smaller parts if the embedder rejects them together.
pub(super) fn embed_by_halves<'a>(
    embedder: &'a dyn Embedder,
    texts: &'a [String],
) -> BoxFuture<'a, Result<Vec<Embedding>>> {
    async move {
        match embed(embedder, texts).await {
            Err(error) if refuses_texts(&error) && texts.len() > 1 => {
                let (first, second) = texts.split_at(texts.len() / 2);
                let mut vectors = embed_by_halves(embedder, first).await?;
                vectors.extend(embed_by_halves(embedder, second).await?);
                Ok(vectors)
            }
            made => made,
        }
    }
    .boxed()
}
