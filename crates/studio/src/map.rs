//! A map of a workspace's chunks: chunks with similar vectors are near each other.

use axum::response::Html;
use diesel::prelude::*;
use maud::{Markup, html};
use uuid::Uuid;

use super::display::{cut, plain, text};
use super::layout;
use super::principal_components;
use super::problem::Problem;
use super::request::StudioRequest;
use super::statement::DynamicStatement;
use workspace_db::id::{DatasourceId, DocumentChunkId, WorkspaceId};
use workspace_db::schema::{datasources, document_chunks, documents};
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, ErrorKind, Result};

/// Maximum number of chunks on the map.
const POINTS: usize = 400;
/// Maximum characters of a shown chunk.
const SHOWN: usize = 120;
/// Number of distinguishable colours; further datasources share the last one.
const COLOURS: usize = 8;
const SIZE: f32 = 1000.0;
const MARGIN: f32 = 20.0;

/// Handles `GET /{view}/map`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    visit.the_workspace("maps")?;
    let body = html! {
        div hx-get=(visit.view.path("map/picture")) hx-trigger="load" { p class="quiet" { "drawing …" } }
    };
    Ok(layout::page(&visit, "map", "Map", &body))
}

struct Point {
    id: DocumentChunkId,
    text: String,
    title: String,
    datasource: Option<DatasourceId>,
    vector: Embedding,
}

/// Handles `GET /{view}/map/picture`.
pub(super) async fn picture(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let workspace = visit.the_workspace("maps")?;
    let ids = sample(&visit, workspace).await?;
    let scope = WorkspaceScope::unchecked(workspace, "the studio draws a map").to_read();
    let mut ws = visit.shared.db.workspace(&scope).await?;
    let rows: Vec<(DocumentChunkId, String, String, Option<DatasourceId>, Embedding)> = document_chunks::table
        .in_workspace(&ws)
        .inner_join(documents::table)
        .filter(document_chunks::id.eq_any(ids))
        .order(document_chunks::id)
        .select((
            document_chunks::id,
            document_chunks::content,
            documents::title,
            documents::datasource_id,
            document_chunks::vector,
        ))
        .load(&mut ws)
        .await?;
    let names: Vec<(DatasourceId, String)> = datasources::table
        .in_workspace(&ws)
        .order(datasources::id)
        .select((datasources::id, datasources::name))
        .limit(1_000)
        .load(&mut ws)
        .await?;
    let points: Vec<Point> = rows
        .into_iter()
        .map(|(id, text, title, datasource, vector)| Point { id, text, title, datasource, vector })
        .collect();
    let drawn = tokio::task::spawn_blocking(move || {
        let vectors: Vec<Vec<f32>> = points.iter().map(|point| point.vector.as_slice().to_vec()).collect();
        (principal_components::project(&vectors), points)
    });
    let (places, points) = drawn
        .await
        .map_err(|error| Error::new(ErrorKind::Interrupted, "the map could not be drawn").caused_by(error))?;
    Ok(Html(drawing(&visit, workspace, &points, &places, &names).into_string()))
}

