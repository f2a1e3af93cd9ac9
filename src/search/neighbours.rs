//! The passages around hits in their documents.

use diesel::prelude::*;

use super::results::{Hit, Neighbour};
use crate::error::Result;
use crate::id::DocumentId;
use crate::schema::document_chunks;
use crate::tenancy::{Access, InWorkspace as _, WorkspaceConnection};

/// Sets the neighbours of the hits: this number of passages on each side.
pub(super) async fn bring_neighbours(
    ws: &mut WorkspaceConnection<impl Access>,
    neighbours: u32,
    hits: &mut [Hit],
) -> Result<()> {
    let reach = i32::try_from(neighbours).unwrap_or(i32::MAX);
    let documents: Vec<DocumentId> = hits.iter().map(|hit| hit.document_id).collect();
    let around = |hit: &Hit| hit.chunk_index.saturating_sub(reach)..=hit.chunk_index.saturating_add(reach);
    let mut places: Vec<i32> = hits.iter().flat_map(around).collect();
    places.sort_unstable();
    places.dedup();
    let rows: Vec<(DocumentId, i32, String)> = document_chunks::table
        .in_workspace(&ws)
        .filter(document_chunks::document_id.eq_any(documents))
        .filter(document_chunks::chunk_index.eq_any(places))
        .select((document_chunks::document_id, document_chunks::chunk_index, document_chunks::content))
        .order(document_chunks::chunk_index)
        .load(ws)
        .await?;
    for hit in hits {
        let near = rows.iter().filter(|(document, place, _)| {
            *document == hit.document_id && *place != hit.chunk_index && around(hit).contains(place)
        });
        let (before, after) = near
            .map(|(_, place, content)| Neighbour { chunk_index: *place, content: content.clone() })
            .partition(|neighbour| neighbour.chunk_index < hit.chunk_index);
        (hit.before, hit.after) = (before, after);
    }
    Ok(())
}
