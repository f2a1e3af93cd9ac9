//! The number of dimensions of a model, which its vectors in a workspace have in common.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use tokio_postgres::Transaction;

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::schema::document_chunks;
use crate::sql_types::Embedding;
use crate::tenancy::{Access, DatabaseToken, InWorkspace as _, OptionalRow as _, WorkspaceConnection};

/// Time for which the dimensions of a model are cached.
const TTL: Duration = Duration::from_secs(60);

/// Number of vectors of a model in a stream after which its number of dimensions stays unknown.
const MAX_UNCLEAR: u8 = 20;

type ModelInWorkspace = (DatabaseToken, WorkspaceId, String);

static CACHE: LazyLock<Mutex<HashMap<ModelInWorkspace, (usize, Instant)>>> = LazyLock::new(Mutex::default);

/// Rejects a vector whose model has another number of dimensions in the workspace.
///
/// A model that changes its dimensions is another model: its new vectors can't be compared with the old ones. The number is
/// read off one stored vector, at most once a minute for each workspace and model. If none is stored, or it is mostly zeros,
/// every vector fits.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict) if the numbers differ; [`is_unreachable`](Error::is_unreachable),
/// [`is_database_failure`](Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::embeddings::check_dimensions;
/// use workspace_db::sql_types::Embedding;
/// use workspace_db::tenancy::WorkspaceConnection;
///
/// # async fn example(ws: &mut WorkspaceConnection) -> workspace_db::Result<()> {
/// let vector = Embedding::placed(vec![0.5; 384])?;
/// check_dimensions(ws, "all-minilm", &vector).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check_dimensions(
    ws: &mut WorkspaceConnection<impl Access>,
    model: &str,
    vector: &Embedding,
) -> Result<()> {
    let key = (ws.database(), ws.workspace(), model.to_owned());
    if cached(&key).is_some_and(|stored| vector.may_have_dimensions(stored)) {
        return Ok(());
    }
    let one = document_chunks::table
        .in_workspace(&ws)
        .filter(document_chunks::embedding_model.eq(model))
        .select(document_chunks::vector);
    let one: Option<Embedding> = one.first(ws).await.optional()?;
    let stored = one.and_then(|one| one.dimensions());
    if let Some(stored) = stored {
        remember(key, stored);
    }
    reject_other_dimensions(model, vector, stored)
}

/// Rejects a vector as [`check_dimensions`] does, in a transaction of the driver that has the workspace set.
pub(crate) async fn check_dimensions_within(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    model: &str,
    vector: &Embedding,
) -> Result<()> {
    let query = "SELECT vector FROM document_chunks WHERE workspace_id = $1 AND embedding_model = $2 LIMIT 1";
    let Some(one) = tx.query_opt(query, &[workspace.as_uuid(), &model]).await? else { return Ok(()) };
    let stored: Embedding = Embedding::try_from(one.try_get::<_, pgvector::Vector>(0)?.to_vec())?;
    reject_other_dimensions(model, vector, stored.dimensions())
}

fn cached(key: &ModelInWorkspace) -> Option<usize> {
    let cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.get(key).filter(|(_, read_at)| read_at.elapsed() < TTL).map(|(stored, _)| *stored)
}

fn remember(key: ModelInWorkspace, stored: usize) {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() == cache.capacity() {
        // Remove expired entries before the map grows.
        cache.retain(|_, (_, read_at)| read_at.elapsed() < TTL);
    }
    cache.insert(key, (stored, Instant::now()));
}

/// Rejects a vector if the model's vectors have another number of dimensions. `None` accepts every vector, because
/// [`Embedding::dimensions`] could not tell the number.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict).
///
/// ```
/// use workspace_db::embeddings::reject_other_dimensions;
/// use workspace_db::sql_types::Embedding;
///
/// let vector = Embedding::placed(vec![0.5; 384])?;
/// assert!(reject_other_dimensions("all-minilm", &vector, Some(384)).is_ok());
/// assert!(reject_other_dimensions("all-minilm", &vector, Some(768)).unwrap_err().is_conflict());
/// # Ok::<(), workspace_db::Error>(())
/// ```
pub fn reject_other_dimensions(model: &str, vector: &Embedding, dimensions: Option<usize>) -> Result<()> {
    // The order matters: to read the number off a vector takes as long as to parse it.
    let Some(dimensions) = dimensions.filter(|dimensions| !vector.may_have_dimensions(*dimensions)) else {
        return Ok(());
    };
    let Some(found) = vector.dimensions() else { return Ok(()) };
    let message =
        format!("a vector of the model {model:?} has {found} dimensions, but others of this model have {dimensions}");
    Err(Error::new(ErrorKind::Conflict, message).remedy(
        "configure the model to return the same number as before, or give the changed model another name and reembed the \
         workspace with it",
    ))
}

/// Number of dimensions of each model in a stream of vectors.
#[derive(Default)]
pub(crate) struct StreamDimensions(HashMap<String, ModelDimensions>);

/// Number of dimensions of a model, as far as its vectors show it.
#[derive(Default)]
struct ModelDimensions {
    known: Option<usize>,
    /// Number of vectors that did not show it.
    unclear: u8,
}

impl StreamDimensions {
    /// Rejects a vector if an earlier one of its model has another number of dimensions.
    ///
    /// Returns true for the first one whose number is known, which is to be compared with the workspace's.
    pub(crate) fn check(&mut self, model: &str, vector: &Embedding) -> Result<bool> {
        let of_model = match self.0.get_mut(model) {
            Some(of_model) => of_model,
            None => self.0.entry(model.to_owned()).or_default(),
        };
        if let Some(dimensions) = of_model.known {
            return reject_other_dimensions(model, vector, Some(dimensions)).map(|()| false);
        }
        // To read the number off a vector takes longer than to parse it, so a model of unclear vectors is not asked for ever.
        if of_model.unclear < MAX_UNCLEAR {
            of_model.known = vector.dimensions();
            of_model.unclear += 1;
        }
        Ok(of_model.known.is_some())
    }
}
