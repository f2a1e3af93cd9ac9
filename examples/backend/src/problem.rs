//! HTTP responses for errors of the data layer.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Result of a handler.
pub(crate) type Answer<T> = Result<T, Problem>;

pub(crate) enum Problem {
    Data(workspace_db::Error),
    Path(PathRejection),
}

impl From<workspace_db::Error> for Problem {
    fn from(error: workspace_db::Error) -> Self {
        Self::Data(error)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::Path(rejection)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let error = match self {
            Self::Data(error) => error,
            Self::Path(rejection) => return rejection.into_response(),
        };
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // The text of an internal error is for the log; callers get only messages that were written for them.
        let message = if status.is_server_error() {
            eprintln!("{error}");
            "try again later".to_owned()
        } else {
            error.to_string()
        };
        (status, Json(json!({ "error": message, "field": error.field() }))).into_response()
    }
}
