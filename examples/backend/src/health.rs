//! Routes for an orchestrator and a monitoring system.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;

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

/// Empties the buffers of durations that nobody reads.
pub(crate) async fn tidy(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// Counts and durations of the library and its jobs, in the format of Prometheus. Keep the path from strangers at your proxy.
pub(crate) async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
