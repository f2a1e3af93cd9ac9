//! A backend to copy: sessions in a cookie, the documents of a workspace, a slow model, a job with its worker, health,
//! metrics, OpenAPI and a graceful stop. README.md has the commands to try it.

#![expect(clippy::option_option, reason = "in a PATCH, nothing and null are two things")]

mod documents;
mod health;
mod jobs;
mod model;
mod openapi;
mod problem;
mod session;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::routing::{get, post};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tower_http::cors::CorsLayer;
use workspace_db::config::Config;
use workspace_db::doctor::Readiness;
use workspace_db::jobs::Worker;
use workspace_db::tenancy::Database;

use crate::model::Model;

/// State of the application, which every handler gets.
#[derive(Clone)]
struct App {
    db: Database,
    model: Model,
    metrics: PrometheusHandle,
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/login", post(session::log_in))
        .route("/logout", post(session::log_out))
        .route("/password", get(session::password_page).post(session::set_password))
        .route("/workspaces/{workspace}/documents", get(documents::list).post(documents::create))
        .route("/workspaces/{workspace}/documents.ndjson", get(documents::export))
        .route(
            "/workspaces/{workspace}/documents/{document}",
            get(documents::show).patch(documents::change).delete(documents::remove),
        )
        .route("/workspaces/{workspace}/documents/{document}/summary", post(jobs::request_summary))
        .route("/workspaces/{workspace}/answers", post(model::answer))
        .route("/health", get(health::is_alive))
        .route("/ready", get(health::is_ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .with_state(app)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    tokio::spawn(health::tidy(metrics.clone()));
    let db = Database::open(&Config::from_env()?).await?;
    // With tables of your own: `.with_tables(TENANT_TABLES).with_migrations(&migrations)`.
    Readiness::new().check(&db).await?;

    let (stop, mut stopped) = watch::channel(());
    let worker = Worker::new(&db).handle(jobs::summarize);
    let mut worker = tokio::spawn(worker.run(async move { while stopped.changed().await.is_ok() {} }));

    let origin: HeaderValue = std::env::var("ALLOWED_ORIGIN").unwrap_or("http://localhost:5173".to_owned()).parse()?;
    let cors = CorsLayer::new()
        .allow_origin(origin)
        .allow_credentials(true)
        .allow_headers([CONTENT_TYPE])
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE]);
    let app = App { db, model: model::echo(), metrics };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    // The address is that of the peer. Behind a proxy, take it from the header that your proxy sets.
    let service = routes(app).layer(cors).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(shutdown_signal()?);
    tokio::select! {
        ended = server => ended?,
        // Requests without a worker would enqueue jobs that nobody does.
        ended = &mut worker => return Ok(ended??),
    }
    // All requests have ended, so no job is enqueued any more. The worker completes the jobs that it runs.
    drop(stop);
    Ok(worker.await??)
}

/// Returns a future that is ready when the process is asked to stop.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
}