/// Returns a sample from the whole workspace. It takes the chunks next to evenly spaced ids, which an index finds without
/// other reads, and adds the first `POINTS` chunks.
async fn sample(visit: &StudioRequest, workspace: WorkspaceId) -> Result<Vec<DocumentChunkId>> {
    let ends = "SELECT ARRAY[(SELECT id FROM document_chunks WHERE workspace_id = CAST($1 AS uuid) ORDER BY id LIMIT 1)::text,
        (SELECT id FROM document_chunks WHERE workspace_id = CAST($1 AS uuid) ORDER BY id DESC LIMIT 1)::text] AS cells";
    let ends = visit.shared.rows(Some(workspace), DynamicStatement::new(ends).with([workspace.to_string()])).await?;
    let ids: Vec<u128> =
        ends.into_iter().flatten().flatten().filter_map(|id| id.parse().ok()).map(|id: Uuid| id.as_u128()).collect();
    let &[first, last] = ids.as_slice() else { return Ok(Vec::new()) };
    let steps = POINTS as u128;
    let even: Vec<String> =
        (0..steps).map(|step| Uuid::from_u128(first + (last - first) / steps * step).to_string()).collect();
    let found = format!(
        "SELECT ARRAY[found.id::text] AS cells FROM (
            (SELECT DISTINCT near.id FROM unnest(string_to_array($2, ',')::uuid[]) AS even (id), LATERAL (
                SELECT c.id FROM document_chunks AS c WHERE c.workspace_id = CAST($1 AS uuid) AND c.id >= even.id ORDER BY c.id LIMIT 1
            ) AS near)
            UNION
            (SELECT id FROM document_chunks WHERE workspace_id = CAST($1 AS uuid) ORDER BY id LIMIT {POINTS})
        ) AS found ORDER BY found.id"
    );
    let found = DynamicStatement::new(found).with([workspace.to_string(), even.join(",")]);
    let rows = visit.shared.rows(Some(workspace), found).await?;
    let ids: Vec<DocumentChunkId> =
        rows.into_iter().flatten().flatten().filter_map(|id| id.parse().ok()).map(|id: Uuid| id.into()).collect();
    // There may be up to twice as many ids as points. Then every second id is skipped.
    let every = ids.len().div_ceil(POINTS).max(1);
    Ok(ids.into_iter().step_by(every).collect())
}

fn drawing(
    visit: &StudioRequest,
    workspace: WorkspaceId,
    points: &[Point],
    places: &[(f32, f32)],
    names: &[(DatasourceId, String)],
) -> Markup {
    if points.is_empty() {
        return html! { p class="empty" { "This workspace has no chunks yet." } };
    }
    let (across, down) =
        (Axis::from_values(places.iter().map(|place| place.0)), Axis::from_values(places.iter().map(|place| place.1)));
    let colour = |of: Option<DatasourceId>| match of.and_then(|id| names.iter().position(|(known, _)| *known == id)) {
        Some(at) => format!("c{}", at.min(COLOURS - 1)),
        None => "none".to_owned(),
    };
    let used: Vec<&(DatasourceId, String)> =
        names.iter().filter(|(id, _)| points.iter().any(|point| point.datasource == Some(*id))).collect();
    html! {
        ul class="legend" {
            @for (id, name) in used { li { span class={ "dot " (colour(Some(*id))) } {} (text(name)) } }
            @if points.iter().any(|point| point.datasource.is_none()) { li { span class="dot none" {} "no datasource" } }
        }
        div class="map" {
            svg viewBox={ "0 0 " (SIZE) " " (SIZE) } role="group" aria-label={ "Map of " (points.len()) " chunks" } {
                @for (point, (x, y)) in points.iter().zip(places) {
                    a href=(visit.view.known_row("document_chunks", workspace, *point.id.as_uuid())) aria-label=(plain(&cut(&point.title, 60))) {
                        circle class=(colour(point.datasource)) cx=(across.on(*x)) cy=(down.on(*y)) r="7" {
                            title { (plain(&cut(&point.text, SHOWN))) }
                        }
                    }
                }
            }
            p id="passage" class="text" role="status" { "Point at a chunk, or move to it with the Tab key, to read it." }
        }
        p class="quiet" {
            "A sample of " (points.len()) " chunks, evenly spaced by id. Chunks are near each other if the two principal components of their vectors are similar."
        }
    }
}

/// Scale from the smallest to the largest value.
struct Axis {
    least: f32,
    span: f32,
}

impl Axis {
    fn from_values(values: impl Iterator<Item = f32> + Clone) -> Self {
        let least = values.clone().fold(f32::INFINITY, f32::min);
        Self { least, span: (values.fold(f32::NEG_INFINITY, f32::max) - least).max(f32::MIN_POSITIVE) }
    }

    fn on(&self, value: f32) -> String {
        format!("{:.0}", MARGIN + (value - self.least) / self.span * (SIZE - 2.0 * MARGIN))
    }
}
