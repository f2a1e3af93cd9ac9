//! The answer to a request for a static file.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::assets;
use super::problem::Problem;

/// Handles `GET /assets/{version}/{name}`.
pub(super) async fn file(Path((_, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let (kind, text) = assets::find(&name).ok_or_else(|| Problem::not_found(format!("there is no file {name:?}")))?;
    // A build of the same version may have other files, so the browser must request them again after ten minutes.
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=600")], text).into_response())
}
