//! The passages of a workspace that are nearest to a question.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Double;
use serde::Serialize;

use crate::embeddings::Embedder;
use crate::error::{Error, Kind, Result};
use crate::id::{DocumentChunkId, DocumentId};
use crate::schema::{document_chunks, documents};
use crate::sql_types::{DocumentStatus, VectorExpressionMethods as _};
use crate::tenancy::{InWorkspace as _, WorkspaceConnection, WorkspaceScope};

/// A passage that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Queryable)]
pub struct Hit {
    /// Cosine of passage and question, 1 for the same direction to -1 for the opposite.
    pub score: f64,
    /// The passage's id.
    pub chunk_id: DocumentChunkId,
    /// Its document.
    pub document_id: DocumentId,
    /// The document's title.
    pub title: String,
    /// The document's name in its datasource.
    pub external_id: Option<String>,
    /// Place of the passage in the document, from 0.
    pub chunk_index: i32,
    /// The passage.
    pub content: String,
}

/// The `k` passages of the workspace that are nearest to the question, the nearest first.
///
/// Only ready documents are searched, and only vectors of the embedder's model. The scan is exact: it reads every chunk
/// of the workspace, so its time grows with the workspace and no approximate index can lose a hit. Fewer than `k` come
/// only where fewer passages of ready documents have a vector of that model.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where the question has no words or the workspace holds vectors of other
/// models alone; [`is_embeddings_failure`](Error::is_embeddings_failure);
/// [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db::tenancy::{WorkspaceConnection, WorkspaceScope};
///
/// # async fn example(ws: &mut WorkspaceConnection, scope: &WorkspaceScope) -> workspace_db::Result<()> {
/// let hits = workspace_db::search::search(ws, scope, &FeatureHashing, "opening hours", 5).await?;
/// for hit in hits {
///     println!("{:.3} {} {}", hit.score, hit.title, hit.content);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn search(
    ws: &mut WorkspaceConnection,
    scope: &WorkspaceScope,
    embedder: &dyn Embedder,
    question: &str,
    k: u32,
) -> Result<Vec<Hit>> {
    let mut vectors = embedder.embed(&[question.to_owned()]).await?;
    let Some(question) = vectors.pop() else {
        return Err(Error::new(Kind::Embeddings, "no vector came for the question"));
    };
    let hits: Vec<Hit> = document_chunks::table
        .in_workspace(scope)
        .inner_join(documents::table)
        .filter(document_chunks::embedding_model.eq(embedder.model()))
        .filter(documents::status.eq(DocumentStatus::Ready))
        // 1 is the first column of the select, the similarity: no index has that order, so the scan is exact.
        .order((sql::<Double>("1").desc(), document_chunks::id))
        .limit(k.into())
        .select((
            document_chunks::vector.cosine_similarity(&question),
            document_chunks::id,
            document_chunks::document_id,
            documents::title,
            documents::external_id,
            document_chunks::chunk_index,
            document_chunks::content,
        ))
        .load(ws)
        .await?;
    if hits.is_empty() {
        refuse_other_models(ws, scope, embedder.model()).await?;
    }
    Ok(hits)
}

/// An empty answer because of another model is a mistake of the caller, not an answer.
async fn refuse_other_models(ws: &mut WorkspaceConnection, scope: &WorkspaceScope, asked: &str) -> Result<()> {
    let models: Vec<String> = document_chunks::table
        .in_workspace(scope)
        .select(document_chunks::embedding_model)
        .distinct()
        .order(document_chunks::embedding_model)
        .load(ws)
        .await?;
    if models.is_empty() || models.iter().any(|model| model == asked) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the workspace has vectors of {}, and the question was embedded by {asked}",
        models.join(", ")
    ))
    .remedy("search with the embedder that ingested, or ingest again with this one"))
}
