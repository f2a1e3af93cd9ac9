//! The choice of an embedder for a workspace.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use super::embedder::Embedder;
use crate::error::{Error, Result};
use crate::schema::document_chunks;
use crate::tenancy::{Access, InWorkspace as _, WorkspaceConnection};

/// Returns the embedder whose model created the workspace's vectors, or the first one if the workspace has none.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if none of the embedders created the workspace's vectors;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::embeddings::{Embedder, FeatureHashing, embedder_for_workspace};
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection, model: impl Embedder) -> workspace_db::Result<()> {
/// let embedder = embedder_for_workspace(ws, &[&model, &FeatureHashing]).await?;
/// println!("texts are embedded by {}", embedder.model());
/// # Ok(())
/// # }
/// ```
pub async fn embedder_for_workspace<'a>(
    ws: &mut WorkspaceConnection<impl Access>,
    embedders: &[&'a dyn Embedder],
) -> Result<&'a dyn Embedder> {
    choose_embedder(&live_models(ws).await?, embedders)
}

/// Returns the embedder whose model is among those of a workspace, the first of them that has one, or the first embedder if there
/// are no models.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if none of the embedders has one of the models.
///
/// ```
/// use workspace_db::embeddings::{Embedder, FeatureHashing, choose_embedder};
///
/// assert_eq!(choose_embedder(&[], &[&FeatureHashing])?.model(), FeatureHashing.model());
/// assert!(choose_embedder(&["nomic-embed-text".to_owned()], &[&FeatureHashing]).is_err());
/// # Ok::<(), workspace_db::Error>(())
/// ```
pub fn choose_embedder<'a>(models: &[String], embedders: &[&'a dyn Embedder]) -> Result<&'a dyn Embedder> {
    let made = |model: &String| embedders.iter().find(|embedder| embedder.model() == model);
    let embedder = match models {
        [] => embedders.first(),
        models => models.iter().find_map(made),
    };
    let given: Vec<&str> = embedders.iter().map(|embedder| embedder.model()).collect();
    embedder.copied().ok_or_else(|| {
        Error::invalid(format!(
            "the workspace has vectors of {}, which none of the embedders made ({})",
            models.join(", "),
            given.join(", ")
        ))
        .remedy(
            "name the endpoint that was used for ingestion, as with --embeddings-url and --embeddings-model, or reembed the \
             workspace",
        )
    })
}

/// Returns the models of the workspace's vectors, the most frequent first.
///
/// # Errors
///
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// # async fn example(ws: &mut workspace_db::tenancy::WorkspaceConnection) -> workspace_db::Result<()> {
/// let models = workspace_db::embeddings::live_models(ws).await?;
/// assert!(models.len() <= 1, "the workspace is being switched to another model");
/// # Ok(())
/// # }
/// ```
pub async fn live_models(ws: &mut WorkspaceConnection<impl Access>) -> Result<Vec<String>> {
    let chunks = document_chunks::table.in_workspace(&ws);
    // Both ends of the index are usually equal; otherwise all passages are counted.
    let ends = chunks.select((min(document_chunks::embedding_model), max(document_chunks::embedding_model)));
    let (first, last): (Option<String>, Option<String>) = ends.get_result(ws).await?;
    if first == last {
        return Ok(first.into_iter().collect());
    }
    chunks
        .group_by(document_chunks::embedding_model)
        .select(document_chunks::embedding_model)
        .order((count_star().desc(), document_chunks::embedding_model))
        .load(ws)
        .await
}
