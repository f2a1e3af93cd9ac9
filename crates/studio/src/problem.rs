//! Pages for errors.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use workspace_db::{Error, ErrorKind};

/// An error as a page.
pub(super) struct Problem(pub(super) Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl Problem {
    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::NotFound, what))
    }
}

pub(super) fn status(error: &Error) -> StatusCode {
    match error {
        _ if error.is_not_found() => StatusCode::NOT_FOUND,
        _ if error.is_invalid_input() => StatusCode::UNPROCESSABLE_ENTITY,
        _ if error.is_forbidden() => StatusCode::FORBIDDEN,
        _ if error.is_conflict() => StatusCode::CONFLICT,
        _ if error.is_unreachable() || error.is_exhausted() || error.is_missing_prerequisite() => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the message for the user. A statement timeout has a remedy.
pub(super) fn message(error: &Error) -> String {
    let message = error.to_string();
    if message.contains("statement timeout") {
        return "This took longer than 5 seconds and was cancelled. Filter by the first column of an index.".to_owned();
    }
    message
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let title = if error.is_not_found() { "Not found" } else { "The request failed" };
        (status(&error), bare(title, &html! { p { (message(&error)) } p { a href="/" { "Back to the workspaces" } } }))
            .into_response()
    }
}

/// Renders the elements in the head of every page.
pub(super) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { (title) " · workspace-db studio" }
        link rel="stylesheet" href=(assets::path("studio.css"));
        link rel="icon" href=(assets::path("icon.svg"));
    }
}

/// Renders a page without navigation.
pub(super) fn bare(title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(title)) }
            body { main class="bare" { h1 { (title) } (body) } }
        }
    };
    Html(page.into_string())
}

pub(super) async fn no_page() -> Problem {
    Problem::not_found("this page does not exist")
}
