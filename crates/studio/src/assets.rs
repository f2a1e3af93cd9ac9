//! The static files of the pages, embedded in the binary. The licence files next to them name their authors.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Version in the paths of the files, so that a browser fetches each file once per version of the program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const FILES: &[(&str, &str, &str)] = &[
    ("studio.css", "text/css; charset=utf-8", include_str!("assets/studio.css")),
    ("studio.js", "text/javascript; charset=utf-8", include_str!("assets/studio.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    // htmx 4.0.1
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("assets/htmx.min.js")),
    // uPlot 1.6.32
    ("uplot.min.js", "text/javascript; charset=utf-8", include_str!("assets/uplot.min.js")),
    ("uplot.min.css", "text/css; charset=utf-8", include_str!("assets/uplot.min.css")),
    (
        "licences.txt",
        "text/plain; charset=utf-8",
        concat!(
            "htmx 4.0.1\n\n",
            include_str!("assets/htmx.LICENSE"),
            "\nuPlot 1.6.32\n\n",
            include_str!("assets/uplot.LICENSE")
        ),
    ),
];

/// Returns the path of a file.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{VERSION}/{name}")
}

/// Handles `GET /assets/{version}/{name}`.
pub(super) async fn file(Path((_, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let (_, kind, text) = FILES
        .iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| Problem::not_found(format!("there is no file {name:?}")))?;
    // A build of the same version may have other files, so the browser must request them again after ten minutes.
    Ok(([(CONTENT_TYPE, *kind), (CACHE_CONTROL, "private, max-age=600")], *text).into_response())
}
