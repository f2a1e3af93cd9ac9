//! What an orchestrator and a monitoring system ask.

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;
use crate::problem::Answer;

/// The process answers. An orchestrator restarts it otherwise.
pub(crate) async fn is_alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The database answers. A load balancer sends no request otherwise.
pub(crate) async fn is_ready(State(app): State<App>) -> Answer<StatusCode> {
    app.db.ping().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Counts and durations of the library and its jobs, in the format of Prometheus.
pub(crate) async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
